"""A line of text with roles in place of colours; cutting, padding, wrapping by terminal cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from smithers.service.views import Safe

ELLIPSIS = "…"
NOTHING = Safe("")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line. The role names its meaning; the theme gives it a colour."""

    text: Safe
    role: str = ""


Line = tuple[Span, ...]
BLANK: Line = ()


def own(text: str | int) -> Safe:
    """Words, signs and figures that this program made itself, and pieces of what was `Safe`."""
    return Safe(str(text))


def say(text: str | int, role: str = "") -> Span:
    """A span of our own words."""
    return Span(own(text), role)


def width(text: str) -> int:
    """Cells that the text takes on a terminal."""
    return cell_len(text)


def line_width(line: Line) -> int:
    return sum(cell_len(span.text) for span in line)


def plain(line: Line) -> str:
    return "".join(span.text for span in line)


def cut(text: Safe, cells: int) -> Safe:
    """At most so many cells; what was cut off shows as an ellipsis."""
    if cells <= 0:
        return NOTHING
    if cell_len(text) <= cells:
        return text
    return Safe(set_cell_size(text, cells - 1) + ELLIPSIS)


def fit(text: Safe, cells: int, *, right: bool = False) -> Safe:
    """Exactly so many cells: cut or padded."""
    if cells <= 0:
        return NOTHING
    short = cut(text, cells)
    pad = " " * (cells - cell_len(short))
    return Safe(pad + short if right else short + pad)


def tail(text: Safe, cells: int) -> Safe:
    """At most so many cells from the end: for paths, whose end says most."""
    if cells <= 0:
        return NOTHING
    if cell_len(text) <= cells:
        return text
    kept = text[-(cells - 1) :]
    while cell_len(kept) > cells - 1:
        kept = kept[1:]
    return Safe(ELLIPSIS + kept)


def crop(line: Line, cells: int) -> Line:
    """The line cut to so many cells."""
    kept: list[Span] = []
    room = cells
    for span in line:
        size = cell_len(span.text)
        if size > room:
            kept.append(Span(cut(span.text, room), span.role))
            break
        kept.append(span)
        room -= size
    return tuple(kept)


def spread(left: Line, right: Line, cells: int) -> Line:
    """Left part at the left edge, right part at the right one; the left gives way."""
    room = cells - line_width(right)
    if room <= 1:
        return crop(right, cells)
    left = crop(left, room - 1)
    return (*left, say(" " * (room - line_width(left))), *right)


def wrap(text: Safe, cells: int, *, limit: int = 0) -> list[Safe]:
    """Break at spaces where possible, at cells where not. `limit` rows at most, 0 for all."""
    rows: list[str] = []
    for paragraph in text.split("\n"):
        rows.extend(_wrap(paragraph, max(cells, 1)))
        if limit and len(rows) > limit:
            cut_row = cut(Safe(rows[limit - 1] + " " + ELLIPSIS), cells)
            return [*(Safe(row) for row in rows[: limit - 1]), cut_row]
    return [Safe(row) for row in rows]


def _wrap(text: str, cells: int) -> list[str]:
    rows: list[str] = []
    while cell_len(text) > cells:
        head = set_cell_size(text, cells).rstrip()
        if not text.startswith(head) or not head:
            head = text[:cells] if text.isascii() else text[: max(1, cells // 2)]
        space = head.rfind(" ")
        if space > cells // 2 and len(head) < len(text) and text[len(head)] != " ":
            head = head[:space]
        rows.append(head)
        text = text[len(head) :].lstrip(" ")
    rows.append(text)
    return rows


def chop(text: Safe, cells: int) -> list[Safe]:
    """Break at cells alone and lose no sign, not even a space: for what must be seen exactly."""
    rows: list[Safe] = []
    start, used = 0, 0
    for place, sign in enumerate(text):
        size = cell_len(sign)
        if used + size > cells and place > start:
            rows.append(Safe(text[start:place]))
            start, used = place, 0
        used += size
    rows.append(Safe(text[start:]))
    return rows


def join(parts: Iterable[Line], gap: str = "  ") -> Line:
    """Lines beside each other on one line."""
    spans: list[Span] = []
    for part in parts:
        if not part:
            continue
        if spans:
            spans.append(say(gap))
        spans.extend(part)
    return tuple(spans)
