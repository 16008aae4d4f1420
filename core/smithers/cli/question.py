"""What an agent asks to be allowed, word for word, and what was answered."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

from smithers.cli import printing
from smithers.model.gate import Answer, GateKind, Remember
from smithers.service import reading
from smithers.service.views import DecisionView, GateView


def with_questions(db: reading.Directory, gates: Iterable[GateView]) -> list[GateView]:
    """The gates; those that are questions of agents with the exact command or change."""
    return [reading.gate(db, each.run, each.id) if asks(each) else each for each in gates]


def asks(gate: GateView) -> bool:
    return gate.kind is GateKind.PERMISSION and gate.decision is None


def lines(gate: GateView, *, most: int = 0, stream: TextIO | None = None) -> Iterator[str]:
    """What an agent asks for, set in; at most `most` lines of it. Nothing of a gate without."""
    if not (asks(gate) and gate.body):
        return
    rows = list(body(gate, stream or sys.stdout))
    kept = rows if not most or len(rows) <= most else rows[: most - 1]
    yield from (f"    {row}" for row in kept)
    if len(kept) < len(rows):
        more = printing.plural(len(rows) - len(kept), "more line")
        yield f"    … {more}: smithers why {gate.run}"
    if gate.hidden:
        yield f"    ! {printing.plural(gate.hidden, 'hidden sign')} in it, shown as ⟨U+…⟩ or ␛"


def body(gate: GateView, stream: TextIO) -> Iterable[str]:
    """The exact text; a change in colours."""
    return printing.coloured_patch(gate.body, stream) if gate.patch else gate.body.split("\n")


def said(decision: DecisionView) -> str:
    """What was decided, and where that is more than once: for what it holds."""
    word = "approved" if decision.answer == Answer.APPROVE.value else "denied"
    longer = decision.remember != Remember.ONCE.value
    return f"{word} for this {decision.remember}" if longer else word
