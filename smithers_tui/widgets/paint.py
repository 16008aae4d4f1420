"""Lines to strips: the one place where text becomes segments, and the panes that show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

from smithers.service.views import Safe
from smithers_tui.actions import Place
from smithers_tui.host import host
from smithers_tui.keymap import bindings
from smithers_tui.theme import styles
from smithers_tui.view.line import BLANK, Line, plain

COPY_ROWS = 5000
"""Rows that a selection with the mouse may hold."""


def strip(line: Line, base: Style, *, colour: bool, over: Style | None = None) -> Strip:
    """Segments of a line in the roles' styles; `over` lies on all of it."""
    roles = styles(colour=colour)
    style = base if over is None else base + over
    return Strip(
        [Segment(span.text, _mix(style, roles[span.role], over)) for span in line if span.text]
    )


def _mix(base: Style, role: Style, over: Style | None) -> Style:
    mixed = base + role
    return mixed if over is None else mixed + over


class Painted(Widget):
    """A few lines that do not scroll and take no focus."""

    DEFAULT_CSS = "Painted { height: auto; width: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Paint these lines. Nothing happens if they are what is painted already."""
        if lines == self.lines:
            return
        taller = len(lines) != len(self.lines)
        self.lines = tuple(lines)
        self.refresh(layout=taller)

    @override
    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.lines)

    @override
    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if not 0 <= y < len(self.lines):
            return Strip.blank(self.size.width, base)
        colour = host(self).colour
        return strip(self.lines[y], base, colour=colour).crop_extend(0, self.size.width, base)


class Pane(ScrollView, can_focus=True):
    """A scrolling list of lines that are made when they are painted, with a cursor."""

    DEFAULT_CSS = """
    Pane { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.LIST)]

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

        @property
        @override
        def control(self) -> Pane:
            return self.pane

    def __init__(self, *, id: str | None = None, cursor: bool = True) -> None:
        super().__init__(id=id)
        self.at = 0
        self.with_cursor = cursor
        self._title = Safe("")

    # What a subclass says of its lines.

    def count(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def line(self, n: int) -> Line:
        """Line `n` from 0, for a pane of `self.cells` cells."""
        raise NotImplementedError

    def empty(self) -> Line:
        """What to show where there is no line."""
        return BLANK

    def covers(self, n: int) -> bool:
        """Whether line `n` belongs to what the cursor is on."""
        return n == self.at

    # Painting.

    @property
    def cells(self) -> int:
        return max(1, self.scrollable_content_region.width)

    def name_it(self, title: Safe) -> None:
        """Title in the border."""
        if title != self._title:
            self._title = title
            self.border_title = Content(title)

    def changed(self) -> None:
        """Lines came, went or changed: measure and paint again."""
        self.virtual_size = Size(self.cells, max(self.count(), 1))
        self.at = max(0, min(self.at, self.count() - 1))
        self.refresh()

    @override
    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        x, top = self.scroll_offset
        n = top + y
        size = self.size.width
        colour = host(self).colour
        if n >= self.count():
            line = self.empty() if n == 0 else BLANK
            return strip(line, base, colour=colour).crop_extend(0, size, base)
        over = None
        if self.with_cursor and self.covers(n):
            over = styles(colour=colour)["cursor" if self.has_focus else "cursor-blurred"]
        painted = strip(self.line(n), base, colour=colour, over=over)
        painted = self._selected(painted, n)
        fill = base if over is None else base + over
        return painted.crop_extend(x, x + size, fill).apply_offsets(x, n)

    def _selected(self, painted: Strip, n: int) -> Strip:
        selection = self.text_selection
        span = selection.get_span(n) if selection is not None else None
        if span is None:
            return painted
        start, end = span
        length = painted.cell_length
        end = length if end == -1 else min(end, length)
        start = min(start, end)
        style = self.screen.get_component_rich_style("screen--selection")
        parts = painted.divide([start, end, length]) if length else [painted]
        return Strip.join([parts[0], *(each.apply_style(style) for each in parts[1:2]), *parts[2:]])

    @override
    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        first = selection.start.y if selection.start is not None else 0
        last = selection.end.y if selection.end is not None else self.count() - 1
        rows = range(max(0, first), min(last + 1, self.count(), first + COPY_ROWS))
        texts = []
        for n in rows:
            text = plain(self.line(n))
            span = selection.get_span(n)
            start, end = span if span is not None else (0, -1)
            texts.append(text[start : None if end == -1 else end])
        return "\n".join(texts), "\n"

    @override
    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    # Moving.

    def move(self, to: int) -> None:
        """Put the cursor on a line and bring it into view."""
        to = max(0, min(to, self.count() - 1))
        moved = to != self.at
        self.at = to
        self.reveal(to)
        self.refresh()
        if moved:
            self.post_message(self.Moved(self))

    def reveal(self, n: int) -> None:
        top, rows = int(self.scroll_y), max(1, self.scrollable_content_region.height)
        if n < top:
            self.scroll_to(y=n, animate=False, immediate=True)
        elif n >= top + rows:
            self.scroll_to(y=n - rows + 1, animate=False, immediate=True)

    def step(self, by: int) -> None:
        """Move by so many lines: of the cursor, or of the view where there is none."""
        if self.with_cursor:
            self.move(self.at + by)
        else:
            self.scroll_to(y=self.scroll_y + by, animate=False, immediate=True)

    @property
    def page(self) -> int:
        return max(1, self.scrollable_content_region.height - 1)

    def action_down(self) -> None:
        self.step(1)

    def action_up(self) -> None:
        self.step(-1)

    def action_half_down(self) -> None:
        self.step(self.page // 2 or 1)

    def action_half_up(self) -> None:
        self.step(-(self.page // 2 or 1))

    def action_next_page(self) -> None:
        self.step(self.page)

    def action_last_page(self) -> None:
        self.step(-self.page)

    def action_top(self) -> None:
        self.step(-self.count())

    def action_bottom(self) -> None:
        self.step(self.count())

    def action_sideways(self, by: int) -> None:
        self.scroll_to(x=max(0, self.scroll_x + by), animate=False, immediate=True)

    def action_copy_line(self) -> None:
        if self.at < self.count():
            text = plain(self.line(self.at)).strip()
            host(self).copy(text)
            host(self).tell(Safe(f"copied {len(text)} characters"))

    def on_click(self, event: events.Click) -> None:
        n = int(self.scroll_y) + event.get_content_offset_capture(self).y
        if self.with_cursor and n < self.count():
            self.point(n)

    def point(self, n: int) -> None:
        """The mouse was on line `n`."""
        self.move(n)

    def on_resize(self) -> None:
        self.changed()
        if self.with_cursor:
            self.reveal(self.at)


class Sheet(Pane):
    """A pane over lines that are all there."""

    def __init__(self, *, id: str | None = None, cursor: bool = False) -> None:
        super().__init__(id=id, cursor=cursor)
        self.lines: Sequence[Line] = ()
        self.if_empty: Line = BLANK

    def show(self, lines: Sequence[Line]) -> None:
        if lines != self.lines:
            self.lines = lines
            self.changed()

    @override
    def count(self) -> int:
        return len(self.lines)

    @override
    def line(self, n: int) -> Line:
        return self.lines[n]

    @override
    def empty(self) -> Line:
        return self.if_empty
