"""The least SQLite asks of anybody: one transaction with an INSERT and an UPDATE for each step.

As a program, `python -m benchmarks.raw FILE`: read every step, write one more, print when.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

SCHEMA = """
CREATE TABLE step (
    run INTEGER, key TEXT, status TEXT, value TEXT, at INTEGER, PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE TABLE run (id INTEGER PRIMARY KEY, status TEXT, done INTEGER, at INTEGER);
INSERT INTO run VALUES (1, 'running', 0, 0);
"""
INSERT = "INSERT INTO step VALUES (1, ?, 'succeeded', ?, ?)"
UPDATE = "UPDATE run SET done = ?, at = ? WHERE id = 1"


def connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    return db


class Cost(NamedTuple):
    """Milliseconds a step."""

    time: float
    processor: float


def commits(path: Path, steps: int, *, together: int | None = None) -> Cost:
    """Write so many steps. `together`: the commits that they share."""
    new = not path.exists()
    db = connect(path)
    if new:
        db.executescript(SCHEMA)
    (first,) = db.execute("SELECT count(*) FROM step").fetchone()
    commits = together or steps
    bounds = [round(steps * number / commits) for number in range(commits + 1)]
    began, used = time.monotonic_ns(), time.process_time_ns()
    for low, high in pairwise(bounds):
        db.execute("BEGIN IMMEDIATE")
        for number in range(first + low, first + high):
            db.execute(INSERT, (f"s{number}", str(number), began))
        db.execute(UPDATE, (first + high, began))
        db.execute("COMMIT")
    took, cost = time.monotonic_ns() - began, time.process_time_ns() - used
    db.close()
    return Cost(took / steps / 1e6, cost / steps / 1e6)


def go_on(path: Path) -> int:
    """What a resume cannot do without. Returns the moment of its first commit."""
    db = connect(path)
    done = {key for (key,) in db.execute("SELECT key FROM step WHERE status = 'succeeded'")}
    db.execute("BEGIN IMMEDIATE")
    db.execute(INSERT, (f"s{len(done)}-{time.monotonic_ns()}", "null", 0))
    db.execute(UPDATE, (len(done), 0))
    db.execute("COMMIT")
    return time.monotonic_ns()


if __name__ == "__main__":
    sys.stdout.write(f"{go_on(Path(sys.argv[1]))}\n")
