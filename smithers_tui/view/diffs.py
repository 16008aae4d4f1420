"""A patch as files and numbered lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from smithers.service.views import FileChange, Safe
from smithers_tui.view.line import Line, Span, own, say, spread, tail, width

GUTTER = 13
"""Cells before the text of a line: two numbers and the sign."""

_HUNK = re.compile(r"@@+ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@+(.*)")


@dataclass(frozen=True, slots=True)
class DiffLine:
    """`kind`: `file`, `meta`, `hunk`, `add`, `del` or `same`. Numbers are of the two sides."""

    kind: str
    text: Safe
    old: int | None = None
    new: int | None = None


def parse(patch: Safe) -> list[DiffLine]:
    """A unified diff as git writes it. What is no diff is kept as it stands."""
    lines: list[DiffLine] = []
    old = new = 0
    in_hunk = False
    for raw in patch.split("\n") if patch else ():
        text = Safe(raw)
        if raw.startswith("diff --git "):
            in_hunk = False
            lines.append(DiffLine("file", own(_path(raw))))
        elif found := _HUNK.match(raw):
            in_hunk = True
            old, new = int(found[1]), int(found[2])
            lines.append(DiffLine("hunk", text))
        elif not in_hunk:
            if not raw.startswith(("--- ", "+++ ", "index ")):
                lines.append(DiffLine("meta", text))
        elif raw.startswith("+"):
            lines.append(DiffLine("add", own(raw[1:]), None, new))
            new += 1
        elif raw.startswith("-"):
            lines.append(DiffLine("del", own(raw[1:]), old, None))
            old += 1
        elif raw.startswith(" "):
            lines.append(DiffLine("same", own(raw[1:]), old, new))
            old, new = old + 1, new + 1
        elif raw:
            lines.append(DiffLine("meta", text))
    return lines


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
