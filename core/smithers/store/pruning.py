"""Runs that have ended leave: first marked, so that nobody acts on them, then erased row by row."""

from __future__ import annotations

from typing import NamedTuple

from smithers.model.run import RunStatus
from smithers.store.database import Reader, Store

GOING = "is being removed by "


class Stored(NamedTuple):
    """What decides whether a run may leave."""

    seq: int
    id: str
    recipe: str
    title: str
    status: RunStatus
    finished_at: int | None
    rev: int
    held: bool
    """Somebody holds its lease."""
    parent: str
    """Id of the run from inside which it was started, or nothing."""
    branch: str
    going: bool
    """Marked: a removal has begun and did not come to its end."""


def all_runs(db: Reader | Store) -> list[Stored]:
    """Every run, oldest first."""
    rows = db.all(
        "SELECT r.seq, r.id, r.recipe, r.title, r.status, r.finished_at, r.rev, "
        "coalesce(l.held, 0), r.parent, r.branch, r.status_reason "
        "FROM runs AS r LEFT JOIN leases AS l ON l.run = r.seq ORDER BY r.seq"
    )
    return [
        Stored(
            seq=row[0],
            id=row[1],
            recipe=row[2],
            title=row[3],
            status=RunStatus(row[4]),
            finished_at=row[5],
            rev=row[6],
            held=bool(row[7]),
            parent=row[8].partition("/")[0],
            branch=row[9],
            going=row[4] == RunStatus.SUPERSEDED.value and row[10].startswith(GOING),
        )
        for row in rows
    ]


def mark(store: Store, run: Stored, *, actor: str) -> bool:
    """Say in a run's row that it is leaving: no verb brings it back from then on.

    False if it is not any more what it was when it was looked at.
    """
    with store.write() as db:
        done = db.execute(
            "UPDATE runs SET status = 'superseded', status_reason = ? WHERE seq = ? AND id = ? "
            "AND rev = ? AND status IN ('succeeded', 'failed', 'cancelled', 'superseded') "
            "AND NOT EXISTS (SELECT 1 FROM leases WHERE run = runs.seq AND held = 1)",
            (f"{GOING}{actor}", run.seq, run.id, run.rev),
        )
        return done.rowcount == 1


def erase(store: Store, run: Stored) -> None:
    """Every row of a marked run, in all tables at once."""
    with store.write() as db:
        for table in tables(store):
            db.execute(
                f"DELETE FROM {table} WHERE run = "  # noqa: S608 - a name of our schema
                "(SELECT seq FROM runs WHERE seq = ? AND id = ? AND status = 'superseded')",
                (run.seq, run.id),
            )
        db.execute(
            "DELETE FROM runs WHERE seq = ? AND id = ? AND status = 'superseded'",
            (run.seq, run.id),
        )


def tables(db: Reader | Store) -> list[str]:
    """The tables that tell of runs: each has the run's number in a column `run`."""
    rows = db.all(
        "SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c "
        "WHERE m.type = 'table' AND c.name = 'run' ORDER BY m.name"
    )
    return [name for (name,) in rows]


def free_bytes(db: Reader | Store) -> int:
    """Room inside the database file that the next rows will take."""
    ((pages,),), ((size,),) = db.all("PRAGMA freelist_count"), db.all("PRAGMA page_size")
    return int(pages) * int(size)
