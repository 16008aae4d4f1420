"""What kind of failure it was, from what the library raises."""

from __future__ import annotations

from pydantic_ai import exceptions

from smithers.agents import failures
from smithers.agents.base import Failed, FailureKind
from smithers.agents.judged import SHORT_WAIT
from smithers.agents.lines import amount
from smithers.model.step import JSON

PAUSES = (1.0, 4.0)
"""Seconds before the same request is sent again; a longer trouble is the engine's."""


class CutOff(Exception):
    """What the model said is no whole answer; without a reason where its stream just ended."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(f"the answer was cut off: {reason or 'its stream ended'}")
        self.reason = reason


def failure(error: Exception) -> Failed:
    """Tell it as a verdict does."""
    wait = amount(getattr(error, "retry_after", None))
    return Failed(_kind(error), _message(error), retry_after=wait)


def pause(error: Exception, tries: int) -> float | None:
    """Seconds to wait before the next of `tries` made so far; None: give up."""
    failed = failure(error)
    final = isinstance(error, exceptions.ModelRequestRejectedError) or (
        isinstance(error, CutOff) and error.reason is not None
    )
    if final or tries >= len(PAUSES):
        return None
    if failed.kind is FailureKind.RATE_LIMITED:
        wait = failed.retry_after
        return wait if wait is not None and wait <= SHORT_WAIT else None
    return PAUSES[tries] if failed.kind is FailureKind.ERROR else None


def _kind(error: Exception) -> FailureKind:
    by_status = failures.of_status(getattr(error, "status_code", None))
    match error:
        case exceptions.ModelAuthenticationError():
            return FailureKind.AUTH
        case exceptions.ModelNotFoundError():
            return FailureKind.CONFIG
        case exceptions.ModelRateLimitError():
            return FailureKind.RATE_LIMITED
        case exceptions.ModelQuotaExceededError():
            return by_status or FailureKind.AUTH
        case exceptions.UserError():
            # Of these the library raises one alike for each provider's missing key.
            return FailureKind.AUTH if "API_KEY" in str(error) else FailureKind.CONFIG
        case ImportError():
            return FailureKind.CONFIG
        case _:
            return by_status or FailureKind.ERROR


def _message(error: Exception) -> str:
    if isinstance(error, exceptions.ModelHTTPError):
        return f"{error.status_code} {error.model_name}: {_said(error.body) or error.message}"
    if isinstance(error, exceptions.UserError):
        return str(error).partition(". ")[0].partition(" or pass ")[0]
    known = isinstance(error, CutOff | exceptions.AgentRunError)
    return str(error) if known else f"{type(error).__name__}: {error}"


def _said(body: object) -> str:
    """The words in the body of an error, which providers wrap in more or less."""
    found: JSON | object = body
    while isinstance(found, dict):
        found = found.get("error") or found.get("message")
    return found if isinstance(found, str) else ""
