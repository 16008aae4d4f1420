"""Home: what needs me, the list of runs, and a preview of the one under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from smithers.service.views import LogLine, RunRow, RunView, Safe
from smithers_tui.actions import Place
from smithers_tui.feed import AskRun, AskRuns, AskTail, Question
from smithers_tui.keymap import bindings
from smithers_tui.messages import LogOf, RunRead, RunsRead, TailRead
from smithers_tui.screens.place import PlaceScreen
from smithers_tui.view import runs as view
from smithers_tui.view.line import BLANK, Line, Span, own, say
from smithers_tui.view.steps import active, preview
from smithers_tui.widgets.paint import Painted, Pane, Sheet
from smithers_tui.widgets.run_list import RunList

SETTLE = 0.08
"""Seconds that the cursor must rest before the preview is asked for."""
STRIP = 3
"""Rows of the strip at most; narrow windows get one."""
TAIL = 8


class RunsScreen(PlaceScreen):
    place = Place.RUNS
    cli = "smithers inspect {run}"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.RUNS, Place.EVERYWHERE)]

    def __init__(self) -> None:
        super().__init__()
        self._previewed: RunView | None = None
        self._tail: tuple[LogLine, ...] = ()
        self._tail_of: LogOf | None = None
        self._settle: Timer | None = None
        self._window: AskRuns | None = None

    @override
    def body(self) -> Iterable[Widget]:
        yield Painted(id="strip")
        yield Input(
            placeholder="a status (failed, running, waiting…), or words · ⏎ shows · esc clears",
            id="filter",
        )
        with Horizontal(id="home"):
            with Vertical(id="list-side"):
                yield Painted(id="list-head")
                yield RunList(id="runs")
            yield Sheet(id="preview")
        yield Sheet(id="nothing")

    def on_mount(self) -> None:
        self.query_one("#filter", Input).cursor_blink = False
        self.query_one("#preview", Sheet).can_focus = False
        self.query_one("#nothing", Sheet).can_focus = False
        self.run_list.focus()

    @property
    def run_list(self) -> RunList:
        return self.query_one("#runs", RunList)

    @override
    def watched(self) -> Iterable[tuple[str, Question]]:
        self._window = self._wanted()
        yield "runs", self._window
        run = self.row()
        if run is not None:
            yield "preview", AskRun(run.id)
        if self._tail_of is not None:
            yield "tail", AskTail(self._tail_of, TAIL)

    def _wanted(self) -> AskRuns:
        before, limit = self.run_list.window()
        return AskRuns(before, limit, self.run_list.filter.statuses)

    @override
    def crumbs(self) -> Iterable[Safe]:
        yield own("smithers")
        yield self.host.root_name

    @override
    def row(self) -> RunRow | None:
        return self.run_list.run if self.is_mounted else None

    # What the feed says.

    def on_runs_read(self, message: RunsRead) -> None:
        before = self.run_list.run
        self.run_list.take(message)
        self._arrange()
        if self.run_list.run is None or before is None or self.run_list.run.id != before.id:
            self._preview_soon()
        self.paint_bars()

    def on_run_read(self, message: RunRead) -> None:
        run = self.row()
        if run is None or message.run.row.id != run.id:
            return
        self._previewed = message.run
        step = active(message.run)
        log = None
        if step is not None and step.attempts:
            log = LogOf(run.id, step.key, step.attempts[-1].n)
        if log != self._tail_of:
            self._tail_of, self._tail = log, ()
            self.host.feed.watch(self, "tail", AskTail(log, TAIL) if log else None)
        self._paint_preview()

    def on_tail_read(self, message: TailRead) -> None:
        if message.log == self._tail_of:
            self._tail = message.lines
            self._paint_preview()

    @override
    def overview_changed(self) -> None:
        super().overview_changed()
        self._paint_strip()
        self._arrange()

    @override
    def tick(self) -> None:
        super().tick()
        self.run_list.tick()
        self._paint_strip()
        if self._previewed is not None and not self._previewed.row.status.ended:
            self._paint_preview()

    @override
    def on_resize(self) -> None:
        self.call_after_refresh(self._repaint)

    def _repaint(self) -> None:
        self.query_one("#list-head", Painted).show([view.header(self.run_list.cells)])
        self._paint_strip()
        self._paint_preview()
        self._arrange()

    # Painting.

    def _paint_strip(self) -> None:
        overview = self.host.overview
        cells = self.size.width - 4
        lines = view.needs(overview.gates or (), overview.lost, cells, self.host.now())
        rows = 1 if self.narrow or self.size.height < 30 else STRIP
        more = len(lines) - rows
        strip = self.query_one("#strip", Painted)
        strip.display = bool(lines)
        word = "thing needs you" if len(lines) == 1 else "things need you"
        hidden = f"{more} more · " if more > 0 else ""
        strip.border_title = Content(f"{len(lines)} {word}")
        strip.border_subtitle = Content(f"{hidden}! next  i inbox")
        strip.show(lines[:rows])

    def _paint_preview(self) -> None:
        sheet = self.query_one("#preview", Sheet)
        run = self._previewed
        if run is None or not sheet.display:
            return
        rows = max(1, sheet.scrollable_content_region.height)
        sheet.show(preview(run, self._tail, sheet.cells, rows, self.host.now()))

    def _arrange(self) -> None:
        """The list, or what to say where it would be empty."""
        empty = self.run_list.read and not self.run_list.known and self.run_list.complete
        self.query_one("#home").display = not empty
        sheet = self.query_one("#nothing", Sheet)
        sheet.display = empty
        if not empty:
            return
        chosen = str(self.run_list.filter)
        if chosen:
            summary = self.host.overview.summary
            total = summary.total if summary else 0
            sheet.show(_filtered(own(chosen), total))
        else:
            sheet.show(_first_run(self.host.root_path))

    @override
    def hint(self) -> Line:
        chosen = str(self.run_list.filter) if self.is_mounted else ""
        if chosen:
            return (
                say(" only ", "dim"),
                say(chosen, "warn"),
                say("  ·  esc shows all again", "dim"),
            )
        if self.has_class("-preview"):
            return (say(" space folds the preview", "faint"),)
        return (say(" quitting leaves runs running", "faint"),)

    # Keys.

    def on_pane_moved(self, message: Pane.Moved) -> None:
        if message.pane is self.run_list:
            self._preview_soon()
            self.paint_bars()
            self._watch_window()

    def _watch_window(self) -> None:
        wanted = self._wanted()
        if wanted != self._window:
            self._window = wanted
            self.host.feed.watch(self, "runs", wanted)

    def _preview_soon(self) -> None:
        if self._settle is not None:
            self._settle.stop()
        self._settle = self.set_timer(SETTLE, self._ask_preview)

    def _ask_preview(self) -> None:
        run = self.row()
        if run is None:
            return
        if self._previewed is not None and self._previewed.row.id != run.id:
            self._previewed, self._tail_of, self._tail = None, None, ()
            self.query_one("#preview", Sheet).show([])
            self.host.feed.watch(self, "tail", None)
        self.host.feed.watch(self, "preview", AskRun(run.id))

    def on_run_list_wanted(self, message: RunList.Wanted) -> None:
        chosen = self.run_list.filter.statuses
        self.host.feed.ask(self, AskRuns(message.before, message.limit, chosen))

    def action_open(self) -> None:
        if run := self.row():
            self.host.open_run(run.id)

    def action_log(self) -> None:
        self.action_open()

    def action_diff(self) -> None:
        if run := self.row():
            self.host.open_diff(run.id)

    def action_look(self) -> None:
        if run := self.allowed("look"):
            self.host.open_inbox(run.id)

    def action_preview(self) -> None:
        self.toggle_class("-preview")
        self.call_after_refresh(self._repaint)
        self.paint_bars()

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        self.add_class("-filtering")
        field.value = str(self.run_list.filter)
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._narrow(event.value)

    def _narrow(self, text: str) -> None:
        self.remove_class("-filtering")
        self.run_list.narrow(view.Filter.parse(text))
        self._window = None
        self.run_list.focus()
        self.query_one("#home").display = True
        self.query_one("#nothing").display = False
        self._watch_window()
        self.paint_bars()

    @override
    def action_back(self) -> None:
        if self.has_class("-filtering"):
            self.remove_class("-filtering")
            self.run_list.focus()
        elif str(self.run_list.filter):
            self._narrow("")
        elif self.has_class("-preview"):
            self.action_preview()
        else:
            self.host.tell(own("q quits; runs go on"))


def _filtered(chosen: Safe, total: int) -> list[Line]:
    return [
        BLANK,
        (say("   No run is ", ""), Span(chosen, "warn"), say(".", "")),
        (
            say(f"   {total:,} others are hidden by the filter.  ", "dim"),
            say("esc", "key"),
            say(" shows all", "dim"),
        ),
    ]


def _first_run(root: Safe) -> list[Line]:
    def entry(command: str, meaning: str) -> Line:
        return (say("      $ ", "faint"), say(f"{command:<40}", "cmd"), say(meaning, "dim"))

    return [
        BLANK,
        BLANK,
        (say("   No runs here yet.", "bold"),),
        BLANK,
        (say("   Start one in another terminal; it appears here by itself.", "dim"),),
        BLANK,
        entry('smithers up implement "what to build"', "build it until the checks pass"),
        entry("smithers recipes", "all that is ready-made"),
        entry("smithers demo", "no key, no network, 20 seconds"),
        BLANK,
        (say("   directory  ", "dim"), Span(own(f"{root}/.smithers"), "")),
        BLANK,
        (say("   ?", "key"), say("  keys     ", "dim"), say("q", "key"), say("  quit", "dim")),
    ]
