"""What arguments mean: each turns a word into a value, or says what would have been one."""

from __future__ import annotations

import argparse
import re

RUN = "id of a run, a unique beginning of it, or @last"

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """`90`, `90s`, `10m`, `1.5h` in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!a} is no time; such as 90s, 10m, 2h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def role(text: str) -> tuple[str, str]:
    role, equals, agent = text.partition("=")
    if not (role and equals and agent):
        raise argparse.ArgumentTypeError(f"{text!a} is not ROLE=AGENT, such as coder=claude")
    return role, agent


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!a} is no positive number")
    return number


def number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!a} is no number from 1")
    return int(text)


def until(text: str) -> frozenset[str]:
    return frozenset(_words(text, ["needs-me", "finished"]))


def statuses(text: str) -> tuple[object, ...]:
    # Loaded when it is needed: `--version` and `--help` do without dataclasses.
    from smithers.model.run import RunStatus  # noqa: PLC0415

    return tuple(RunStatus(word) for word in _words(text, [status.value for status in RunStatus]))


def _words(text: str, known: list[str]) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise argparse.ArgumentTypeError(f"{word!a} is none of {', '.join(known)}")
    if not words:
        raise argparse.ArgumentTypeError(f"needs one of {', '.join(known)}")
    return words
