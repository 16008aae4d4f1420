"""What kind of failure it was, from what providers and programs are known to say."""

from __future__ import annotations

import re

from smithers.agents.base import FailureKind
from smithers.agents.lines import amount

BY_NAME = {
    "account_on_hold": FailureKind.AUTH,
    "authentication_failed": FailureKind.AUTH,
    "billing_error": FailureKind.AUTH,
    "model_not_found": FailureKind.CONFIG,
    "oauth_org_not_allowed": FailureKind.AUTH,
    "rate_limit": FailureKind.RATE_LIMITED,
    "verification_required": FailureKind.AUTH,
}
"""By the name that Claude Code gives an error, itself and through the Agent Client Protocol."""
_BY_STATUS = {
    401: FailureKind.AUTH,
    402: FailureKind.AUTH,
    403: FailureKind.AUTH,
    404: FailureKind.CONFIG,  # unknown model
    429: FailureKind.RATE_LIMITED,
}

_STATUS = re.compile(
    r'(?:^|\bstatus(?: ?code)?:? |"(?:code|status)": ?)([45]\d\d)\b', re.IGNORECASE
)
_WAIT = re.compile(
    r'\b(?:again in|retry in|retrying after|retrydelay":) ?"?((?:[\d.]+ ?[a-z]+ ?)+)', re.IGNORECASE
)
_PART = re.compile(r"([\d.]+) ?(ms|s|m|h|d)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def of_status(status: object) -> FailureKind | None:
    """By the HTTP status of the provider's answer; None where it tells nothing.

    What a server says in trouble of its own is about nothing that a person could mend.
    """
    if not isinstance(status, int):
        return None
    return FailureKind.ERROR if 500 <= status <= 599 else _BY_STATUS.get(status)


def of_words(words: str, known: tuple[tuple[str, FailureKind], ...]) -> FailureKind:
    """By the first of `known` that stands in `words`; what nobody knows is worth a retry."""
    lower = words.lower()
    return next((kind for text, kind in known if text.lower() in lower), FailureKind.ERROR)


def at_end(kind: FailureKind, code: int | None) -> FailureKind:
    """The same, unless the program was ended from outside: then its last words settle nothing."""
    ended = code is None or code < 0
    return kind if not ended or kind is FailureKind.RATE_LIMITED else FailureKind.ERROR


def status_in(said: str) -> int | None:
    """Find the HTTP status that an error message names or begins with."""
    found = _STATUS.search(said)
    return int(found[1]) if found else None


def wait_in(said: str) -> float | None:
    """Find the seconds that an error message tells to wait: `try again in 1m3.5s`."""
    found = _WAIT.search(said)
    if found is None:
        return None
    parts = _PART.findall(found[1])
    seconds = sum(_number(value) * _SECONDS[unit.lower()] for value, unit in parts)
    return amount(seconds) if parts else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
