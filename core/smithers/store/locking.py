"""The writers' lock of a run directory, and which processes stand in the way of the others."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from smithers.errors import StoreBusy

LOCK_SECONDS = 5.0

_SHM_WRITE = 120
"""The byte of `-shm` whose lock is SQLite's right to write."""
_SHM_READERS = range(123, 128)
"""Those of the moments that somebody reads: no checkpoint passes the oldest of them."""


@contextmanager
def queue(directory: int) -> Iterator[None]:
    """Hold the writers' lock of the directory. Polled: a blocking flock has no time limit.

    Raises StoreBusy, which names the process that has it.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise busy(
                    _pids(os.fstat(directory), lambda kind, _start: kind == "FLOCK")
                ) from None
            time.sleep(0.0003)
    try:
        yield
    finally:
        fcntl.flock(directory, fcntl.LOCK_UN)


def busy(pids: list[int]) -> StoreBusy:
    """The error of who has waited in vain; `pids` hold what it waited for, empty if unknown."""
    who = f"process {pids[0]}" if pids else "another process"
    return StoreBusy(
        f"{who} holds the writer of the run directory for {LOCK_SECONDS:.0f} s",
        kept="everything committed so far",
        next=f"kill -CONT {pids[0]} if it was stopped, else kill {pids[0]}"
        if pids
        else "smithers doctor",
    )


def writers(path: Path) -> list[int]:
    """Pids inside a write transaction of this database; empty where the system does not tell."""
    return _shm(path, lambda kind, start: kind == "POSIX" and start == _SHM_WRITE)


def readers(path: Path) -> list[int]:
    """Pids inside a read transaction, which keeps the log of this database from being emptied.

    Empty where the system does not tell.
    """
    return _shm(path, lambda kind, start: kind == "POSIX" and start in _SHM_READERS)


def _shm(path: Path, wanted: Callable[[str, int], bool]) -> list[int]:
    try:
        return _pids(os.stat(f"{path}-shm"), wanted)  # noqa: PTH116 - a name, not a folder's child
    except FileNotFoundError:
        return []


def _pids(file: os.stat_result, wanted: Callable[[str, int], bool]) -> list[int]:
    """Who holds a wanted lock of this file: kind and first byte decide."""
    try:
        table = Path("/proc/locks").read_text()
    except OSError:
        return []
    found: set[int] = set()
    for line in table.splitlines():
        # `12: POSIX  ADVISORY  WRITE 4711 fe:00:131090 120 120`; `->` marks who only waits.
        _, kind, _, _, pid, place, start, *_ = line.split()
        if kind == "->" or not place.endswith(f":{file.st_ino}"):
            continue
        if _device(place) in {0, file.st_dev} and int(pid) > 0 and wanted(kind, int(start)):
            found.add(int(pid))
    return sorted(found)


def _device(place: str) -> int:
    major, minor, _ = place.split(":")
    return os.makedev(int(major, 16), int(minor, 16))
