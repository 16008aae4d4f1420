"""The health of the database file itself: what is wrong with it, and what it holds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from smithers.store import pruning
from smithers.store.copying import problems
from smithers.store.database import NAME, Reader, Store

FILES = (NAME, f"{NAME}-wal", f"{NAME}-shm")


def damage(reader: Reader) -> list[str]:
    """What SQLite finds wrong with the file; empty if it is sound."""
    return problems([(str(row[0]),) for row in reader.all("PRAGMA quick_check")])


def journal(reader: Reader) -> str:
    """`wal`, or what a copy that was put in place by hand has instead."""
    return str(reader.all("PRAGMA journal_mode")[0][0])


def write_ahead(store: Store) -> None:
    """Have the write-ahead log again, without which readers and writers wait for each other."""
    store.all("PRAGMA journal_mode = WAL")


def log_bytes(state: Path) -> int:
    """Size of the write-ahead log."""
    try:
        return os.stat(state / FILES[1]).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0


def shrink_log(store: Store) -> None:
    """A write of nothing: whoever writes moves a long log into the database."""
    with store.write():
        pass


def ended_marks(reader: Reader, tokens: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Of these marks, those of attempts that are over: run and step of each."""
    found = {}
    for token in tokens:
        rows = reader.all(
            "SELECT r.id, a.key FROM attempts AS a JOIN runs AS r ON r.seq = a.run "
            "WHERE a.token = ? AND a.status <> 'running'",
            (token,),
        )
        if rows:
            found[token] = (str(rows[0][0]), str(rows[0][1]))
    return found


def snapshot_rows(reader: Reader) -> list[tuple[str, str, int, str, str]]:
    """Run, step, attempt, side and commit of every snapshot of a run that is to stay."""
    rows = reader.all(
        "SELECT r.id, s.key, s.attempt, s.side, s.commit_id FROM snapshots AS s "
        "JOIN runs AS r ON r.seq = s.run WHERE r.status_reason NOT LIKE ?",
        (f"{pruning.GOING}%",),
    )
    return [(str(a), str(b), int(c), str(d), str(e)) for a, b, c, d, e in rows]
