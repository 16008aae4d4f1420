"""What kind of failure it was, from what agents of the Agent Client Protocol are known to say."""

from __future__ import annotations

from acp import RequestError

from smithers.agents import failures
from smithers.agents.base import Failed, FailureKind
from smithers.agents.lines import Event, table
from smithers.model.step import Usage
from smithers.process import sandbox

_LOGIN_WANTED = -32000
_CURE = "log in with the agent's own command, or name its API key in `env` of its config"
_BY_WORDS = (
    ("session not found", FailureKind.UNKNOWN_SESSION),
    ("thread not found", FailureKind.UNKNOWN_SESSION),
    ("rate limit", FailureKind.RATE_LIMITED),
    ("too many requests", FailureKind.RATE_LIMITED),
    ("usage limit", FailureKind.RATE_LIMITED),
    ("RESOURCE_EXHAUSTED", FailureKind.RATE_LIMITED),
    ("unauthorized", FailureKind.AUTH),
    ("authentication", FailureKind.AUTH),
    ("API key", FailureKind.AUTH),
    ("run /login", FailureKind.AUTH),
    ("unknown option", FailureKind.CONFIG),
    ("unknown argument", FailureKind.CONFIG),
    ("model not found", FailureKind.CONFIG),
    ("unknown model", FailureKind.CONFIG),
    ("model_not_found", FailureKind.CONFIG),
    ("does not exist", FailureKind.CONFIG),
)


class Unable(Exception):
    """The turn cannot be played to its end."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(f"{message}; {_CURE}" if kind is FailureKind.AUTH else message)
        self.kind = kind

    def verdict(self, usage: Usage, code: int | None = None) -> Failed:
        limited = self.kind is FailureKind.RATE_LIMITED
        wait = failures.wait_in(str(self)) if limited else None
        return Failed(self.kind, str(self), usage, wait, code)


def refused(error: RequestError) -> Unable:
    """What an error tells that was the answer to a request."""
    data = table(error.data)
    details = str(data.get("details") or data.get("message") or "")
    message = f"{error}: {details}" if details and details not in str(error) else str(error)
    kind = FailureKind.AUTH if error.code == _LOGIN_WANTED else None
    kind = kind or failures.BY_NAME.get(str(data.get("errorKind")))
    # Above 499 it is the agent's own number for whatever went wrong.
    status = error.code if error.code < 500 else None
    return Unable(kind or failures.of_status(status) or _kind(message), message)


def gone(code: int | None, stderr: str, *, begun: bool) -> Unable:
    """What it means that the process has ended, or has closed its end, within a turn.

    Once it has `begun` to work its stderr is a log of all that happens, and tells no reason.
    """
    how = "closed its stdout" if code is None else f"ended with exit code {code}"
    stderr = stderr.strip()
    message = f"{how} within its turn: {stderr}" if stderr else f"{how} within its turn"
    if refusal := sandbox.refusal(code, stderr):
        return Unable(FailureKind.CONFIG, refusal)
    kind = FailureKind.ERROR if begun else failures.at_end(_kind(stderr), code)
    return Unable(kind, message)


def ended(code: int) -> Unable:
    """What it means that the process has failed after it had said that its turn went well."""
    return Unable(FailureKind.ERROR, f"it ended with exit code {code} after its turn")


def marked(error: Event, aside: str) -> Unable:
    """What it means that the agent marked its turn as failed.

    `error` came before. `aside` came after, and is its own, of no message of its model.
    """
    info = error.get("codexErrorInfo")
    told = table(next(iter(table(info).values()), None)).get("httpStatusCode")
    message = aside.strip() or str(error.get("message") or "the agent marked its turn as failed")
    return Unable(failures.of_status(told) or _kind(f"{message} {error}"), message)


def _kind(said: str) -> FailureKind:
    kind = failures.of_words(said, _BY_WORDS)
    return failures.of_status(failures.status_in(said)) or kind
