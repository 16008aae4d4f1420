"""Whose hand it is: the look that a write by an engine begins with, where it carries no fence."""

from __future__ import annotations

import sqlite3

from smithers.errors import LeaseLost
from smithers.model.run import Owner


def held_by(db: sqlite3.Connection, run_id: str, owner: Owner) -> int:
    """The run's number, while `owner` drives it. Raises LeaseLost."""
    row = db.execute(
        "SELECT run FROM leases WHERE run = (SELECT seq FROM runs WHERE id = ?) AND held = 1 "
        "AND host = ? AND boot_id = ? AND pid_ns = ? AND pid = ? AND start_time = ?",
        (run_id, owner.host, owner.boot_id, owner.pid_ns, owner.pid, owner.start_time),
    ).fetchone()
    if row is None:
        raise LeaseLost(
            f"another engine drives run {run_id} now",
            kept="everything committed; this engine writes nothing more",
            next=f"smithers inspect {run_id}",
        )
    return int(row[0])
