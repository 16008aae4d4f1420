"""The database file: whether it opens, is sound, and keeps its log short."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from smithers.errors import SmithersError, StoreError
from smithers.service import backup, locate
from smithers.service.directory import Directory, open_directory
from smithers.service.health.finding import FIX, Finding, some
from smithers.service.safe import line
from smithers.store import locking, queries, upkeep
from smithers.store.database import CHECKPOINT_BYTES, NAME, VERSION, Store

_LONG_LOG = 4 * CHECKPOINT_BYTES


def database(root: Path) -> Iterator[Finding]:
    """Opened and read from end to end."""
    name = "database"
    if not locate.exists(root):
        yield Finding(name, "ok", line("made with the run directory"))
        return
    state = locate.state_dir(root)
    try:
        with open_directory(root) as db:
            runs = sum(queries.tallies(db.reader).values())
            found = upkeep.damage(db.reader)
    except SmithersError as error:
        cure = _restore(state) if type(error) is StoreError else error.next
        yield Finding(name, "failed", line(error.what), cure)
        return
    if found:
        yield Finding(name, "failed", line(f"damaged: {found[0]}"), _restore(state))
        return
    noun = "run" if runs == 1 else "runs"
    yield Finding(name, "ok", line(f"sound; {runs} {noun}, schema {VERSION}"))


def journal(db: Directory) -> Iterator[Finding]:
    """A copy that was put in place by hand may lack the write-ahead log."""
    mode = upkeep.journal(db.reader)
    if mode != "wal":
        detail = line(f"journal mode {mode}: readers and writers wait for each other")
        yield Finding("journal", "failed", detail, FIX, lambda: _with_store(db, "journal"))


def log(db: Directory, *, longest: int = _LONG_LOG) -> Iterator[Finding]:
    """A write-ahead log that grows, since somebody reads at one stretch; `longest` in bytes."""
    size = upkeep.log_bytes(db.state)
    if size <= longest:
        return
    said = f"the write-ahead log has {size // 2**20:,} MB"
    readers = locking.readers(db.state / NAME)
    if readers:
        pids = some([str(pid) for pid in readers])
        detail = line(
            f"{said}: process {pids} reads at one stretch and keeps it from being emptied"
        )
        yield Finding("log", "warning", detail, f"kill {readers[0]}, then {FIX}")
    else:
        yield Finding("log", "warning", line(said), FIX, lambda: _with_store(db, "log"))


def _with_store(db: Directory, what: str) -> None:
    store = Store(db.state)
    try:
        (upkeep.write_ahead if what == "journal" else upkeep.shrink_log)(store)
    finally:
        store.close()


def _restore(state: Path) -> str:
    """The command that puts the newest backup in place, the damaged file kept beside it."""
    copy = backup.latest(state)
    source = shlex.quote(str(copy)) if copy else "BACKUP"
    return (
        f"cd {shlex.quote(str(state))} && mkdir -p damaged && mv smithers.db* damaged/ "
        f"&& cp {source} smithers.db && chmod 600 smithers.db"
    )
