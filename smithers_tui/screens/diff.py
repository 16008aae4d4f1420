"""What changed, between two sides that are always named."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from typing_extensions import override

from smithers.service.views import DiffView, RunRow, Safe
from smithers_tui.actions import Place
from smithers_tui.feed import AskDiff, Question
from smithers_tui.keymap import bindings
from smithers_tui.messages import DiffRead, Unanswered
from smithers_tui.screens.place import PlaceScreen
from smithers_tui.view import diffs as view
from smithers_tui.view.line import BLANK, Line, Span, crop, cut, own, say, spread
from smithers_tui.widgets.diff_view import DiffPane, FileList
from smithers_tui.widgets.paint import Painted, Pane


class DiffScreen(PlaceScreen):
    place = Place.DIFF
    cli = "smithers diff {run} {step}"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.DIFF, Place.EVERYWHERE)]

    def __init__(self, run: Safe, step: str | None = None) -> None:
        super().__init__()
        self._run_id = run
        self._step = step
        self._chosen = step
        self._diff: DiffView | None = None

    @override
    def body(self) -> Iterable[Widget]:
        yield Painted(id="sides")
        with Horizontal(id="diff"):
            yield FileList(id="files")
            yield DiffPane(id="lines")

    def on_mount(self) -> None:
        self.lines.note = own("  reading…")
        self.lines.focus()

    @property
    def files(self) -> FileList:
        return self.query_one("#files", FileList)

    @property
    def lines(self) -> DiffPane:
        return self.query_one("#lines", DiffPane)

    @override
    def watched(self) -> Iterable[tuple[str, Question]]:
        yield "diff", AskDiff(self._run_id, self._chosen)

    @override
    def row(self) -> RunRow | None:
        return None

    @override
    def words(self) -> dict[str, str]:
        return {"run": self._run_id, "step": self._chosen or ""}

    @override
    def crumbs(self) -> Iterable[Safe]:
        yield own("runs")
        yield self._run_id
        yield own("diff")

    @override
    def facts(self) -> Line:
        return view.totals(self._diff.files) if self._diff and self._diff.files else BLANK

    def on_diff_read(self, message: DiffRead) -> None:
        if message.step != self._chosen:
            return
        self._diff = message.diff
        self.files.take(message.diff.files)
        note = message.diff.note or own("no change between the two sides")
        self.lines.take(view.parse(message.diff.patch), own(f"  {note}"))
        self._paint()

    @override
    def on_unanswered(self, message: Unanswered) -> None:
        self.lines.take([], own(f"  {message.what}"))

    def _paint(self) -> None:
        cells = self.size.width
        diff = self._diff
        left: Line = (say(" "), *self._choice("1", "whole run", None))
        if self._step is not None:
            left = (*left, say("  "), *self._choice("2", "step", self._step))
        sides = BLANK
        if diff is not None:
            sides = (
                Span(cut(diff.left, cells // 3), "del-name"),
                say("  →  ", "dim"),
                Span(cut(diff.right, cells // 3), "add-name"),
                say(" "),
            )
        rows: list[Line] = [spread(left, sides, cells)]
        if diff is not None and diff.note and diff.files:
            rows.append(crop((say(" "), Span(diff.note, "warn")), cells))
        self.query_one("#sides", Painted).show([*rows, (say("─" * cells, "rule"),)])
        self.query_one("#diff").set_class(not (diff and diff.files), "-empty")
        self.paint_bars()

    def _choice(self, key: str, label: str, step: str | None) -> Line:
        on = self._chosen == step
        return (say(key, "key"), say(" "), say(label, "tab" if on else "dim"))

    @override
    def on_resize(self) -> None:
        self._paint()

    # Keys.

    def action_side(self, side: str) -> None:
        if side == "step" and self._step is None:
            self.host.tell(own("no step was chosen: press D on one in the run"), role="warn")
            return
        self._chosen = self._step if side == "step" else None
        self._diff = None
        self.lines.take([], own("  reading…"))
        self.files.take([])
        self._paint()
        self.host.feed.watch(self, "diff", AskDiff(self._run_id, self._chosen))

    def action_hunk(self, by: int) -> None:
        self.lines.to_hunk(by)

    def action_file(self, by: int) -> None:
        self.lines.to_file(by)

    def _turn_pane(self) -> None:
        to_files = self.focused is not self.files
        self.set_class(to_files, "-files")
        (self.files if to_files else self.lines).focus()

    def action_next_pane(self) -> None:
        self._turn_pane()

    def action_last_pane(self) -> None:
        self._turn_pane()

    def action_choose(self) -> None:
        if self.focused is self.files:
            self._turn_pane()

    def on_pane_moved(self, message: Pane.Moved) -> None:
        if message.pane is self.files and self.files.files:
            self.lines.show_file(self.files.files[self.files.at].path)
        elif message.pane is self.lines and self.focused is self.lines:
            path = self.lines.file
            for n, file in enumerate(self.files.files):
                if file.path == path:
                    self.files.at = n
                    self.files.reveal(n)
                    self.files.refresh()
