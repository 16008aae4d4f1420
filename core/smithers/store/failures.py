"""SQLite's errors as ours: what happened to the database, what is kept, what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smithers.errors import StoreError, StoreFull
from smithers.store.locking import busy, writers


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        found = _operational(error, path)
        if found is None:
            raise
        raise found from error
    except sqlite3.IntegrityError:
        raise
    except PermissionError as error:
        raise _unreachable(error, path) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{path} is not a database of smithers ({error})",
            kept="the file as it is",
            next="move it away or point SMITHERS_DIR elsewhere",
        ) from error


def _operational(error: sqlite3.OperationalError, path: Path) -> StoreError | None:
    name = getattr(error, "sqlite_errorname", "")
    if str(error) == "no such table: meta":
        return StoreError(
            f"{path} was never finished being made",
            kept="nothing to keep",
            next="smithers init",
        )
    if name in {"SQLITE_BUSY", "SQLITE_LOCKED"}:
        return busy(writers(path))
    if name in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}:
        return StoreFull(
            f"no space left for {path}",
            kept="everything committed so far",
            next="make room, then `smithers resume`",
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR")):
        return _unreachable(error, path)
    return None


def _unreachable(error: Exception, path: Path) -> StoreError:
    return StoreError(
        f"cannot read or write {path} ({error})",
        kept="the file as it is",
        next="check that it exists, belongs to you and that its folder is writable",
    )
