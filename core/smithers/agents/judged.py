"""The judgement that readers share whose program tells its success and its errors in events."""

from __future__ import annotations

from smithers.agents import failures
from smithers.agents.base import Answered, Failed, FailureKind, Turn, Verdict
from smithers.agents.lines import Lines
from smithers.model.step import JSON

SHORT_WAIT = 5.0
"""Seconds: a longer wait for a rate limit is ours, not the program's."""
Known = tuple[tuple[str, FailureKind], ...]


class Judged(Lines):
    """Success takes three things: the program's own end, no error, and exit 0."""

    def __init__(self, turn: Turn, known: Known, cure: str) -> None:
        """Take the words of the program's errors, and what a person does who is not logged in."""
        super().__init__()
        self._known = known
        self._cure = cure
        self._structured = turn.schema is not None
        self.done = False
        """The program has said, as its last word so far, that all went well."""
        self.error = ""
        """What went wrong since it last went well."""
        self.status: int | None = None
        """The HTTP status of that error, if it was told as a number."""
        self.wait: float | None = None
        """Seconds until a rate limit is lifted, once they are told."""

    def value(self) -> JSON:
        """The structured answer in what was said last, or None."""
        raise NotImplementedError

    def verdict(self, code: int | None, stderr: str, session: str) -> Verdict:
        """Judge the run after its end; `code` None if we have ended it ourselves."""
        if self.done and not self.error and code == 0:
            value = self.value() if self._structured else None
            return Answered(self.said, value, self.usage, self.session or session)
        stderr = stderr.strip()
        message = self.error or (f"no success (exit {code}): {stderr}" if stderr else "")
        kind = failures.at_end(self.kind_of(self.error or stderr), code)
        if kind is FailureKind.AUTH:
            message = f"{message} ({self._cure})"
        wait = None
        if kind is FailureKind.RATE_LIMITED:
            wait = failures.wait_in(message) if self.wait is None else self.wait
        return Failed(kind, message or f"no success (exit {code})", self.usage, wait, code)

    def kind_of(self, said: str) -> FailureKind:
        """What an error means: by its words first, which are the more exact, then by its status.

        But in trouble of the server's own its words are about nothing else.
        """
        status = failures.status_in(said) if self.status is None else self.status
        by_status = failures.of_status(status)
        if by_status is FailureKind.ERROR:
            return by_status
        by_words = failures.of_words(said, self._known)
        return by_status or by_words if by_words is FailureKind.ERROR else by_words

    def limited(self, said: str, wait: float | None) -> None:
        """It is about to wait for a rate limit: that is ours, unless it is short or all is done."""
        if self.done or self.kind_of(said) is not FailureKind.RATE_LIMITED:
            return
        self.wait = wait
        if wait is None or wait > SHORT_WAIT:
            self.error = said
            self.give_up = True
