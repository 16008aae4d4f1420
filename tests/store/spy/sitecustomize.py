"""Watches any Python that has this folder on its path: who opens the database, and under which guard.

Writes a line to the file named by STORE_SPY for each thing that must not be, and for what it saw.
"""

import fcntl
import os
import sqlite3
import stat
import sys

NAME = "smithers.db"
FILES = (NAME, f"{NAME}-wal", f"{NAME}-shm")
_report = os.open(os.environ["STORE_SPY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_held: set[int] = set()
_connect, _flock = sqlite3.connect, fcntl.flock


def tell(what: str) -> None:
    os.write(_report, f"{what} ({' '.join(sys.argv[:3])})\n".encode())


def _opened(event: str, arguments: tuple) -> None:
    """Making the file, before there is a connection to it, is no harm."""
    if event == "open" and str(arguments[0]).endswith(FILES) and not arguments[2] & os.O_EXCL:
        tell(f"BAD plain open of {arguments[0]}")


def flock(file: int, operation: int) -> None:
    _flock(file, operation)
    if stat.S_ISDIR(os.fstat(file).st_mode):
        (_held.add if operation & fcntl.LOCK_EX else _held.discard)(file)


class _Watch:
    """Of one connection: every statement it begins."""

    def __init__(self) -> None:
        self.guarded = False
        self.writing = False

    def __call__(self, sql: str) -> None:
        first = sql.lstrip().upper()
        if first.startswith("PRAGMA WAL_AUTOCHECKPOINT = 0"):
            self.guarded = True
        elif not first.startswith("PRAGMA") and not self.guarded:
            tell(f"BAD automatic checkpoints are on: {sql[:60]}")
        if first.startswith(("BEGIN IMMEDIATE", "PRAGMA WAL_CHECKPOINT")):
            self.writing = first.startswith("BEGIN")
            self._needs_lock(sql)
        elif first.startswith(("INSERT", "UPDATE", "DELETE", "REPLACE")):
            self._needs_lock(sql)
        elif first.startswith("COMMIT") and self.writing:
            self.writing = False
            self._needs_lock(sql)

    def _needs_lock(self, sql: str) -> None:
        tell(f"{'saw' if _held else 'BAD no lock around'} {sql[:60]}")


def connect(database: str, *arguments: object, **named: object) -> sqlite3.Connection:
    db = _connect(database, *arguments, **named)
    if str(database).partition("?")[0].endswith(NAME):
        tell("saw a connection")
        db.set_trace_callback(_Watch())
    return db


sys.addaudithook(_opened)
sqlite3.connect, fcntl.flock = connect, flock
