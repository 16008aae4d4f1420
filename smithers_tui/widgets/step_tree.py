"""The steps of a run as a tree, with the cursor on what happens until somebody moves it."""

from __future__ import annotations

from typing_extensions import override

from smithers.service.views import RunView, StepView
from smithers_tui.host import host
from smithers_tui.view.line import Line, say
from smithers_tui.view.steps import Branch, active, branch_line, tree
from smithers_tui.widgets.paint import Pane


class StepTree(Pane):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._branches: list[Branch] = []
        self.following = True
        """The cursor goes where the run is."""

    @property
    def chosen(self) -> StepView | None:
        return self._branches[self.at].step if self.at < len(self._branches) else None

    def take(self, run: RunView) -> None:
        """Steps as they are now; the cursor stays on its step, or follows."""
        chosen = active(run) if self.following or self.chosen is None else self.chosen
        self._branches = tree(run.steps)
        if chosen is not None:
            self.put(chosen.key)
        self.changed()
        self.reveal(self.at)

    def put(self, key: str) -> None:
        """The cursor on a step, silently."""
        places = (n for n, each in enumerate(self._branches) if each.step and each.step.key == key)
        self.at = next(places, self.at)

    @override
    def count(self) -> int:
        return len(self._branches)

    @override
    def line(self, n: int) -> Line:
        return branch_line(self._branches[n], self.cells, host(self).now())

    @override
    def empty(self) -> Line:
        return (say("  the engine has not planned yet", "dim"),)

    @override
    def move(self, to: int) -> None:
        self.following = False
        step = 1 if to >= self.at else -1
        while 0 <= to < len(self._branches) and self._branches[to].step is None:
            to += step
        if 0 <= to < len(self._branches):
            super().move(to)
        elif to >= len(self._branches) - 1 or to <= 0:
            super().move(max(0, min(to, len(self._branches) - 1)))
