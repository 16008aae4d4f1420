"""The three files of an open database: whether they still are the ones at their names."""

from __future__ import annotations

import os
import time
from pathlib import Path

from smithers.errors import StoreGone

_File = tuple[int, int]
"""Device and inode. While a file is open, nothing else gets its number."""
_DATABASE, _LOG, _INDEX = range(3)
_TICKS = 0.1
"""Seconds. Times of files are coarse: only one that is so old tells of each change after it."""
_REMOVAL = 0.1
"""Seconds that whoever takes the log away may need to take the database too."""


class Files:
    """What a connection has open. Make it once the connection has read something.

    SQLite makes log and index at the first read and keeps them until the last connection closes.
    Other processes find them by name: what is written to one that has lost its name is lost.
    """

    def __init__(self, path: Path, folder: int = -1) -> None:
        """`folder`: a descriptor of the folder, for who wants to check quickly."""
        self._path = path
        self._folder = folder
        self._settled = self._changed = 0
        self._since = 0.0
        self._names = (str(path), f"{path}-wal", f"{path}-shm")
        self._opened: list[_File | None] = [None, None, None]
        self.check()

    def check(self) -> int:
        """Size of the log in bytes. Raises StoreGone when one of the files is not at its name."""
        size = 0
        opened = self._opened
        for place, name in enumerate(self._names):
            now = None
            try:
                found = os.stat(name)  # noqa: PTH116 - a Path costs more than the question
                now = (found.st_dev, found.st_ino)
                if place == _LOG:
                    size = found.st_size
            except OSError:
                pass
            if now != opened[place] or now is None:
                self._differs(place, now)
        return size

    def check_quickly(self) -> None:
        """As `check`, by one question if no name in the folder has changed for some time."""
        changed = os.fstat(self._folder).st_mtime_ns
        if changed == self._settled:
            return
        self.check()
        if changed != self._changed:
            self._changed, self._since = changed, time.monotonic()
        elif time.monotonic() - self._since > _TICKS:
            self._settled = changed

    def _differs(self, place: int, now: _File | None) -> None:
        """One that was not there may come: a copy put in place by hand has no log at first."""
        if self._opened[place] is None and (now or place != _DATABASE):
            self._opened[place] = now
        elif place == _DATABASE or not self._database_stays():
            there = _look(self._names[_DATABASE]) is not None
            raise StoreGone(
                f"the database was {'replaced' if there else 'deleted or moved'} while it was open "
                f"({self._path})",
                kept="branches and snapshots, in git; the record only where the file was moved to",
                next="smithers ps" if there else "put it back, or `smithers init` and start again",
            )
        else:
            raise StoreGone(
                f"{self._names[place]} was deleted or replaced while {self._path.name} was open",
                kept="everything that was committed before",
                next="smithers ps",
            )

    def _database_stays(self) -> bool:
        """Whether only the log or index went: one of three names is the first to be removed."""
        end = time.monotonic() + _REMOVAL
        while stays := _look(self._names[_DATABASE]) == self._opened[_DATABASE]:
            if time.monotonic() > end:
                break
            time.sleep(_REMOVAL / 10)
        return stays

    def lost_log(self) -> bool:
        """The log alone was taken away, and nobody has begun another in its place."""
        now = [_look(name) for name in self._names]
        return now == [self._opened[_DATABASE], None, self._opened[_INDEX]]

    def parted(self) -> bool:
        """Others work, or will, on the same database with another log or index than ours."""
        now = [_look(name) for name in self._names]
        at_home = now[_DATABASE] == self._opened[_DATABASE]
        return at_home and now != self._opened and not self.lost_log()


def without_log(path: Path) -> bool:
    """An index lies there without its log: of dead processes, or somebody took the log away."""
    return bool(_look(f"{path}-shm")) and not _look(f"{path}-wal")


def _look(name: str) -> _File | None:
    try:
        found = os.stat(name)  # noqa: PTH116
    except OSError:
        return None
    return (found.st_dev, found.st_ino)
