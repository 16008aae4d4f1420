"""Panes over records that are numbered from 1 and read page by page: logs of any length, frames."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from textual.message import Message
from typing_extensions import override

from smithers.service.views import FrameView, LogLine, Safe
from smithers_tui.messages import LogOf
from smithers_tui.view import logs as view
from smithers_tui.view.line import BLANK, Line, line_width, say
from smithers_tui.view.steps import frame_line
from smithers_tui.widgets.paint import Pane

PAGE = 256
KEPT = 64
"""Pages in memory: 16,384 records, whatever the length."""

Record = TypeVar("Record")


class Paged(Pane, Generic[Record]):
    """Holds the last pages that were looked at, and follows the end until somebody moves up."""

    class Wanted(Message):
        """A page is needed: the records after `after`."""

        def __init__(self, pane: Paged[Any], after: int) -> None:
            super().__init__()
            self.pane = pane
            self.after = after

        @property
        @override
        def control(self) -> Paged[Any]:
            return self.pane

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.length = 0
        self.following = True
        self.seen = 0
        """Length when following ended: what came since is new."""
        self._pages: OrderedDict[int, Sequence[Record]] = OrderedDict()
        self._asked: set[int] = set()
        self._widest = 0

    def reset(self) -> None:
        """Other records: forget these, and follow."""
        self._pages.clear()
        self._asked.clear()
        self.length = self.seen = self._widest = 0
        self.following = True
        self.at = 0
        self.changed()
        self.scroll_to(0, 0, animate=False, immediate=True)

    def grow(self, length: int) -> None:
        """There are so many now. Only the page at the end is read anew."""
        if length == self.length:
            return
        self._pages.pop(self.length // PAGE, None)
        self._asked.discard(self.length // PAGE)
        if length < self.length:
            self._pages.clear()
            self._asked.clear()
        self.length = length
        self.changed()
        if self.following:
            self._go_to_end()

    def take(self, after: int, records: Sequence[Record]) -> None:
        page = after // PAGE
        self._asked.discard(page)
        self._pages[page] = records
        self._pages.move_to_end(page)
        while len(self._pages) > KEPT:
            self._pages.popitem(last=False)
        self._settle()
        self._widest = max([self._widest, *(line_width(self.show(each)) for each in records)])
        self.changed()

    def record(self, n: int) -> Record | None:
        """Record `n` from 0 if it is here; else it is asked for."""
        page, place = divmod(n, PAGE)
        records = self._pages.get(page)
        if records is not None and place < len(records):
            return records[place]
        if page not in self._asked:
            self._asked.add(page)
            self.post_message(self.Wanted(self, page * PAGE))
        return None

    def show(self, record: Record) -> Line:
        raise NotImplementedError

    @override
    def changed(self) -> None:
        super().changed()
        if self._widest > self.cells:
            self.virtual_size = self.virtual_size.with_width(self._widest)

    @override
    def count(self) -> int:
        return self.length

    @override
    def line(self, n: int) -> Line:
        record = self.record(n)
        return (
            view.pending(n + 1, view.number_width(self.length))
            if record is None
            else self.show(record)
        )

    @override
    def on_resize(self) -> None:
        # Only now is it known where the end is.
        self.call_after_refresh(self._settle)

    def _settle(self) -> None:
        if self.following:
            self._go_to_end()

    def follow(self) -> None:
        self.following = True
        self._go_to_end()
        self.refresh()

    def _go_to_end(self) -> None:
        self.at = max(0, self.length - 1)
        bottom = max(0, self.length - self.scrollable_content_region.height)
        self.scroll_to(y=bottom, animate=False, immediate=True)

    @property
    def new(self) -> int:
        """Records that came since following ended."""
        return 0 if self.following else self.length - self.seen

    @override
    def move(self, to: int) -> None:
        last = max(0, self.length - 1)
        if to < self.at and self.following:
            self.following, self.seen = False, self.length
        elif to >= last:
            self.following = True
        super().move(to)

    @override
    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        rows = self.scrollable_content_region.height
        if new_value < old_value and self.following and new_value + rows < self.length:
            self.following, self.seen = False, self.length
        if not new_value <= self.at < new_value + rows and rows:
            self.at = int(max(new_value, min(self.at, new_value + rows - 1)))

    @override
    def action_bottom(self) -> None:
        self.follow()


class LogPane(Paged[LogLine]):
    """The live log of one attempt."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.log_of: LogOf | None = None
        self.why_empty = Safe("")

    def attach(self, log: LogOf | None, why_empty: Safe) -> bool:
        """Show the log of another attempt. False if it is shown already."""
        self.why_empty = why_empty
        if log == self.log_of:
            self.refresh()
            return False
        self.log_of = log
        self.reset()
        return True

    @override
    def take(self, after: int, records: Sequence[LogLine]) -> None:
        super().take(after, view.in_place(after, PAGE, records))

    @override
    def show(self, record: LogLine) -> Line:
        return view.row(record, view.number_width(self.length))

    @override
    def empty(self) -> Line:
        return (say("  "), say(self.why_empty, "dim"))


class FramePane(Paged[FrameView]):
    """Every committed transition of the run."""

    @override
    def show(self, record: FrameView) -> Line:
        return frame_line(record, max(self.cells, 200))

    @override
    def empty(self) -> Line:
        return (say("  nothing has happened yet", "dim"),)

    @override
    def line(self, n: int) -> Line:
        record = self.record(n)
        return BLANK if record is None else self.show(record)
