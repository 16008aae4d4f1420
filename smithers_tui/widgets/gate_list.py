"""The gates that wait, two rows each; one decided under the cursor stays until it is left."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from smithers.service.views import GateView
from smithers_tui.host import host
from smithers_tui.view import gates as view
from smithers_tui.view.line import Line, say
from smithers_tui.widgets.paint import Pane

ROWS = 2


class GateList(Pane):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.gates: list[GateView] = []
        self._cache: list[list[Line]] = []

    @property
    def at_gate(self) -> int:
        return self.at // ROWS

    @property
    def gate(self) -> GateView | None:
        return self.gates[self.at_gate] if self.at_gate < len(self.gates) else None

    def take(self, gates: Sequence[GateView], run: str = "") -> None:
        """The open gates as they are now. `run`: put the cursor on the first of that run."""
        at = self.gate
        shown = list(gates)
        if at is not None and not any(view.same(each, at) for each in gates):
            shown.insert(min(self.at_gate, len(shown)), at)
        self.gates = shown
        wanted = next((n for n, each in enumerate(shown) if run and each.run == run), None)
        if wanted is None:
            wanted = view.place(shown, view.key(at) if at is not None else None)
        self.at = ROWS * wanted
        self.changed()

    def update(self, gate: GateView) -> None:
        """One of them was read whole: it may be decided by now."""
        for n, each in enumerate(self.gates):
            if view.same(each, gate):
                self.gates[n] = gate._replace(body=each.body)
        self.changed()

    def to_gate(self, n: int) -> None:
        """The cursor on gate `n`. One that was left and is decided goes from the list."""
        left = self.gate
        n = max(0, min(n, len(self.gates) - 1))
        if left is not None and left.decision is not None and n != self.at_gate:
            self.gates.remove(left)
            n -= 1 if n > self.at_gate else 0
            self.at = -1
            self.changed()
            self.at = -1
        super().move(ROWS * n)

    @override
    def move(self, to: int) -> None:
        if to > self.at:
            self.to_gate(self.at_gate + max(1, (to - self.at) // ROWS))
        elif to < self.at:
            self.to_gate(self.at_gate - max(1, (self.at - to) // ROWS))

    @override
    def point(self, n: int) -> None:
        self.to_gate(n // ROWS)

    @override
    def reveal(self, n: int) -> None:
        super().reveal(n)
        super().reveal(n + ROWS - 1)

    @override
    def covers(self, n: int) -> bool:
        return n // ROWS == self.at_gate

    @override
    def count(self) -> int:
        return ROWS * len(self.gates)

    @override
    def line(self, n: int) -> Line:
        gate, row = divmod(n, ROWS)
        return view.item(self.gates[gate], self.cells, host(self).now())[row]

    @override
    def empty(self) -> Line:
        return (say("  nothing", "dim"),)
