"""Many runs, made from one real one: each table's rows of it are copied once more for each."""

from __future__ import annotations

import sqlite3

from benchmarks.project import Project

COPIES = """
WITH RECURSIVE copies(copy) AS (SELECT 1 UNION ALL SELECT copy + 1 FROM copies WHERE copy < ?)
"""


def crowd(project: Project, count: int) -> str:
    """Fill the project with so many finished runs. Returns the title of the newest."""
    project.drive("sequence", steps=4)
    title = f"the newest of {count}"
    db = sqlite3.connect(project.database, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        if table == "runs":
            _copy(db, table, names, {"seq": "seq + copy", "id": "id || '-' || copy"}, count - 1)
        elif "run" in names:
            _copy(db, table, names, {"run": "run + copy"}, count - 1)
    db.execute("UPDATE runs SET title = ? WHERE seq = (SELECT max(seq) FROM runs)", (title,))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    db.close()
    return title


def _copy(
    db: sqlite3.Connection, table: str, names: list[str], new: dict[str, str], times: int
) -> None:
    values = ", ".join(new.get(name, name) for name in names)
    # The rows are read whole first: INSERT … SELECT on one table may see what it has just written.
    db.execute(f"CREATE TEMP TABLE one AS SELECT * FROM {table}")
    db.execute(
        f"{COPIES}INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM one, copies",
        (times,),
    )
    db.execute("DROP TABLE one")
