"""What persons have answered to questions of agents, and where agents keep a conversation."""

from __future__ import annotations

from typing import NamedTuple

from smithers.model.gate import About, Answer, Gate, GateKind, Remember
from smithers.model.run import Owner
from smithers.model.step import Attempt
from smithers.store import codec, leases
from smithers.store.database import Reader, Store

PROVEN = frozenset({"terminal", "app"})
"""How an actor was established who is a person."""


class Answered(NamedTuple):
    """A question that was decided."""

    own: bool
    """In the run itself, not in another run of its workflow."""
    key: str
    answer: Answer
    remember: Remember
    about: About
    note: str
    actor: str
    established: str


def answers(db: Store | Reader, run_id: str) -> list[Answered]:
    """All of the run, and of other runs of its workflow those that hold for it; oldest first."""
    rows = db.all(
        f"SELECT {codec.GATE_COLUMNS}, r.seq = mine.seq FROM runs AS mine "  # noqa: S608
        "JOIN runs AS r ON r.recipe = mine.recipe AND r.source = mine.source "
        "JOIN gates AS g ON g.run = r.seq "
        "JOIN decisions AS d ON d.run = g.run AND d.gate = g.id "
        "WHERE mine.id = ? AND g.kind = ? AND (r.seq = mine.seq OR d.remember = ?) "
        "ORDER BY d.decided_at, g.run, g.id",
        (run_id, GateKind.PERMISSION.value, Remember.RECIPE.value),
    )
    found = (_answered(codec.gate_from_row(row[:-1]), own=bool(row[-1])) for row in rows)
    return [each for each in found if each]


def _answered(gate: Gate, *, own: bool) -> Answered | None:
    said = gate.decision
    if said is None or gate.about is None:
        return None
    return Answered(
        own, gate.key, said.answer, said.remember, gate.about, said.note, said.actor,
        said.established,
    )  # fmt: skip


def name_session(store: Store, run_id: str, attempt: Attempt, owner: Owner, session: str) -> None:
    """Keep how an agent itself has named its conversation. Raises LeaseLost."""
    with store.write() as db:
        seq = leases.held_by(db, run_id, owner)
        db.execute(
            "UPDATE attempts SET session = ? WHERE run = ? AND key = ? AND n = ?",
            (codec.text(session), seq, attempt.key, attempt.n),
        )
