"""One SQLite file: how it is made, opened, written and read. Hides locks, syncs and checkpoints.

Most SQLite builds in use can lose committed pages when a checkpoint meets a commit in WAL mode
(the WAL-reset bug, fixed in 3.51.3: https://sqlite.org/wal.html#walresetbug). So no connection
checkpoints by itself, and one exclusive `flock` on the directory is held around every write
transaction and every checkpoint.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from smithers.errors import StoreBusy, StoreError, StoreGone, StoreTooNew

VERSION = 2
NAME = "smithers.db"
LOCK_SECONDS = 5.0
CHECKPOINT_BYTES = 4 * 1024 * 1024
MIGRATIONS = Path(__file__).parent / "migrations"
"""`0002_what_it_does.sql`: each brings the schema to its number, and only forward."""

Row = tuple[Any, ...]


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    mode = "ro" if readonly else "rw"
    db = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None)
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
    if sys.platform == "darwin":
        db.execute("PRAGMA fullfsync = 1")
        db.execute("PRAGMA checkpoint_fullfsync = 1")
    return db


@contextmanager
def _queue(directory: int) -> Iterator[None]:
    """Hold the writers' lock of the directory. Polled: a blocking flock has no time limit."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreBusy(
                    "another process holds the writer of the run directory for "
                    f"{LOCK_SECONDS:.0f} s",
                    kept="everything committed so far",
                    next="smithers doctor",
                ) from None
            time.sleep(0.0003)
    try:
        yield
    finally:
        fcntl.flock(directory, fcntl.LOCK_UN)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        name = getattr(error, "sqlite_errorname", "")
        if str(error) == "no such table: meta":
            raise StoreError(
                f"{path} was never finished being made",
                kept="nothing to keep",
                next="smithers init",
            ) from error
        if name in {"SQLITE_BUSY", "SQLITE_LOCKED"}:
            raise StoreBusy(
                "another program holds the database",
                kept="everything committed so far",
                next="try again",
            ) from error
        if name == "SQLITE_FULL":
            raise StoreError(
                f"no space left for {path}",
                kept="everything committed so far",
                next="make room, then `smithers resume`",
            ) from error
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR")):
            raise StoreError(
                f"cannot read or write {path} ({error})",
                kept="the file as it is",
                next="check that it exists, belongs to you and that its folder is writable",
            ) from error
        raise
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise StoreError(
            f"{path} is not a database of smithers ({error})",
            kept="the file as it is",
            next="move it away or point SMITHERS_DIR elsewhere",
        ) from error


def _check_version(db: sqlite3.Connection, path: Path) -> int:
    (version,) = db.execute("SELECT version FROM meta").fetchone()
    if version > VERSION:
        raise StoreTooNew(
            f"{path} was written by a newer smithers (schema {version}, this one knows {VERSION})",
            kept="the file, untouched",
            next="upgrade smithers",
        )
    return int(version)


def create(state: Path, *, store_id: str) -> None:
    """Make the database in `state` if there is none. Harmless when two processes do it at once."""
    path = state / NAME
    with _named(path), _directory(state) as directory, _queue(directory):
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        db = _connect(path, readonly=False)
        try:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if "meta" in tables:
                return
            if tables:
                raise StoreError(
                    f"{path} is a database of another program",
                    kept="the file as it is",
                    next="move it away or point SMITHERS_DIR elsewhere",
                )
            db.execute("PRAGMA journal_mode = WAL")
            schema = (Path(__file__).parent / "schema.sql").read_text()
            db.executescript("BEGIN IMMEDIATE;\n" + schema)
            db.execute("INSERT INTO meta VALUES (?, ?)", (VERSION, store_id))
            db.execute("COMMIT")
        finally:
            db.close()


def _apply(db: sqlite3.Connection, scripts: Sequence[Path]) -> None:
    """Each script and the version it leads to are one transaction."""
    for script in scripts:
        version = int(script.name[:4])
        try:
            db.executescript(
                f"BEGIN IMMEDIATE;\n{script.read_text()}\n"
                f"UPDATE meta SET version = {version};\nCOMMIT;"
            )
        except sqlite3.DatabaseError as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise StoreError(
                f"the migration {script.name} does not fit this database ({error})",
                kept="the database, as it was",
                next="report this, and go on with the version of smithers that made it",
            ) from error


