"""Reads what the child of a model prints, and judges how it ended."""

from __future__ import annotations

from collections.abc import Iterator

from smithers.agents.base import Asked, EventKind, FailureKind, Turn, Verdict
from smithers.agents.judged import Judged
from smithers.agents.lines import Event, amount, called, number, table, used
from smithers.agents.permissions import Question, Ruling, Tool
from smithers.model.step import JSON, Usage

_KINDS = {kind.value: kind for kind in FailureKind}
_WORDS = {
    "started": EventKind.NOTICE,
    "thinking": EventKind.THINKING,
    "retry": EventKind.RETRY,
}
_TOOLS = {tool.value: tool for tool in Tool}


class Reader(Judged):
    """One run of the child: what it said so far."""

    def __init__(self, turn: Turn, cure: str) -> None:
        super().__init__(turn, (), cure)
        self._put: Question | None = None
        """What it ended to ask a person."""
        self._kind = FailureKind.ERROR
        self._value: JSON = None

    def value(self) -> JSON:
        return self._value

    def kind_of(self, said: str) -> FailureKind:
        return self._kind if self.error else super().kind_of(said)

    def verdict(self, code: int | None, stderr: str, session: str) -> Verdict:
        """Judge the run after its end; `code` None if we have ended it ourselves."""
        if self._put is not None:
            return Asked(self._put, self.usage, session)
        return super().verdict(code, stderr.rpartition("\n")[2], session)

    def read(self, event: Event) -> Iterator[tuple[EventKind, str]]:
        text = str(event.get("text", ""))
        match event.get("type"):
            case "started" | "thinking" | "retry" as kind:
                yield _WORDS[kind], text
            case "text":
                self.said = text
                yield EventKind.TEXT, text
            case "tool_call":
                yield EventKind.TOOL_CALL, called(str(event.get("name")), table(event.get("input")))
            case "tool_result":
                yield EventKind.TOOL_RESULT, f"failed: {text}" if event.get("failed") else text
            case "permission":
                yield EventKind.PERMISSION, self._permission(event)
            case "usage":
                yield EventKind.USAGE, self._count(event)
            case "failed":
                yield EventKind.NOTICE, self._failed(event, text)
            case "done":
                self.done, self._value = True, event.get("value")
                yield EventKind.NOTICE, "done"
            case other:
                yield EventKind.NOTICE, f"unknown event, kept: {other}"

    def _permission(self, event: Event) -> str:
        question = Question(
            _TOOLS.get(str(event.get("tool")), Tool.OTHER),
            str(event.get("name", "")),
            str(event.get("subject", "")),
            str(event.get("body", "")),
        )
        if event.get("ruling") == Ruling.ASK:
            self._put = self._put or question
        return f"{question.title}: {event.get('ruling')} ({event.get('why')})"

    def _count(self, event: Event) -> str:
        counts = (number(event.get(key)) for key in ("input", "output", "cached"))
        given, made, cached = counts
        now = Usage(given, made, cached_tokens=cached)
        self.usage = self.usage + now
        return used(now)

    def _failed(self, event: Event, text: str) -> str:
        self.error = text or "failed"
        self._kind = _KINDS.get(str(event.get("kind")), FailureKind.ERROR)
        self.wait = amount(event.get("retry_after"))
        return self.error
