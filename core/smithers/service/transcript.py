"""What each kind of line in an attempt's log is called: a sign and a word, alike for all agents."""

from __future__ import annotations

from typing import NamedTuple

from smithers.service.safe import line
from smithers.service.views import LogLine, Safe

WIDTH = 9
"""Cells of a label, if its word is one of ours."""


class Label(NamedTuple):
    sign: Safe
    word: Safe

    @property
    def text(self) -> Safe:
        return Safe(f"{self.sign} {self.word}")


def _label(sign: str, word: str) -> Label:
    return Label(Safe(sign), Safe(word))


_KINDS = {
    "text": _label("›", "text"),
    "thinking": _label("…", "thinks"),
    "tool_call": _label("→", "tool"),
    "tool_result": _label("←", "result"),
    "permission": _label("?", "asks"),
    "usage": _label("Σ", "usage"),
    "retry": _label("↻", "retry"),
    "notice": _label("·", "notice"),
    "prompt": _label("»", "prompt"),
    "message": _label("»", "message"),
    "command": _label("$", "command"),
    "error": _label("×", "error"),
}
_STREAMS = {"out": _label("│", "out"), "err": _label("┆", "err")}


def label(record: LogLine) -> Label:
    """By what it is; what a command printed, by where. An unknown kind is called as it is."""
    if record.stream in _STREAMS:
        return _STREAMS[record.stream]
    kind = record.kind or record.stream
    return _KINDS.get(kind) or Label(Safe("·"), line(kind, limit=20))
