"""The app: holds the feed, the theme and the overview; places do the rest."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual._path import CSSPathType
from textual.app import App
from textual.binding import BindingType
from textual.message_pump import MessagePump
from textual.worker import Worker, WorkerState
from typing_extensions import override

from smithers.clock import SYSTEM
from smithers.service import safe
from smithers.service.views import Safe
from smithers_tui.feed import AskInbox, AskLost, AskSummary, Feed
from smithers_tui.host import Overview, Said
from smithers_tui.messages import InboxRead, LightChanged, LostRead, SummaryRead
from smithers_tui.screens.diff import DiffScreen
from smithers_tui.screens.inbox import InboxScreen
from smithers_tui.screens.place import PlaceScreen
from smithers_tui.screens.run import RunScreen
from smithers_tui.screens.runs import RunsScreen
from smithers_tui.theme import FORGE
from smithers_tui.verbs import Verb, bring_back, perform

TICK = 1.0
"""Seconds between repaints of ages."""


class SmithersApp(App[int]):
    """Reads and asks; what happens, happens in engines. Leaving it stops nothing."""

    CSS_PATH: ClassVar[CSSPathType | None] = "smithers.tcss"
    ENABLE_COMMAND_PALETTE = False
    PAUSE_GC_ON_SCROLL = True
    # Not ClassVar, for the base has them so.
    HORIZONTAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS: list[tuple[int, str]] | None = [(0, "-low"), (30, "-high")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        root: Path,
        *,
        screen: str = "runs",
        run: str = "",
        now: Callable[[], int] = SYSTEM.now,
        keep: bool = False,
    ) -> None:
        """`keep`: bring back runs that lost their engine, as whoever stays with them does."""
        super().__init__()
        self.title = "smithers"
        self.root = root
        self.root_name: Safe = safe.line(root.absolute().name or "/")
        self.root_path: Safe = safe.line(str(root), limit=200)
        self.overview = Overview()
        self.said: Said | None = None
        self.feed = Feed(root, SYSTEM, self.post_message)
        self._now = now
        self._keep = keep
        self._hopeless: set[str] = set()
        """Runs whose engine did not come up: left to a person."""
        self._first = (screen, run)
        self.colour = not self.no_color
        if self.colour:
            self.register_theme(FORGE)
            self.theme = FORGE.name
        else:
            self.theme = "ansi-dark"

    def now(self) -> int:
        """Ages stand still with what they are of."""
        light = self.overview.light
        return self._now() if light is None or light.live else light.at

    def on_mount(self) -> None:
        _ = self.push_screen(RunsScreen())
        screen, run = self._first
        if screen == "inbox":
            self.open_inbox(run)
        elif screen == "run" and run:
            self.open_run(run)
        elif screen == "diff" and run:
            self.open_diff(run)
        self.call_after_refresh(self._start)
        self.set_interval(TICK, self._tick)

    def _start(self) -> None:
        """After the first paint: nothing of the directory may delay it."""
        for name, question in (
            ("summary", AskSummary()),
            ("inbox", AskInbox()),
            ("lost", AskLost()),
        ):
            self.feed.watch(self, name, question)
        self.run_worker(self.feed.run, thread=True, exit_on_error=False, group="feed", name="feed")

    def on_unmount(self) -> None:
        self.feed.stop()

    @property
    def place(self) -> PlaceScreen | None:
        """The place in view, under whatever asks or helps on top of it."""
        places = [screen for screen in self.screen_stack if isinstance(screen, PlaceScreen)]
        return places[-1] if places else None

    # What the feed says of the whole directory.

    def on_summary_read(self, message: SummaryRead) -> None:
        self.overview.summary = message.summary
        self._overview_changed()

    def on_inbox_read(self, message: InboxRead) -> None:
        self.overview.gates = message.gates
        self._overview_changed()

    def on_lost_read(self, message: LostRead) -> None:
        self.overview.lost = message.rows
        self._overview_changed()

    def on_light_changed(self, message: LightChanged) -> None:
        self.overview.light = message
        if message.anew:
            self._begin_again()
        self._overview_changed()

    def _begin_again(self) -> None:
        """The database is another one, perhaps: nothing that was read of the old one stays."""
        self._hopeless.clear()
        while not isinstance(self.screen, RunsScreen):
            _ = self.pop_screen()
        _ = self.switch_screen(RunsScreen())
        self.tell(Safe("the run directory was opened again"), role="warn")

    def _overview_changed(self) -> None:
        if self.place is not None and self.place.ready:
            self.place.overview_changed()

    def _tick(self) -> None:
        # A terminal can vanish without a SIGHUP: its input then reads as ended, over and over.
        if not self.is_headless and not os.isatty(0):
            self.leave()
            return
        live = self.overview.light is not None and self.overview.light.live
        if self._keep and live and self.overview.lost and not self._reviving():
            runs = [row.id for row in self.overview.lost if row.id not in self._hopeless]
            work = partial(bring_back, self.root, runs, self._hopeless)
            self.run_worker(work, thread=True, exit_on_error=False, group="revive")
        if self.place is not None and self.place.ready:
            self.place.tick()

    def _reviving(self) -> bool:
        return any(each.group == "revive" and not each.is_finished for each in self.workers)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A reader that fell over is said to have: what is shown is not true any more."""
        if event.worker.group == "feed" and event.state is WorkerState.ERROR:
            reason = safe.line(f"the reader stopped: {event.worker.error!r}")
            self.on_light_changed(LightChanged(live=False, at=self.now(), reason=reason))

    # The host of panes and places.

    def tell(self, what: Safe, cli: Safe = Safe(""), role: str = "dim") -> None:  # noqa: B008
        self.said = Said(what, role, cli)
        if self.place is not None:
            self.place.paint_bars()

    def copy(self, text: str) -> None:
        self.copy_to_clipboard(text)

    def do(self, verb: Verb, cli: Safe, target: MessagePump) -> None:
        def work() -> None:
            target.post_message(perform(verb, self.root, cli))

        self.run_worker(work, thread=True, exit_on_error=False, group="verbs")

    def open_run(self, run: str, step: str = "") -> None:
        self._go(RunScreen(Safe(run), step))

    def open_diff(self, run: str, step: str | None = None) -> None:
        self._go(DiffScreen(Safe(run), step))

    def open_inbox(self, run: str = "") -> None:
        if not isinstance(self.place, InboxScreen):
            self._go(InboxScreen(run))

    def _go(self, screen: PlaceScreen) -> None:
        self.said = None
        _ = self.push_screen(screen)

    def leave(self) -> None:
        self.feed.stop()
        self.exit(0)

    @override
    def action_help_quit(self) -> None:
        self.tell(Safe("q quits; runs go on"))
