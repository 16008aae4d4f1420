"""One SQLite file: how it is made, opened, written and read. Hides locks, syncs and checkpoints.

Most SQLite builds in use can lose committed pages when a checkpoint meets a commit in WAL mode
(the WAL-reset bug, fixed in 3.51.3: https://sqlite.org/wal.html#walresetbug). So no connection
checkpoints by itself, and one exclusive `flock` on the directory is held around every write
transaction and every checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from smithers.errors import SmithersError, StoreError, StoreGone, StoreTooNew
from smithers.store.failures import named
from smithers.store.files import Files, without_log
from smithers.store.locking import LOCK_SECONDS, queue

VERSION = 3
NAME = "smithers.db"
CHECKPOINT_BYTES = 4 * 1024 * 1024
LONGEST_EMPTY_LOG = 2 * CHECKPOINT_BYTES
"""What a log that grew in the way of a reader is cut to when it is begun anew."""
MIGRATIONS = Path(__file__).parent / "migrations"
"""`0002_what_it_does.sql`: each brings the schema to its number, and only forward."""

Row = tuple[Any, ...]


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """The one way to a database: never checkpoints by itself, syncs each commit."""
    mode = "ro" if readonly else "rw"
    db = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None)
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
    if not readonly:
        db.execute(f"PRAGMA journal_size_limit = {LONGEST_EMPTY_LOG}")
    if sys.platform == "darwin":
        db.execute("PRAGMA fullfsync = 1")
        db.execute("PRAGMA checkpoint_fullfsync = 1")
    return db


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
    with named(path), _directory(state) as directory, queue(directory):
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        db = connect(path, readonly=False)
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
            for folder in (state, state.parent, state.parent.parent):
                _sync(folder)
        finally:
            db.close()


def _sync(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    with suppress(PermissionError), _directory(folder) as descriptor:
        os.fsync(descriptor)


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
        self._log = f"{self.path}-wal"
        self._pid = os.getpid()
        self._durable = True
        """What the connection is set to."""
        self._checkpoint_at = CHECKPOINT_BYTES
        self._log_size = 0
        with named(self.path):
            if not self.path.exists():
                raise StoreError(
                    f"no database at {self.path}", kept="nothing to keep", next="smithers init"
                )
            self._directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with named(self.path):
                self._open()
        except BaseException:
            os.close(self._directory)
            raise

    def _open(self) -> None:
        suspicious = without_log(self.path)
        self._db = connect(self.path, readonly=False)
        try:
            version = _check_version(self._db, self.path)
            self._files = Files(self.path, self._directory)
            if suspicious:
                self._check_log()
            if version < VERSION:
                self._migrate()
        except BaseException:
            self._db.close()
            raise

    def _check_log(self) -> None:
        """Raise StoreGone if others have a log open whose name is gone.

        By the index, which is theirs too, it holds commits; they can still save them.
        """
        with queue(self._directory):
            if not self._move_log("PASSIVE"):
                # Ours is empty, and would hide from the next one that theirs is gone.
                Path(self._log).unlink(missing_ok=True)
                raise StoreGone(
                    f"{self._log} was deleted while other processes had it open",
                    kept="what they have committed, once they write or end",
                    next="try again in some seconds",
                )

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One write transaction. `durable=False` may be lost in a power cut, never torn.

        Raises StoreBusy; StoreGone when the file was moved or replaced; StoreError for a full disk.
        """
        if os.getpid() != self._pid:
            raise StoreError("a store cannot be used across a fork", next="open it in this process")
        db = self._db
        with named(self.path), queue(self._directory):
            if durable is not self._durable:
                db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            db.execute("BEGIN IMMEDIATE")
            try:
                # What is read from a file that others no longer have says nothing.
                self._files.check_quickly()
                yield db
                self._crossing("before")
                db.execute("COMMIT")
                self._crossing("after")
                size = self._files.check()
            except BaseException as error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                if isinstance(error, StoreGone):
                    self._save_log()
                raise
            self._checkpoint(size)

    def _save_log(self) -> None:
        """Of a log that has lost its name, whoever has it open is the last who can read it."""
        if self._files.lost_log():
            self._move_log("PASSIVE")

    def _checkpoint(self, size: int) -> None:
        """Move the log into the database once it is long. `size` is in bytes; the lock is held."""
        if size < self._log_size:
            self._checkpoint_at = CHECKPOINT_BYTES
        self._log_size = size
        if size >= self._checkpoint_at:
            # A reader in the way: try again when the log has grown by as much once more.
            done = self._move_log("TRUNCATE")
            self._checkpoint_at = CHECKPOINT_BYTES if done else size + CHECKPOINT_BYTES

    def _move_log(self, how: str) -> bool:
        """Checkpoint; the only place that does, with the lock held. Whether all could be moved.

        What was committed is committed: no room for a checkpoint is no failure of the write.
        """
        self._db.execute("PRAGMA busy_timeout = 0")
        try:
            (busy, log, moved) = self._db.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        except sqlite3.OperationalError:
            return False
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
        return not busy and log == moved

    def _migrate(self) -> None:
        """Bring an older database to VERSION, first on a copy. One as it was is kept beside it."""
        with queue(self._directory):
            # Another process may have done it while this one waited.
            version = _check_version(self._db, self.path)
            scripts = sorted(MIGRATIONS.glob("[0-9]*.sql"))
            due = [one for one in scripts if version < int(one.name[:4]) <= VERSION]
            if not due:
                return
            self._copy(f"{NAME}.v{version}")
            trial = self._copy(f"{NAME}.trial")
            rehearsal = connect(trial, readonly=False)
            try:
                _apply(rehearsal, due)
            finally:
                rehearsal.close()
                trial.unlink()
            _apply(self._db, due)

    def _copy(self, name: str) -> Path:
        copy = self.path.with_name(name)
        copy.unlink(missing_ok=True)
        file = os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            self._db.execute("VACUUM INTO ?", (str(copy),))
            os.fsync(file)
        finally:
            os.close(file)
        return copy

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Rows of a query outside any transaction."""
        with named(self.path):
            return self._db.execute(sql, parameters).fetchall()

    def version(self) -> int:
        """Moves when another connection has committed. Comparable only with this store's own."""
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Let go. A log that a reader made long is moved first, if none is in the way now."""
        with suppress(SmithersError, sqlite3.Error):
            size = self._files.check()
            if size > CHECKPOINT_BYTES:
                with queue(self._directory):
                    self._move_log("TRUNCATE")
        with ExitStack() as others:
            if self._files.parted():
                # The last connection to close checkpoints, from a log that may be false by now.
                with suppress(sqlite3.Error):
                    other = others.enter_context(closing(connect(self.path, readonly=True)))
                    _check_version(other, self.path)
            self._db.close()
        os.close(self._directory)


class Reader:
    """A read-only connection. Keep its transactions short: a long one lets the log grow."""

    def __init__(self, state: Path) -> None:
        self.path = state / NAME
        with named(self.path):
            if not self.path.exists():
                raise StoreError(f"no runs here: {self.path} does not exist", next="smithers init")
            if without_log(self.path):
                # Only who may write can tell whether the log was taken from others.
                Store(state).close()
            self._db = connect(self.path, readonly=True)
            try:
                version = _check_version(self._db, self.path)
                self._files = Files(self.path)
                if version < VERSION:
                    Store(state).close()
            except BaseException:
                self._db.close()
                raise

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        with named(self.path):
            return self._db.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        rows = self.all(sql, parameters)
        return rows[0] if rows else None

    @contextmanager
    def transaction(self) -> Iterator[Reader]:
        """All that is asked inside sees one moment. Raises StoreGone."""
        self._files.check()
        with named(self.path):
            self._db.execute("BEGIN")
            try:
                yield self
            finally:
                self._db.execute("COMMIT")

    def version(self) -> int:
        """Moves when somebody has committed. Ask it outside transactions.

        Raises StoreGone: of a file that has lost its name, nobody would ever hear again.
        """
        self._files.check()
        with named(self.path):
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        self._db.close()


def open_reader(state: Path) -> Reader:
    return Reader(state)
