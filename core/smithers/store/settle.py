"""A run that nobody drives, settled in the transaction that asks for it."""

from __future__ import annotations

import sqlite3

from smithers.model.run import Intent

CANCELLED = "the run was cancelled"

_OPEN = "run = ? AND gone = 0 AND status IN ('pending', 'ready', 'running', 'waiting', 'retrying')"
"""Steps that have not ended. Of the others, how they ended says more."""


def settle(db: sqlite3.Connection, seq: int, intent: Intent, now: int) -> None:
    """Bring the row of a parked run in line with what is asked of it."""
    match intent:
        case Intent.GO:
            db.execute(
                "UPDATE runs SET status = 'queued', status_reason = '' "
                "WHERE seq = ? AND status = 'paused'",
                (seq,),
            )
        case Intent.PAUSE | Intent.PAUSE_NOW:
            db.execute(
                "UPDATE runs SET status = 'paused', status_reason = 'paused' WHERE seq = ?", (seq,)
            )
        case Intent.CANCEL:
            _cancel(db, seq, now)


def _cancel(db: sqlite3.Connection, seq: int, now: int) -> None:
    db.execute(
        "UPDATE runs SET status = 'cancelled', status_reason = 'cancelled', error = '', "
        "finished_at = ?, wake_at = NULL, frame = frame + 1 WHERE seq = ?",
        (now, seq),
    )
    (frame,) = db.execute("SELECT frame FROM runs WHERE seq = ?", (seq,)).fetchone()
    db.execute(
        "INSERT INTO frames (run, n, at, why) VALUES (?, ?, ?, 'run cancelled')", (seq, frame, now)
    )
    cancel_steps(db, seq, frame)


def cancel_steps(db: sqlite3.Connection, seq: int, frame: int) -> None:
    """All that has not ended is cancelled, in this frame; the run's counts follow."""
    db.execute(
        "INSERT OR REPLACE INTO step_history (run, frame, key, status) "  # noqa: S608
        f"SELECT run, ?, key, 'cancelled' FROM steps WHERE {_OPEN}",
        (frame, seq),
    )
    db.execute(
        "UPDATE steps SET status = 'cancelled', reason = ?, wake_at = NULL "  # noqa: S608
        f"WHERE {_OPEN}",
        (CANCELLED, seq),
    )
    db.execute(
        "UPDATE runs SET running = 0, waiting = 0, "
        "total = (SELECT count(*) FROM steps WHERE run = seq AND gone = 0), "
        "done = (SELECT count(*) FROM steps WHERE run = seq AND gone = 0 "
        "AND status IN ('succeeded', 'skipped')), "
        "failed = (SELECT count(*) FROM steps WHERE run = seq AND gone = 0 "
        "AND status = 'failed') WHERE seq = ?",
        (seq,),
    )
