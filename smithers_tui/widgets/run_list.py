"""The list of runs: pages of rows, newest first, asked for as they come into view."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.message import Message
from typing_extensions import override

from smithers.service.views import RunRow
from smithers_tui.host import host
from smithers_tui.messages import RunsRead
from smithers_tui.view import runs as view
from smithers_tui.view.line import BLANK, Line, say
from smithers_tui.view.times import age
from smithers_tui.widgets.paint import Pane

PAGE = 100
FAST = 1000
"""Rows of a page when the whole list is wanted."""
AHEAD = 4
"""Rows below the view that are kept true."""
MARGIN = 40
"""Rows below the view that are asked for ahead."""


class RunList(Pane):
    """Keeps its cursor on the run and not on the row: what is new enters above it."""

    class Wanted(Message):
        """Rows are needed that are not here: the page from `before` down."""

        def __init__(self, before: int, limit: int) -> None:
            super().__init__()
            self.before = before
            self.limit = limit

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.filter = view.Filter()
        self._known: list[RunRow] = []
        self._shown: list[RunRow] = []
        self._complete = False
        self._asked: int | None = None
        self._to_end = False
        self._painted_ages: tuple[str, ...] = ()
        self.read = False
        """The directory has answered once."""

    @property
    def run(self) -> RunRow | None:
        """The run under the cursor."""
        return self._shown[self.at] if self.at < len(self._shown) else None

    @property
    def known(self) -> int:
        return len(self._shown)

    @property
    def complete(self) -> bool:
        return self._complete

    def window(self) -> tuple[int | None, int]:
        """What is in view, as a page to be watched: `before` and `limit`."""
        top = int(self.scroll_y)
        rows = max(self.size.height, 1)
        if self.filter.words or top >= len(self._shown) or top == 0:
            return None, min(rows + AHEAD, PAGE)
        return self._shown[top].seq + 1, min(rows + AHEAD, PAGE)

    def narrow(self, chosen: view.Filter) -> None:
        """Show other runs. What is known of the old ones goes."""
        self.filter = chosen
        self._known, self._shown = [], []
        self._complete = self.read = self._to_end = False
        self._asked = None
        self.at = 0
        self.changed()

    def take(self, message: RunsRead) -> None:
        """Lay a page over what is known, and keep cursor and view where they were."""
        at, top = self.run, self._top()
        self._known = view.merge(self._known, message.rows, message.before, message.limit)
        if len(message.rows) < message.limit:
            self._complete = True
        if message.before == self._asked:
            self._asked = None
        self.read = True
        self._select()
        self._put_back(at, top)
        self.changed()
        self._more()

    def _select(self) -> None:
        fits: Callable[[RunRow], bool] = self.filter.fits
        words = bool(self.filter.words)
        self._shown = [row for row in self._known if fits(row)] if words else self._known

    def _top(self) -> RunRow | None:
        top = int(self.scroll_y)
        return self._shown[top] if 0 < top < len(self._shown) else None

    def _put_back(self, at: RunRow | None, top: RunRow | None) -> None:
        if at is not None and self.at > 0:
            self.at = _find(self._shown, at.seq)
        if top is not None:
            self.scroll_to(y=_find(self._shown, top.seq), animate=False, immediate=True)

    def _more(self) -> None:
        """Ask for the next page where the end of what is known comes near."""
        if self._to_end and self._complete:
            self._to_end = False
            self.move(len(self._shown) - 1)
        if self._complete or self._asked is not None or not self._known:
            return
        near = int(self.scroll_y) + self.size.height + MARGIN >= len(self._shown)
        if near or self._to_end or self.filter.words:
            self._asked = self._known[-1].seq
            limit = FAST if self._to_end or self.filter.words else PAGE
            self.post_message(self.Wanted(self._asked, limit))
        if self._to_end:
            self.move(len(self._shown) - 1)

    def ages(self) -> tuple[str, ...]:
        """The ages in view as they would be painted now."""
        top, now = int(self.scroll_y), host(self).now()
        return tuple(age(now - row.created_at) for row in self._shown[top : top + self.size.height])

    def tick(self) -> None:
        """Paint again if an age in view has moved."""
        ages = self.ages()
        if ages != self._painted_ages:
            self._painted_ages = ages
            self.refresh()

    @override
    def count(self) -> int:
        return len(self._shown) + (0 if self._complete else 1)

    @override
    def line(self, n: int) -> Line:
        if n >= len(self._shown):
            return (say("  … older runs", "faint"),) if self._shown else BLANK
        return view.row(self._shown[n], self.cells, host(self).now())

    @override
    def empty(self) -> Line:
        return BLANK

    @override
    def move(self, to: int) -> None:
        super().move(min(to, max(0, len(self._shown) - 1)))
        self._more()

    @override
    def action_bottom(self) -> None:
        self._to_end = not self._complete
        super().action_bottom()

    @override
    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value:
            self._to_end = False
        self._more()


def _find(rows: Sequence[RunRow], seq: int) -> int:
    """Index of a run in rows sorted downwards, or of the one that took its place."""
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle].seq > seq:
            low = middle + 1
        else:
            high = middle
    return min(low, max(0, len(rows) - 1))
