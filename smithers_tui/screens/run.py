"""One run: its steps, its frames, and the log, output or attempts of the step under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from typing_extensions import override

from smithers.model.step import StepKind, StepStatus
from smithers.service.views import RunRow, RunView, Safe, StepView
from smithers_tui.actions import Place
from smithers_tui.feed import AskFrames, AskLog, AskLogLength, AskOutput, AskRun, Question
from smithers_tui.keymap import bindings
from smithers_tui.messages import FramesRead, LogGrew, LogOf, LogRead, OutputRead, RunRead
from smithers_tui.screens.place import PlaceScreen
from smithers_tui.view import steps as view
from smithers_tui.view.line import BLANK, Line, Span, cut, own, say, spread
from smithers_tui.view.logs import pill
from smithers_tui.view.state import of_run
from smithers_tui.widgets.pages import PAGE, FramePane, LogPane, Paged
from smithers_tui.widgets.paint import Painted, Pane, Sheet
from smithers_tui.widgets.step_tree import StepTree

TABS = ("log", "output", "attempts")
PANES = ("steps", "frames", *TABS)


class RunScreen(PlaceScreen):
    place = Place.RUN
    cli = "smithers inspect {run}"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.RUN, Place.EVERYWHERE)]

    def __init__(self, run: Safe, step: str = "") -> None:
        super().__init__()
        self._run_id = run
        self._first = step
        self._run: RunView | None = None
        self._tab = "log"
        self._attempt: int | None = None
        """The attempt whose log is shown; None is always the last."""
        self._attempt_rows: list[int] = []

    @override
    def body(self) -> Iterable[Widget]:
        yield Painted(id="run-facts")
        with Horizontal(id="run"):
            with Vertical(id="left"):
                yield StepTree(id="steps")
                yield FramePane(id="frames")
            with Vertical(id="right"):
                yield Painted(id="tabs")
                yield LogPane(id="log")
                yield Sheet(id="output")
                yield Sheet(id="attempts", cursor=True)
                yield Painted(id="pill")

    def on_mount(self) -> None:
        self.query_one("#steps", StepTree).name_it(own("steps"))
        self.query_one("#frames", FramePane).name_it(own("frames"))
        self._show_tab("log")
        self.steps.focus()

    @property
    def steps(self) -> StepTree:
        return self.query_one("#steps", StepTree)

    @property
    def log_pane(self) -> LogPane:
        return self.query_one("#log", LogPane)

    @property
    def frames(self) -> FramePane:
        return self.query_one("#frames", FramePane)

    @override
    def watched(self) -> Iterable[tuple[str, Question]]:
        yield "run", AskRun(self._run_id)
        if self.is_mounted and self.log_pane.log_of is not None:
            yield "length", AskLogLength(self.log_pane.log_of)

    @override
    def row(self) -> RunRow | None:
        return self._run.row if self._run else None

    @override
    def words(self) -> dict[str, str]:
        step = self.steps.chosen
        return {"run": self._run_id, "step": step.key if step else ""}

    @override
    def crumbs(self) -> Iterable[Safe]:
        yield own("runs")
        yield self._run_id

    @override
    def facts(self) -> Line:
        run = self._run
        if run is None:
            return BLANK
        mark = of_run(run.row)
        engine: Line = (say("  engine ○ none", "faint"),)
        if run.engine is not None and run.engine.alive:
            engine = (say("  engine ", "dim"), say("●", "ok"), say(f" {run.engine.pid}", "dim"))
        elif run.engine is not None and not run.row.status.ended:
            engine = (say("  engine × gone", "bad"),)
        return (say(f"{mark.sign} {mark.word}", mark.role), *engine)

    # What the feed says.

    def on_run_read(self, message: RunRead) -> None:
        first = self._run is None
        self._run = message.run
        self.steps.take(message.run)
        if first and self._first:
            self.steps.following = False
            self.steps.put(self._first)
        self.frames.grow(message.run.row.frame)
        self._paint_facts()
        self._follow_step()
        self.paint_bars()

    def on_frames_read(self, message: FramesRead) -> None:
        self.frames.take(message.after, message.frames)

    def on_log_grew(self, message: LogGrew) -> None:
        if message.log == self.log_pane.log_of:
            self.log_pane.grow(message.length)
            self._paint_tabs()

    def on_log_read(self, message: LogRead) -> None:
        if message.log == self.log_pane.log_of:
            self.log_pane.take(message.after, message.lines)

    def on_output_read(self, message: OutputRead) -> None:
        step = self.steps.chosen
        if step is not None and step.key == message.step:
            self.query_one("#output", Sheet).show(
                [(say(" "), Span(text, "code")) for text in message.lines]
            )

    def on_paged_wanted(self, message: Paged.Wanted) -> None:
        if message.pane is self.log_pane and self.log_pane.log_of is not None:
            self.host.feed.ask(self, AskLog(self.log_pane.log_of, message.after, PAGE))
        elif message.pane is self.frames:
            self.host.feed.ask(self, AskFrames(self._run_id, message.after, PAGE))

    def on_pane_moved(self, message: Pane.Moved) -> None:
        if message.pane is self.steps:
            self._attempt = None
            self._follow_step()
        elif message.pane is self.log_pane:
            self._paint_tabs()

    # Showing.

    def _follow_step(self) -> None:
        """Log, output and attempts of the step under the cursor."""
        step = self.steps.chosen
        log = self._log_of(step)
        if self.log_pane.attach(log, own(_why_no_log(step))):
            self.host.feed.watch(self, "length", AskLogLength(log) if log else None)
        self._paint_attempts(step)
        self._paint_output(step)
        self._paint_tabs()

    def _log_of(self, step: StepView | None) -> LogOf | None:
        if step is None or not step.attempts:
            return None
        numbers = [each.n for each in step.attempts]
        n = self._attempt if self._attempt in numbers else numbers[-1]
        return LogOf(self._run_id, step.key, n or 1)

    def _paint_attempts(self, step: StepView | None) -> None:
        sheet = self.query_one("#attempts", Sheet)
        lines: list[Line] = []
        self._attempt_rows = []
        for attempt in step.attempts if step else ():
            rows = view.attempt_lines(attempt, max(sheet.cells, 40), self.host.now())
            lines.extend(rows)
            self._attempt_rows.extend([attempt.n] * len(rows))
        sheet.if_empty = (say("  it was never started", "dim"),)
        sheet.show([view.attempt_head(max(sheet.cells, 40)), *lines] if lines else [])

    def _paint_output(self, step: StepView | None) -> None:
        sheet = self.query_one("#output", Sheet)
        sheet.if_empty = (say("  no output yet", "dim"),)
        if step is not None and step.status.ended and step.attempts:
            if self._tab == "output":
                self.host.feed.ask(self, AskOutput(self._run_id, step.key))
        else:
            sheet.show([])

    def _paint_facts(self) -> None:
        if self._run is None:
            return
        cells = self.size.width - 2
        row = self._run.row
        facts = view.facts(self._run, cells, self.host.now())
        lines: list[Line] = [
            spread(
                (say(" "), Span(row.title or row.recipe, "bold")),
                (*facts, say(" ")),
                self.size.width,
            )
        ]
        for each in self._run.waiting_on[:2]:
            next_ = (say("$ ", "faint"), Span(each.next, "cmd"), say(" ")) if each.next else BLANK
            sign, text = view.reason(each)
            left = (say(" "), sign, Span(cut(text, cells), ""))
            lines.append(spread(left, next_, self.size.width))
        if row.status_reason and not self._run.waiting_on:
            lines.append((say("   "), Span(cut(row.status_reason, cells - 3), "dim")))
        self.query_one("#run-facts", Painted).show([*lines, (say("─" * self.size.width, "rule"),)])

    def _paint_tabs(self) -> None:
        step = self.steps.chosen
        log = self.log_pane
        spans: list[Span] = [say(" ")]
        for name in TABS:
            spans.append(say(name, "tab" if name == self._tab else "dim"))
            spans.append(say("   "))
        where = BLANK
        if step is not None:
            n = log.log_of.attempt if log.log_of else 0
            of = f" attempt {n}/{len(step.attempts)}" if n else ""
            live = bool(step.attempts) and step.attempts[-1].finished_at is None
            state = " · following" if log.following and self._tab == "log" and live else ""
            lines = f" · {log.length:,} lines" if n and self._tab == "log" else ""
            where = (Span(own(f"{step.key}{of}{lines}{state} "), "dim"),)
        self.query_one("#tabs", Painted).show(
            [spread(tuple(spans), where, self.query_one("#tabs").size.width)]
        )
        box = self.query_one("#pill", Painted)
        box.display = bool(log.new) and self._tab == "log"
        box.show([(Span(pill(log.new), "pill"),)])

    @override
    def tick(self) -> None:
        super().tick()
        if self._run is None or self._run.row.status.ended:
            return
        self.steps.refresh()
        self._paint_facts()
        self._paint_attempts(self.steps.chosen)

    @override
    def on_resize(self) -> None:
        self.call_after_refresh(self._repaint)

    def _repaint(self) -> None:
        self._paint_facts()
        self._paint_attempts(self.steps.chosen)
        self._paint_tabs()

    # Keys.

    def _show_tab(self, tab: str) -> None:
        self._tab = tab
        for name in TABS:
            self.query_one(f"#{name}").display = name == tab
        self._paint_output(self.steps.chosen)
        self._paint_tabs()

    def action_show(self, tab: str) -> None:
        self._show_tab(tab)
        self._focus(tab)

    def action_turn_tab(self, by: int) -> None:
        self.action_show(TABS[(TABS.index(self._tab) + by) % len(TABS)])

    def _focus(self, pane: str) -> None:
        self.query_one(f"#{pane}").focus()
        self.set_class(pane in TABS, "-right")
        self.set_class(pane == "frames", "-frames")
        self.call_after_refresh(self._repaint)

    def _turn_pane(self, by: int) -> None:
        panes = ("steps", "frames", self._tab)
        focused = self.focused.id if self.focused is not None else "steps"
        at = panes.index(focused) if focused in panes else 0
        self._focus(panes[(at + by) % len(panes)])

    def action_next_pane(self) -> None:
        self._turn_pane(1)

    def action_last_pane(self) -> None:
        self._turn_pane(-1)

    def action_follow(self) -> None:
        self.action_show("log")
        self.log_pane.follow()
        self.steps.following = True
        self._paint_tabs()

    def action_choose(self) -> None:
        sheet = self.query_one("#attempts", Sheet)
        row = sheet.at - 1
        if self.focused is sheet and 0 <= row < len(self._attempt_rows):
            self._attempt = self._attempt_rows[row]
            self._follow_step()
        self.action_show("log")

    def action_diff(self) -> None:
        self.host.open_diff(self._run_id)

    def action_step_diff(self) -> None:
        step = self.steps.chosen
        self.host.open_diff(self._run_id, step.key if step else None)

    def action_look(self) -> None:
        if run := self.allowed("look"):
            self.host.open_inbox(run.id)

    @override
    def action_back(self) -> None:
        if self.narrow and (self.has_class("-right") or self.has_class("-frames")):
            self._focus("steps")
        else:
            super().action_back()


def _why_no_log(step: StepView | None) -> str:
    if step is None:
        return ""
    if step.kind is StepKind.APPROVAL and step.status is StepStatus.WAITING:
        return "it waits for a person: a looks at what it asks"
    if step.kind in {StepKind.APPROVAL, StepKind.LOOP}:
        return f"a step of kind {step.kind.value} has no log of its own"
    if step.attempts:
        return "nothing was written yet"
    if step.status is StepStatus.SKIPPED:
        return "it was skipped"
    return "it has not started"
