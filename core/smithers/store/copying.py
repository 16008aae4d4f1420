"""Copies of the database, or of one run in it, made by SQLite alone while engines write."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smithers.errors import StoreError
from smithers.model.run import RunStatus
from smithers.store import pruning
from smithers.store.database import Reader


def whole(reader: Reader, target: Path) -> None:
    """A new, private file with everything that is committed now. Raises StoreError.

    It is as the original is, write-ahead log included, so that it can take its place.
    """
    _new(target)
    reader.all("VACUUM INTO ?", (str(target),))
    with _opened(target) as db:
        found = problems(db.execute("PRAGMA quick_check").fetchall())
        if found:
            raise StoreError(
                f"the copy is not sound: {found[0]}",
                kept="the database as it is",
                next="smithers doctor",
            )
        db.execute("PRAGMA journal_mode = WAL")


def tell(copy: Path) -> tuple[dict[RunStatus, int], str]:
    """What a copy holds: runs by stored status, and the id of the newest."""
    with _opened(copy) as db:
        counts = db.execute("SELECT status, count(*) FROM runs GROUP BY status").fetchall()
        newest = db.execute("SELECT id FROM runs ORDER BY seq DESC LIMIT 1").fetchone()
    return {RunStatus(status): count for status, count in counts}, newest[0] if newest else ""


def of_run(reader: Reader, seq: int, target: Path) -> None:
    """A new, private file with the schema and the rows of one run. Ask inside a transaction."""
    _new(target)
    with _opened(target) as db:
        db.execute("BEGIN")
        for (sql,) in reader.all(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'index'"
        ):
            db.execute(sql)
        _fill(db, reader, "meta", "1 = ?", 1)
        _fill(db, reader, "runs", "seq = ?", seq)
        for table in pruning.tables(reader):
            _fill(db, reader, table, "run = ?", seq)
        db.execute("COMMIT")


def move_in(path: Path, root: Path) -> str:
    """Make the folder of an exported run's database its root. Returns the run's id.

    Raises StoreError for a file that holds anything but tables, or not exactly one run.
    """
    with _opened(path) as db:
        db.execute("PRAGMA trusted_schema = OFF")
        try:
            odd = db.execute(
                "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR "
                "sql LIKE '%VIRTUAL%'"
            ).fetchall()
            found = db.execute("SELECT id FROM runs").fetchall()
            if odd or len(found) != 1:
                raise _no_export()
            db.execute("UPDATE runs SET root = ?, workspace = ''", (str(root),))
        except sqlite3.DatabaseError as error:
            raise _no_export() from error
        return str(found[0][0])


def _no_export() -> StoreError:
    return StoreError("this is no run that smithers exported", kept="the file as it is")


def problems(rows: list[tuple[str]]) -> list[str]:
    """What a check of SQLite's found."""
    return [words for (words,) in rows if words != "ok"]


def _new(target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def _fill(db: sqlite3.Connection, reader: Reader, table: str, where: str, value: int) -> None:
    names = [name for (name,) in reader.all("SELECT name FROM pragma_table_info(?)", (table,))]
    columns, marks = ", ".join(names), ", ".join("?" * len(names))
    rows = reader.all(f"SELECT {columns} FROM {table} WHERE {where}", (value,))  # noqa: S608
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608
