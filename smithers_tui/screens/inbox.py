"""All that waits for a person: the list, and the approval panel for the one under the cursor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from smithers.model.gate import Answer, Remember
from smithers.service.views import GateView, RunRow, Safe
from smithers_tui.actions import Action, Place
from smithers_tui.feed import AskGate, AskRun, Question
from smithers_tui.keymap import bindings
from smithers_tui.messages import GateRead, RunRead, VerbRefused
from smithers_tui.screens.place import PlaceScreen
from smithers_tui.verbs import Decide
from smithers_tui.view import gates as view
from smithers_tui.view.line import BLANK, Line, own, say
from smithers_tui.widgets.gate_list import GateList
from smithers_tui.widgets.gate_panel import GatePanel, refused
from smithers_tui.widgets.paint import Pane


class InboxScreen(PlaceScreen):
    place = Place.INBOX
    cli = "smithers inbox"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.INBOX, Place.EVERYWHERE)]

    def __init__(self, run: str = "") -> None:
        super().__init__()
        self._first = run
        self._row: RunRow | None = None
        self._asked: tuple[view.Key, bool] | None = None
        """Which content of which gate was asked for, and whether it was open then."""

    @override
    def body(self) -> Iterable[Widget]:
        with Horizontal(id="inbox"):
            yield GateList(id="gates")
            yield GatePanel(id="panel")

    def on_mount(self) -> None:
        self.gate_list.name_it(own("waiting for you"))
        self.gate_list.focus()

    @override
    def on_resize(self) -> None:
        if self.is_mounted:
            self.call_after_refresh(self._focus_what_is_there)

    def _focus_what_is_there(self) -> None:
        """A narrow window has no list: the keys that move go to what is asked."""
        if self.narrow and not self.panel.has_class("-denying"):
            self.panel.body.focus()

    @property
    def gate_list(self) -> GateList:
        return self.query_one("#gates", GateList)

    @property
    def panel(self) -> GatePanel:
        return self.query_one("#panel", GatePanel)

    @override
    def watched(self) -> Iterable[tuple[str, Question]]:
        gate = self.gate_list.gate if self.is_mounted else None
        if gate is not None:
            yield "run", AskRun(gate.run)

    @override
    def on_screen_resume(self, _event: events.ScreenResume) -> None:
        self._asked = None
        self.panel.appear()

    @override
    def crumbs(self) -> Iterable[Safe]:
        yield own("inbox")
        if self.is_mounted and self.gate_list.gate is not None:
            yield own(f"{self.gate_list.at_gate + 1} of {len(self.gate_list.gates)}")

    @override
    def row(self) -> RunRow | None:
        return self._row

    @override
    def words(self) -> dict[str, str]:
        gate = self.gate_list.gate
        return {"run": gate.run, "gate": gate.id} if gate else {"run": "@last"}

    # What the feed says.

    @override
    def overview_changed(self) -> None:
        super().overview_changed()
        gates = self.host.overview.gates
        if gates is None:
            return
        self.gate_list.take(gates, self._first)
        self._first = ""
        self._show()

    def _show(self) -> None:
        """Ask for the gate under the cursor, if it is another one or not what is shown any more."""
        gate = self.gate_list.gate
        if gate is None:
            self._asked = None
            self.panel.take(None)
        else:
            opened = any(view.same(each, gate) for each in self.host.overview.gates or ())
            wanted = (view.key(gate), opened)
            if wanted != self._asked:
                self._ask(gate, wanted)
        self.paint_bars()

    def _ask(self, gate: GateView, wanted: tuple[view.Key, bool]) -> None:
        """The body can cost a run of git, so it is asked for once for each content."""
        if self._row is not None and self._row.id != gate.run:
            self._row = None
        self._asked = wanted
        self.host.feed.ask(self, AskGate(gate.run, gate.id))
        self.host.feed.watch(self, "run", AskRun(gate.run))

    def on_gate_read(self, message: GateRead) -> None:
        gate = self.gate_list.gate
        if gate is None or not view.same(gate, message.gate):
            return
        self.gate_list.update(message.gate)
        self.panel.take(message.gate)
        self.paint_bars()

    def on_run_read(self, message: RunRead) -> None:
        gate = self.gate_list.gate
        if gate is not None and gate.run == message.run.row.id:
            self._row = message.run.row
            self.paint_bars()

    @override
    def on_verb_refused(self, message: VerbRefused) -> None:
        gate = self.panel.gate
        if gate is None:
            return
        banner = refused(message.what, message.next)
        if gate.decision is None:
            self.panel.release(banner)
        self.host.feed.ask(self, AskGate(gate.run, gate.id))

    @override
    def tick(self) -> None:
        super().tick()
        self.gate_list.refresh()
        self.panel.paint()

    @override
    def hint(self) -> Line:
        if self.is_mounted and self.panel.gate is not None:
            return (say(" keys arm 0.4 s after the content appears or changes", "faint"),)
        return BLANK

    # Keys.

    @override
    def keys_here(self) -> list[Action]:
        gate = self.panel.gate if self.is_mounted else None
        asks = gate is not None and view.asks_for_how_long(gate)
        return [each for each in super().keys_here() if asks or each.id != "remember"]

    def on_pane_moved(self, message: Pane.Moved) -> None:
        if message.pane is self.gate_list:
            self._show()

    def _decide(self, answer: Answer, note: str) -> None:
        gate = self.panel.gate
        if gate is None:
            return
        name = "approve" if answer is Answer.APPROVE else "deny"
        word = "approving" if answer is Answer.APPROVE else "denying"
        self.panel.hold((say(f"{word}…", "dim"),))
        remember = self.panel.remember
        cli = self.cli_of(name)
        if remember is not Remember.ONCE:
            cli = own(f"{cli} --remember {remember}")
        self.host.do(Decide(gate.run, gate.id, answer, gate.digest, note, remember), cli, self)

    def _not_now(self, *, approve: bool) -> bool:
        why = self.panel.why_not(approve=approve)
        if why:
            self.host.tell(own(why), role="warn")
        return bool(why)

    def action_approve(self) -> None:
        if not self._not_now(approve=True):
            self._decide(Answer.APPROVE, "")

    def action_deny(self) -> None:
        if not self._not_now(approve=False):
            self.panel.ask_reason(open_it=True)

    def action_remember(self) -> None:
        gate = self.panel.gate
        if gate is not None and view.asks_for_how_long(gate):
            self.panel.remember_more()
        else:
            self.host.tell(own("only the answer to a question of an agent is remembered"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not self._not_now(approve=False):
            self._decide(Answer.DENY, event.value.strip())
        self.panel.ask_reason(open_it=False)

    @override
    def action_back(self) -> None:
        if self.panel.has_class("-denying"):
            self.panel.ask_reason(open_it=False)
        else:
            super().action_back()

    def action_nothing(self) -> None:
        self.host.tell(own("⏎ does nothing here: a approves, x denies"))

    def action_next_gate(self) -> None:
        self.gate_list.to_gate(self.gate_list.at_gate + 1)

    def action_last_gate(self) -> None:
        self.gate_list.to_gate(self.gate_list.at_gate - 1)

    def action_body_page(self, by: int) -> None:
        self.panel.body.step(by * self.panel.body.page)

    def action_next_pane(self) -> None:
        (self.panel.body if self.focused is self.gate_list else self.gate_list).focus()

    def action_last_pane(self) -> None:
        self.action_next_pane()

    def action_open(self) -> None:
        if gate := self.gate_list.gate:
            self.host.open_run(gate.run, gate.step)

    def action_diff(self) -> None:
        if gate := self.gate_list.gate:
            self.host.open_diff(gate.run)
