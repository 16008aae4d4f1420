"""What all places share: the bars, the verbs, and asking the feed only while they are in view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from typing_extensions import override

from smithers.service.views import RunRow, Safe
from smithers_tui.actions import Action, Place, at_place, command_line, named
from smithers_tui.feed import Question
from smithers_tui.host import Host, host
from smithers_tui.messages import News, Unanswered, VerbDone, VerbRefused
from smithers_tui.screens.confirm import Confirm
from smithers_tui.screens.help import Help
from smithers_tui.verbs import Cancel, Pause, Resume, Stop, Verb
from smithers_tui.view import bars, runs
from smithers_tui.view.line import BLANK, Line, Span, own, say
from smithers_tui.view.times import clock
from smithers_tui.widgets.paint import Painted

MIN_SIZE = (60, 15)
VERBS = ("pause", "resume", "stop", "cancel")


class PlaceScreen(Screen[None]):
    """A place of the app. Subclasses say what they watch, show and call themselves."""

    place: ClassVar[Place]
    cli: ClassVar[str] = "smithers ps"
    """The command that shows the same."""

    # What a subclass says.

    def body(self) -> Iterable[Widget]:
        """Panes between the bars."""
        raise NotImplementedError

    def watched(self) -> Iterable[tuple[str, Question]]:
        """Questions to be answered at each change while this place is in view."""
        return ()

    def crumbs(self) -> Iterable[Safe]:
        """Names from the outside in."""
        return ()

    def facts(self) -> Line:
        """What stands beside the crumbs."""
        return BLANK

    def row(self) -> RunRow | None:
        """The run that verbs are about."""
        return None

    def words(self) -> dict[str, str]:
        """What command lines are filled with."""
        row = self.row()
        return {"run": row.id if row else "@last"}

    def overview_changed(self) -> None:
        """Totals, gates or the light are other ones now."""
        self.paint_bars()

    def tick(self) -> None:
        """A second has passed: ages move."""
        self.paint_bars()

    # Life.

    @property
    def host(self) -> Host:
        return host(self)

    @override
    def compose(self) -> ComposeResult:
        yield Painted(id="title")
        yield from self.body()
        yield Painted(id="said")
        yield Painted(id="keys")
        yield Painted(id="small")

    @property
    def ready(self) -> bool:
        """Whether its panes are there: not yet, or no more, at both ends of its life."""
        return self.is_mounted and bool(self.query("#title")) and bool(self.query("#small"))

    @override
    def check_message_enabled(self, message: Message) -> bool:
        if isinstance(message, News) and not self.ready:
            return False
        return super().check_message_enabled(message)

    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        self.host.feed.forget(self)
        for name, question in self.watched():
            self.host.feed.watch(self, name, question)
        self.overview_changed()

    def on_screen_suspend(self, _event: events.ScreenSuspend) -> None:
        self.host.feed.forget(self)

    def on_resize(self) -> None:
        columns, rows = self.size
        self.set_class(columns < MIN_SIZE[0] or rows < MIN_SIZE[1], "-small")
        self.paint_bars()

    # Bars.

    @property
    def narrow(self) -> bool:
        return self.size.width < 100

    def paint_bars(self) -> None:
        if not self.ready:
            return
        cells = self.size.width
        overview = self.host.overview
        totals = runs.short_totals if self.narrow else runs.totals
        right = totals(overview.summary)
        light = overview.light
        shown = BLANK
        if light is not None:
            shown = bars.light(live=light.live, at=clock(light.at))
        facts = (*self.facts(), say("  ")) if self.facts() else BLANK
        self.query_one("#title", Painted).show(
            [bars.title(self.crumbs(), (*facts, *shown), right, cells), (say("─" * cells, "rule"),)]
        )
        self._paint_foot(cells)
        if self.has_class("-small"):
            self._paint_small()

    def _paint_foot(self, cells: int) -> None:
        said, light = self.host.said, self.host.overview.light
        if light is not None and not light.live:
            line = bars.said(light.reason, "bad", Safe(""), cells)
        else:
            line = bars.said(said.what, said.role, said.cli, cells) if said else self.hint()
        self.query_one("#said", Painted).show([line])
        row = self.row()
        off = {name for name in (*VERBS, "look") if row is None or runs.why_not(name, row)}
        always = (named(self.place, "help"), named(self.place, "quit_app"))
        here = [*self.keys_here(), named(self.place, "back")]
        self.query_one("#keys", Painted).show([bars.keys(here, off, always, cells)])

    def keys_here(self) -> list[Action]:
        return list(at_place(self.place))

    def hint(self) -> Line:
        """Said where nothing else was."""
        return BLANK

    def _paint_small(self) -> None:
        summary = self.host.overview.summary
        need = summary.need_you if summary else 0
        columns, rows = MIN_SIZE
        self.query_one("#small", Painted).show(
            [
                BLANK,
                (say(" smithers", "brand"),),
                (
                    say(
                        f" {columns}×{rows} needed, this is {self.size.width}×{self.size.height}",
                        "dim",
                    ),
                ),
                (say(f" ! {need} need you", "ask" if need else "dim"),),
            ]
        )

    # What the feed and the verbs say.

    def on_unanswered(self, message: Unanswered) -> None:
        if self in self.app.screen_stack:
            self.host.tell(message.what, role="bad")

    def on_verb_done(self, message: VerbDone) -> None:
        self.host.tell(message.what, message.cli, "ok")

    def on_verb_refused(self, message: VerbRefused) -> None:
        self.host.tell(message.what, message.next, "bad")

    # Keys that hold everywhere.

    def action_help(self) -> None:
        _ = self.app.push_screen(Help(self.place))

    def action_back(self) -> None:
        _ = self.app.pop_screen()

    def action_quit_app(self) -> None:
        self.host.leave()

    def action_inbox(self) -> None:
        self.host.open_inbox()

    def action_attention(self) -> None:
        overview = self.host.overview
        if overview.gates:
            self.host.open_inbox(overview.gates[0].run)
        elif overview.lost:
            self.host.open_run(overview.lost[0].id)
        else:
            self.host.tell(own("nothing needs you"))

    def action_copy_command(self) -> None:
        line = command_line(self.cli, **self.words())
        self.host.copy(line)
        self.host.tell(own("copied"), line)

    # Verbs.

    def allowed(self, verb: str) -> RunRow | None:
        """The run, if the verb makes sense for it now; else says why not."""
        row = self.row()
        if row is None:
            self.host.tell(own("no run here"), role="warn")
            return None
        why = runs.why_not(verb, row)
        if why:
            self.host.tell(own(f"{row.id}: {why}"), role="warn")
            return None
        return row

    def cli_of(self, verb: str) -> Safe:
        return command_line(named(self.place, verb).cli, **self.words())

    def do(self, verb: Verb, action: str) -> None:
        """Do it in a thread, and tell of it with the command of that action."""
        self.host.do(verb, self.cli_of(action), self)

    def action_pause(self) -> None:
        if row := self.allowed("pause"):
            self.do(Pause(row.id), "pause")

    def action_resume(self) -> None:
        if row := self.allowed("resume"):
            self.do(Resume(row.id), "resume")

    def action_stop(self) -> None:
        if row := self.allowed("stop"):
            self.do(Stop(row.id), "stop")

    def action_cancel(self) -> None:
        row = self.allowed("cancel")
        if row is None:
            return
        verb = Cancel(row.id)
        question: list[Line] = [
            (say("Cancel this run?", "bold"),),
            BLANK,
            (Span(row.id, "id"),),
            (Span(row.title or row.recipe, ""),),
            BLANK,
            (say("Its agents stop. Files, logs and history stay.", "dim"),),
        ]

        def answered(yes: bool | None) -> None:  # noqa: FBT001
            if yes:
                self.do(verb, "cancel")

        _ = self.app.push_screen(Confirm(question, "cancel it"), answered)
