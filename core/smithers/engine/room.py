"""Room on the disk: enough to start something, and a reserve to say that there is none."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from smithers.clock import Clock

RESERVE = ".reserve"
_RESERVE = (4 * 1024 * 1024, 16)
_KEPT_FREE = (200 * 1024 * 1024, 20)
"""Bytes; of a small file system no more than this part."""
AGAIN_SECONDS = 5.0
LOOK_SECONDS = 0.2
"""For so long what was seen is taken to hold: to ask for each step would cost too much."""
WHY = "disk full"


class Room:
    """What is free where a run writes.

    The first commit that does not fit frees a reserve file, so that it can be said. Until that
    file could be made again nothing new starts; nothing else is needed to go on.
    """

    def __init__(self, state: Path, workspace: Path, clock: Clock) -> None:
        self._state = state
        devices = {_device(place): place for place in (workspace, state)}
        self._places = tuple(devices.values())
        self._clock = clock
        self._full = False
        self._why = ""
        self._look_at = 0.0
        have_reserve(state)

    def ran_out(self) -> bool:
        """Something could not be written. Whether there was a reserve, which now is free."""
        self._full = True
        self._why = f"{WHY}: nothing new starts before there is room for {self._state}"
        self._look_at = self._clock.monotonic() + AGAIN_SECONDS
        try:
            (self._state / RESERVE).unlink()
        except OSError:
            return False
        return True

    def lack(self) -> str:
        """Why nothing new may start now, or nothing."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            self._full = self._full and not have_reserve(self._state)
            if not self._full:
                self._why = next(filter(None, map(_too_little, self._places)), "")
            self._look_at = now + (AGAIN_SECONDS if self._why else LOOK_SECONDS)
        return self._why

    def next_look(self) -> float | None:
        """Seconds after which there may be room again, if there was none."""
        return AGAIN_SECONDS if self._why else None

    def full(self) -> bool:
        """Whether things fail here for want of room."""
        return any(free < share(size, *_RESERVE) for free, size in map(_free, self._places))


def have_reserve(state: Path) -> bool:
    """Have the reserve there, unless then too little would be free for anything else."""
    path, there = state / RESERVE, _bytes(state / RESERVE)
    free, size = _free(state)
    wanted = share(size, *_RESERVE)
    if there >= wanted:
        return True
    if free + there < wanted + share(size, *_KEPT_FREE):
        return False
    try:
        _fill(path, wanted)
    except OSError:
        with suppress(OSError):
            path.unlink()
        return False
    return True


def lacks_reserve(state: Path) -> bool:
    """The reserve is missing, or shorter than it is made."""
    return _bytes(state / RESERVE) < share(_free(state)[1], *_RESERVE)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def share(size: int, most: int, part: int) -> int:
    """So many bytes of a file system of `size` bytes."""
    return min(most, size // part)


def _too_little(place: Path) -> str:
    free, size = _free(place)
    least = share(size, *_KEPT_FREE)
    if free >= least:
        return ""
    words = f"{least // 2**20} MB" if least >= 2**20 else f"{least // 1024} KB"
    return f"{WHY}: nothing new starts with less than {words} free at {place}"


def _free(place: Path) -> tuple[int, int]:
    """Bytes that may still be written there, and of all; endless where nobody can say."""
    try:
        system = os.statvfs(place)
    except OSError:
        return sys.maxsize, sys.maxsize
    return system.f_bavail * system.f_frsize, system.f_blocks * system.f_frsize


def _device(place: Path) -> int:
    try:
        return place.stat().st_dev
    except OSError:
        return -1


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        if sys.platform == "darwin":
            file.write(bytes(size))
        else:
            os.posix_fallocate(file.fileno(), 0, size)
