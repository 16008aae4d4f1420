"""Asks before something that cannot be taken back, and names what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from typing_extensions import override

from smithers_tui.view.line import BLANK, Line, say
from smithers_tui.widgets.paint import Painted


class Confirm(ModalScreen[bool]):
    """`y` is yes. Nothing else is, least of all ⏎."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", show=False),
        Binding("n,escape,q", "answer(False)", "no", show=False),
    ]

    def __init__(self, question: Sequence[Line], yes: str) -> None:
        super().__init__()
        self._question = question
        self._yes = yes

    @override
    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Painted(id="question")

    def on_mount(self) -> None:
        keys: Line = (
            say("y", "key"),
            say(f" {self._yes}     ", "bad"),
            say("n", "key"),
            say(" no, keep it", "dim"),
        )
        self.query_one(Painted).show([*self._question, BLANK, keys])

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001
        _ = self.dismiss(answer)