@contextmanager
def _directory(state: Path) -> Iterator[int]:
    try:
        descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreError(
            f"no run directory at {state} ({error.strerror})",
            kept="nothing to keep",
            next="smithers init",
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Store:
    """The writer of one process.

    `crossing` is told of each commit, before and after: tests end there.
    """

    def __init__(self, state: Path, *, crossing: Callable[[str], None] | None = None) -> None:
        self.path = state / NAME
        self._crossing = crossing or (lambda _point: None)
        self._name = str(self.path)
        self._pid = os.getpid()
        self._durable = True
        """What the connection is set to."""
        self._checkpoint_at = CHECKPOINT_BYTES
        if not self.path.exists():
            raise StoreError(
                f"no database at {self.path}", kept="nothing to keep", next="smithers init"
            )
        with _named(self.path):
            self._db = _connect(self.path, readonly=False)
        self._directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with _named(self.path):
                self._identity = self._inode()
                if _check_version(self._db, self.path) < VERSION:
                    self._migrate()
        except BaseException:
            self.close()
            raise

    def _inode(self) -> tuple[int, int]:
        try:
            status = os.stat(self._name)  # noqa: PTH116 - a Path costs more than the question
        except FileNotFoundError:
            return (0, 0)
        return (status.st_dev, status.st_ino)

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One write transaction. `durable=False` may be lost in a power cut, never torn.

        Raises StoreBusy; StoreGone when the file was moved or replaced; StoreError for a full disk.
        """
        if os.getpid() != self._pid:
            raise StoreError("a store cannot be used across a fork", next="open it in this process")
        db = self._db
        with _named(self.path), _queue(self._directory):
            if durable is not self._durable:
                db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                self._crossing("before")
                self._check_identity()
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._crossing("after")
            self._checkpoint()

    def _check_identity(self) -> None:
        """A commit into a file that nobody else can find would be acknowledged and lost."""
        if self._inode() != self._identity:
            raise StoreGone(
                f"{self.path} was deleted, moved or replaced while it was open",
                kept="nothing of what came after",
                next="put the file back, or `smithers init` and start again",
            )

    def _checkpoint(self) -> None:
        """Move the log into the database once it is long.

        The only place that does; the lock is held.
        """
        try:
            size = os.stat(f"{self._name}-wal").st_size  # noqa: PTH116
        except FileNotFoundError:
            return
        if size < self._checkpoint_at:
            return
        self._db.execute("PRAGMA busy_timeout = 0")
        busy = True
        # What was committed is committed: no room for a checkpoint is no failure of the write.
        with suppress(sqlite3.OperationalError):
            (busy, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._db.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
        # A reader in the way: try again when the log has grown by as much once more.
        self._checkpoint_at = size + CHECKPOINT_BYTES if busy else CHECKPOINT_BYTES

    def _migrate(self) -> None:
        """Bring an older database to VERSION, first on a copy. One as it was is kept beside it."""
        with _queue(self._directory):
            # Another process may have done it while this one waited.
            version = _check_version(self._db, self.path)
            scripts = sorted(MIGRATIONS.glob("[0-9]*.sql"))
            due = [one for one in scripts if version < int(one.name[:4]) <= VERSION]
            self._copy(f"{NAME}.v{version}")
            trial = self._copy(f"{NAME}.trial")
            rehearsal = _connect(trial, readonly=False)
            try:
                _apply(rehearsal, due)
            finally:
                rehearsal.close()
                trial.unlink()
            _apply(self._db, due)

    def _copy(self, name: str) -> Path:
        copy = self.path.with_name(name)
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._db.execute("VACUUM INTO ?", (str(copy),))
        return copy

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Rows of a query outside any transaction."""
        with _named(self.path):
            return self._db.execute(sql, parameters).fetchall()

    def version(self) -> int:
        """Moves when another connection has committed. Comparable only with this store's own."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        self._db.close()
        os.close(self._directory)


class Reader:
    """A read-only connection. Keep its transactions short: a long one lets the log grow."""

    def __init__(self, state: Path) -> None:
        self.path = state / NAME
        if not self.path.exists():
            raise StoreError(f"no runs here: {self.path} does not exist", next="smithers init")
        with _named(self.path):
            self._db = _connect(self.path, readonly=True)
            try:
                if _check_version(self._db, self.path) < VERSION:
                    Store(state).close()
            except BaseException:
                self._db.close()
                raise

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        with _named(self.path):
            return self._db.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        rows = self.all(sql, parameters)
        return rows[0] if rows else None

    @contextmanager
    def transaction(self) -> Iterator[Reader]:
        """All that is asked inside sees one moment."""
        with _named(self.path):
            self._db.execute("BEGIN")
            try:
                yield self
            finally:
                self._db.execute("COMMIT")

    def version(self) -> int:
        """Moves when somebody has committed. Ask it outside transactions."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        self._db.close()


def open_reader(state: Path) -> Reader:
    return Reader(state)
