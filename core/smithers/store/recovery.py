"""What an engine that takes over has to know of the one before it."""

from __future__ import annotations

from smithers.model.step import Attempt
from smithers.store.database import Reader, Store


def newest_snapshot(store: Store | Reader, run_id: str) -> str:
    """The commit that tells what the files were when an attempt last ended, or nothing."""
    rows = store.all(
        "SELECT commit_id FROM snapshots WHERE run = (SELECT seq FROM runs WHERE id = ?) "
        "AND side = 'after' ORDER BY taken_at DESC, attempt DESC LIMIT 1",
        (run_id,),
    )
    return rows[0][0] if rows else ""


def alone(store: Store | Reader, run_id: str, attempt: Attempt) -> bool:
    """No other attempt was at work at the same time or later, but those that follow it."""
    rows = store.all(
        "SELECT count(*) FROM attempts WHERE run = (SELECT seq FROM runs WHERE id = ?) "
        "AND NOT (key = ? AND n >= ?) AND coalesce(finished_at, ?) > ?",
        (run_id, attempt.key, attempt.n, attempt.started_at + 1, attempt.started_at),
    )
    return bool(rows[0][0] == 0)


def queued_children(store: Store | Reader, run_id: str) -> list[tuple[str, int]]:
    """Runs from inside attempts of this one that nobody drives yet, with their rev."""
    rows = store.all(
        "SELECT id, rev FROM runs JOIN leases ON leases.run = runs.seq "
        "WHERE status = 'queued' AND held = 0 AND parent >= ? AND parent < ?",
        (f"{run_id}/", f"{run_id}0"),
    )
    return [(row[0], row[1]) for row in rows]


def settle_workspace(store: Store, run_id: str, *, branch: str, base: str, notes: str) -> None:
    """What was found out when the workspace was made. `notes` is JSON."""
    with store.write() as db:
        db.execute(
            "UPDATE runs SET branch = ?, base = ?, notes = ? WHERE id = ?",
            (branch, base, notes, run_id),
        )
