"""Lines of an attempt's log: number, time, kind and text, one row a line."""

from __future__ import annotations

from collections.abc import Sequence

from smithers.service import transcript
from smithers.service.views import LogLine, Safe
from smithers_tui.view.line import Line, Span, cut, fit, own, say
from smithers_tui.view.times import clock

_ROLES = {"err": "err", "engine": "dim"}
_KINDS = {
    "tool": "tool",
    "tool_call": "tool",
    "tool_result": "dim",
    "permission": "warn",
    "usage": "faint",
    "thinking": "dim",
    "retry": "warn",
    "notice": "dim",
    "error": "bad",
    "verdict": "ok",
}


def role_of(line: LogLine) -> str:
    return _KINDS.get(line.kind) or _ROLES.get(line.stream, "")


def in_place(after: int, room: int, lines: Sequence[LogLine]) -> Sequence[LogLine]:
    """Each of up to `room` lines at the place of its number: of a long log some are not kept."""
    if not lines or lines[-1].n == after + len(lines):
        return lines
    last = min(lines[-1].n, after + room)
    kept = {line.n: line for line in lines}
    gone = lines[0]._replace(stream=own("engine"), kind=own("notice"), text=own("not kept"))
    return [kept.get(n) or gone._replace(n=n) for n in range(after + 1, last + 1)]


def row(line: LogLine, number: int) -> Line:
    """`number` is the room for the line's number."""
    label = transcript.label(line).text
    return (
        say(f"{line.n:>{number},} ", "faint"),
        say(f"{clock(line.at)} ", "dim"),
        Span(fit(cut(label, transcript.WIDTH), transcript.WIDTH + 1), role_of(line) or "dim"),
        Span(line.text, role_of(line)),
    )


def pending(n: int, number: int) -> Line:
    """Stands for a line that is being read."""
    return (say(f"{n:>{number},} ", "faint"), say("…", "faint"))


def short(line: LogLine, cells: int) -> Line:
    """For a preview: the text alone."""
    return (say("▏", "rule"), Span(cut(line.text, cells - 1), role_of(line)))


def number_width(length: int) -> int:
    return max(5, len(f"{length:,}"))


def pill(new: int) -> Safe:
    return own(f" ▼ {new:,} new · G follows ")
