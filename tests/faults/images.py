"""Copies of a folder: made quickly, and put back by a change of name."""

from __future__ import annotations

import os
from pathlib import Path


class Images:
    """Of one folder. Its path never changes, so that what is kept of a run fits again."""

    def __init__(self, live: Path, kept: Path) -> None:
        self._live = live
        self._kept = kept
        kept.mkdir(exist_ok=True)

    def has(self, name: str) -> bool:
        return (self._kept / name).exists()

    def save(self, name: str) -> None:
        _copy(str(self._live), str(self._kept / name))

    def restore(self, name: str) -> None:
        """The folder is again as it was when it was saved."""
        self.clear()
        _copy(str(self._kept / name), str(self._live))

    def take(self, name: str) -> None:
        """The same for the last time: nothing is left of the image."""
        self.clear()
        (self._kept / name).rename(self._live)

    def drop(self, name: str) -> None:
        _remove(str(self._kept / name))

    def clear(self) -> None:
        if self._live.exists():
            _remove(str(self._live))


def _copy(source: str, to: str) -> None:
    """A folder as it is, but for its times: they do not matter, and cost as much as all else."""
    os.mkdir(to)  # noqa: PTH102 - paths cost more than the files
    with os.scandir(source) as entries:
        for entry in entries:
            target = f"{to}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), target)  # noqa: PTH115, PTH211
            elif entry.is_dir():
                _copy(entry.path, target)
            else:
                _copy_file(entry.path, target)


def _remove(folder: str) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)  # noqa: PTH108
    os.rmdir(folder)  # noqa: PTH106


def _copy_file(source: str, to: str) -> None:
    read = os.open(source, os.O_RDONLY)
    try:
        found = os.fstat(read)
        write = os.open(to, os.O_WRONLY | os.O_CREAT, 0o700 if found.st_mode & 0o100 else 0o600)
        try:
            while found.st_size and os.sendfile(write, read, None, found.st_size):
                pass
        finally:
            os.close(write)
    finally:
        os.close(read)
