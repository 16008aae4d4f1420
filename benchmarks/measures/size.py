"""Bytes that a trivial step leaves in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from benchmarks import raw
from benchmarks.project import Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings

STEPS = 1_000
"""Also when it must be quick: a file grows by whole pages."""


def rows(settings: Settings) -> Iterator[Row]:
    steps = STEPS
    folder = settings.place("bytes")
    project = Project(folder)
    empty = project.size()
    project.drive("sequence", steps=steps)
    # The step at the end of the workflow is one of them.
    ours = (project.size() - empty) / (steps + 1)
    file = folder / "raw.db"
    raw.commits(file, 1)
    start = _folded(file)
    raw.commits(file, steps)
    theirs = (_folded(file) - start) / steps
    yield Row(
        "database a step",
        ours,
        "B",
        reference=theirs,
        beside="raw",
        ratio=ours / theirs,
        budget=budgets()["bytes"],
    )


def _folded(path: Path) -> int:
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.close()
    return path.stat().st_size
