"""What a supervisor asks: the runs that are to go on, each with what tells whether one is due."""

from __future__ import annotations

from typing import NamedTuple

from smithers.model.run import Lease, Owner, RunStatus
from smithers.store import queries
from smithers.store.database import Reader


class Open(NamedTuple):
    """A run that nobody paused or cancelled and that has not ended."""

    seq: int
    status: RunStatus
    wake_at: int | None
    parent: str
    """The attempt from inside which it was started, or nothing."""
    lease: Lease
    held: bool
    undealt: bool
    """A gate of it was decided and its step still waits."""

    def due(self, now: int) -> bool:
        """It has something to do, whether or not somebody is at it."""
        if self.status is not RunStatus.WAITING:
            return True
        return self.undealt or (self.wake_at is not None and self.wake_at <= now)


def open_runs(db: Reader, run: str | None = None) -> list[Open]:
    """Oldest first, or the one of this id. Runs that are parked for good reason are left out."""
    with db.transaction():
        rows = db.all(
            "SELECT r.seq, r.id, r.status, r.wake_at, r.parent, l.fence, l.host, l.boot_id, "
            "l.pid_ns, l.pid, l.start_time, l.expires_at, l.held "
            "FROM runs AS r JOIN leases AS l ON l.run = r.seq "
            "WHERE r.status IN ('queued', 'running', 'waiting', 'paused') AND r.intent = 'go' "
            # Who decides about a run that nobody holds queues it at once.
            "AND (r.status != 'waiting' OR l.held = 1 OR r.wake_at IS NOT NULL) "
            "AND (? IS NULL OR r.id = ?) ORDER BY r.seq",
            (run, run),
        )
        undealt = queries.undealt(db, [row[0] for row in rows if row[2] == RunStatus.WAITING])
    return [
        Open(
            seq=row[0],
            status=RunStatus(row[2]),
            wake_at=row[3],
            parent=row[4],
            lease=Lease(row[1], row[5], Owner(*row[6:11]), row[11]),
            held=bool(row[12]),
            undealt=row[0] in undealt,
        )
        for row in rows
    ]
