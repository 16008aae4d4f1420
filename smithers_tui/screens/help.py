"""The keys of a place, from the registry: what they do, and the command that does the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from typing_extensions import override

from smithers_tui.actions import Action, Place, at_place, command_line
from smithers_tui.view.line import BLANK, Line, Span, crop, fit, own, say
from smithers_tui.widgets.paint import Painted, Sheet

KEY = 9


def lines(place: Place, cells: int) -> list[Line]:
    """The place's own keys, then those that hold everywhere."""
    groups = (("here", place), ("moving", Place.LIST), ("everywhere", Place.EVERYWHERE))
    result: list[Line] = []
    for name, group in groups:
        result.extend([(say(f" {name}", "head"),), *_rows(at_place(group), cells), BLANK])
    return result[:-1]


def _rows(actions: Iterable[Action], cells: int) -> Sequence[Line]:
    return [crop(_row(action, cells), cells) for action in actions]


def _row(action: Action, cells: int) -> Line:
    cli = command_line(action.cli, run="RUN", step="STEP", gate="GATE") if action.cli else own("")
    room = cells - KEY - 2 - (len(cli) + 1 if cells >= 90 and cli else 0)
    row: Line = (say(f" {action.shown:<{KEY}}", "key"), say(fit(own(action.meaning), room), ""))
    return (*row, Span(cli, "cmd")) if cells >= 90 else row


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "close", show=False)
    ]

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    @override
    def compose(self) -> ComposeResult:
        with Vertical(classes="wide box"):
            yield Sheet(id="help")
            yield Painted(id="help-foot")

    def on_mount(self) -> None:
        sheet = self.query_one(Sheet)
        sheet.name_it(own(f"keys · {self._place}"))
        sheet.focus()
        self.query_one(Painted).show(
            [(say(" esc", "key"), say(" close   ", "dim"), say("j k", "key"), say(" move", "dim"))]
        )
        self.call_after_refresh(self._fill)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        sheet = self.query_one(Sheet)
        sheet.show(lines(self._place, sheet.cells))
