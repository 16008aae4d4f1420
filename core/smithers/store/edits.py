"""What the frames of a run tell of edits of its workflow: written and read in one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from smithers.store.database import Reader

_HEAD = "edited: "
_BETWEEN = "; "
_END = " · "


class Edit(NamedTuple):
    at: int
    """Of the frame that made a plan of the edited workflow."""
    what: str
    """`code: its prompt changed …`"""


def edited(clauses: Iterable[str]) -> str:
    """How a frame begins that made the plan from an edited workflow."""
    return _HEAD + _BETWEEN.join(clauses)


def of(db: Reader, seq: int) -> list[Edit]:
    """All edits of a run, oldest first; of each step the last one alone."""
    rows = db.all(
        "SELECT at, why FROM frames WHERE run = ? AND why >= ? AND why < ? ORDER BY n",
        [seq, _HEAD, _HEAD + "\U0010ffff"],
    )
    last: dict[str, Edit] = {}
    for at, why in rows:
        for clause in why.removeprefix(_HEAD).partition(_END)[0].split(_BETWEEN):
            subject = clause.partition(": ")[0]
            last.pop(subject, None)
            last[subject] = Edit(at, clause)
    return list(last.values())
