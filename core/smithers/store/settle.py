"""A run that nobody drives, settled in the transaction that asks for it."""

from __future__ import annotations

import sqlite3

from smithers.model.run import Intent
from smithers.store import codec
from smithers.store.database import Store

CANCELLED = "the run was cancelled"
_ASKED = "CASE intent_by WHEN '' THEN ? ELSE ? || ' by ' || intent_by END"
"""`paused by person:ann`, with the word given twice."""

_OPEN = "run = ? AND gone = 0 AND status IN ('pending', 'ready', 'running', 'waiting', 'retrying')"
"""Steps that have not ended. Of the others, how they ended says more."""


def settle(db: sqlite3.Connection, seq: int, intent: Intent, now: int) -> None:
    """Bring the row of a parked run in line with what is asked of it, in a frame that says by whom.

    Nothing where it is so already.
    """
    match intent:
        case Intent.GO:
            if _move(db, seq, "queued", "status = 'paused'"):
                db.execute("UPDATE runs SET status_reason = '' WHERE seq = ?", (seq,))
                say_asked(db, seq, "resumed", now)
        case Intent.PAUSE | Intent.PAUSE_NOW:
            if _move(db, seq, "paused", "status != 'paused'"):
                _say_who(db, seq, "paused")
                say_asked(db, seq, "paused", now)
        case Intent.CANCEL:
            db.execute(
                "UPDATE runs SET status = 'cancelled', error = '', finished_at = ?, "
                "wake_at = NULL WHERE seq = ?",
                (now, seq),
            )
            cancel_steps(db, seq, say_asked(db, seq, "cancelled", now))


def _move(db: sqlite3.Connection, seq: int, status: str, where: str) -> bool:
    move = f"UPDATE runs SET status = ? WHERE seq = ? AND {where}"  # noqa: S608
    return db.execute(move, (status, seq)).rowcount > 0


def _say_who(db: sqlite3.Connection, seq: int, what: str) -> None:
    db.execute(
        f"UPDATE runs SET status_reason = {_ASKED} WHERE seq = ?",  # noqa: S608
        (what, what, seq),
    )


def say_asked(db: sqlite3.Connection, seq: int, what: str, now: int) -> int:
    """A frame that says what was asked of the run, and by whom. Returns its number."""
    asked = f"SELECT 'run ' || {_ASKED} FROM runs WHERE seq = ?"  # noqa: S608
    (why,) = db.execute(asked, (what, what, seq)).fetchone()
    return say(db, seq, why, now)


def say(db: sqlite3.Connection, seq: int, why: str, now: int) -> int:
    """A frame from outside, which changes no step by itself. Returns its number."""
    db.execute("UPDATE runs SET frame = frame + 1 WHERE seq = ?", (seq,))
    (frame,) = db.execute("SELECT frame FROM runs WHERE seq = ?", (seq,)).fetchone()
    db.execute(
        "INSERT INTO frames (run, n, at, why) VALUES (?, ?, ?, ?)",
        (seq, frame, now, codec.text(why)),
    )
    return int(frame)


def cancel_steps(db: sqlite3.Connection, seq: int, frame: int) -> None:
    """All that has not ended is cancelled, in this frame; the run's counts, and by whom, follow."""
    _say_who(db, seq, "cancelled")
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


def hand_over(store: Store, run_id: str, fence: int) -> None:
    """Let go of a run whose engine, of this fence, is dead: it is queued for whoever starts one."""
    with store.write() as db:
        let_go = db.execute(
            "UPDATE leases SET held = 0 WHERE fence = ? AND held = 1 "
            "AND run = (SELECT seq FROM runs WHERE id = ?)",
            (fence, run_id),
        )
        if let_go.rowcount:
            db.execute(
                "UPDATE runs SET status = 'queued', status_reason = '', rev = rev + 1 WHERE id = ?",
                (run_id,),
            )
