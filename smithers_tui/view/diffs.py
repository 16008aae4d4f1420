"""A patch as files and numbered lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smithers.service.views import FileChange, Safe
from smithers_tui.view.line import Line, Span, own, say, spread, tail, width

GUTTER = 13
"""Cells before the text of a line: two numbers and the sign."""

_HUNK = re.compile(r"@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@+(.*)")


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind`: `file`, `meta`, `hunk`, `add`, `del` or `same`. Numbers are of the two sides."""

    kind: str
    text: Safe
    old: int | None = None
    new: int | None = None


def parse(patch: Safe) -> list[DiffLine]:
    """A unified diff, of git or of an agent. What is no diff is kept as it stands."""
    lines: list[DiffLine] = []
    hunk = _Hunk(0, 0, 0, 0)
    from_git = False
    for raw in patch.split("\n") if patch else ():
        if raw.startswith("diff --git "):
            from_git, hunk = True, _Hunk(0, 0, 0, 0)
            lines.append(DiffLine("file", own(_path(raw))))
        elif not hunk.over:
            lines.extend(hunk.take(raw))
        elif found := _HUNK.match(raw):
            old, removed, new, added, _ = found.groups("1")
            hunk = _Hunk(int(old), int(new), int(removed), int(added))
            lines.append(DiffLine("hunk", Safe(raw)))
        elif raw.startswith("+++ ") and not from_git:
            lines.append(DiffLine("file", own(raw[4:])))
        elif not raw.startswith(("--- ", "+++ ", "index ")) and raw:
            lines.append(DiffLine("meta", Safe(raw)))
    return lines


@dataclass(slots=True)
class _Hunk:
    """Where in a hunk we are: the next line of both sides, and how many are to come.

    They are counted, since a line that was removed can look like the head of a file.
    """

    old: int
    new: int
    old_left: int
    new_left: int

    @property
    def over(self) -> bool:
        return self.old_left <= 0 and self.new_left <= 0

    def take(self, raw: str) -> Iterator[DiffLine]:
        sign, rest = raw[:1], own(raw[1:])
        if sign == "+":
            yield DiffLine("add", rest, None, self.new)
        elif sign == "-":
            yield DiffLine("del", rest, self.old, None)
        elif sign == " ":
            yield DiffLine("same", rest, self.old, self.new)
        elif raw:
            yield DiffLine("meta", Safe(raw))
        if sign in {"-", " "}:
            self.old, self.old_left = self.old + 1, self.old_left - 1
        if sign in {"+", " "}:
            self.new, self.new_left = self.new + 1, self.new_left - 1


def _path(raw: str) -> str:
    """The right side of `diff --git a/x b/x`."""
    return raw.rsplit(" b/", 1)[-1] if " b/" in raw else raw.removeprefix("diff --git ")


_SIGNS = {"add": "+", "del": "−", "same": " "}
_ROLES = {"add": "add", "del": "del", "same": "", "hunk": "hunk", "meta": "dim", "file": "file"}


def row(line: DiffLine, cells: int) -> Line:
    role = _ROLES[line.kind]
    if line.kind == "file":
        rest = "─" * max(0, cells - len(line.text) - 4)
        return (say("── ", "rule"), Span(line.text, "file"), say(f" {rest}", "rule"))
    if line.kind in {"hunk", "meta"}:
        return (say("          "), Span(line.text, role))
    return (
        say(f"{line.old or '':>5}{line.new or '':>5} ", "faint"),
        say(f"{_SIGNS[line.kind]} ", role),
        Span(line.text, role),
        # The colour of a change goes to the edge.
        say(" " * max(0, cells - GUTTER - width(line.text)) if role else "", role),
    )


def starts(lines: Sequence[DiffLine], kind: str) -> list[int]:
    """Where hunks or files begin."""
    return [n for n, line in enumerate(lines) if line.kind == kind]


_WORDS = {"A": "add", "M": "mod", "D": "del", "R": "ren", "T": "type", "C": "copy"}


def file_row(file: FileChange, cells: int) -> Line:
    counts: Line = (
        (say("binary ", "dim"),)
        if file.binary
        else (say(f"+{file.added} ", "add-name"), say(f"−{file.removed} ", "del-name"))
    )
    letter = file.status[:1]
    role = {"A": "ok", "D": "bad"}.get(letter, "run")
    room = cells - sum(len(span.text) for span in counts) - 4
    left: Line = (say(f" {letter} ", role), Span(tail(file.path, room), ""))
    return spread(left, counts, cells)


def totals(files: Sequence[FileChange]) -> Line:
    added, removed = sum(f.added for f in files), sum(f.removed for f in files)
    word = "file" if len(files) == 1 else "files"
    return (
        say(f"{len(files)} {word}  ", ""),
        say(f"+{added:,} ", "add-name"),
        say(f"−{removed:,}", "del-name"),
    )
