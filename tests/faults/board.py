"""What all processes of a case share: how many points were crossed, and what is to happen at one."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import threading
import time

NAMES: list[str] = []
"""Every point there is, by number."""
ENGINE, VERB = "engine", "verb"
_NUMBERS = ("crossed", "target", "deaths", "engine", "verb", "lives", "stops", "died", "recovery")
_NUMBER = struct.Struct("=d")
_TRACE = 1 << 12
STOP = struct.Struct("=iii")
"""What a process says before it stops at a point: its pid, whether it is an engine, the crossing."""
_lock = threading.Lock()


class Board:
    """Each number is written by itself: two processes may write different ones at once."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, 8 * len(_NUMBERS) + _TRACE)

    def _get(self, name: str) -> float:
        (found,) = _NUMBER.unpack_from(self._map, 8 * _NUMBERS.index(name))
        return float(found)

    def _set(self, name: str, value: float) -> None:
        _NUMBER.pack_into(self._map, 8 * _NUMBERS.index(name), value)

    def forget(self) -> None:
        for name in _NUMBERS:
            self._set(name, 0)

    def arm(self, target: int) -> None:
        """Count from nothing; the process that makes crossing number `target` ends there. 0: none."""
        self._set("crossed", 0)
        self._set("target", target)

    @property
    def crossed(self) -> int:
        return int(self._get("crossed"))

    @property
    def deaths(self) -> int:
        return int(self._get("deaths"))

    @property
    def engine(self) -> int:
        """Pid of the engine that was started last."""
        return int(self._get("engine"))

    @engine.setter
    def engine(self, pid: int) -> None:
        self._set("engine", pid)

    @property
    def verb(self) -> bool:
        """A process does something to the run."""
        return bool(self._get("verb"))

    @verb.setter
    def verb(self, lives: bool) -> None:
        self._set("verb", lives)

    @property
    def lives(self) -> bool:
        """An engine was started, and nobody has seen it end yet."""
        return bool(self._get("lives"))

    @lives.setter
    def lives(self, lives: bool) -> None:
        self._set("lives", lives)

    @property
    def stops(self) -> int:
        """Where a process that crosses a point says so, and stops until it is told to go on."""
        return int(self._get("stops"))

    @stops.setter
    def stops(self, handle: int) -> None:
        self._set("stops", handle)

    def trace(self) -> list[str]:
        """Names of what was crossed since the board was armed, in order."""
        crossed = self.crossed
        return [self._at(n) for n in range(max(0, crossed - _TRACE), crossed)]

    @property
    def last(self) -> str:
        """Name of what was crossed last."""
        return self._at(self.crossed - 1) if self.crossed else ""

    def _at(self, number: int) -> str:
        return NAMES[self._map[8 * len(_NUMBERS) + number % _TRACE]]

    def pause(self, seconds: float) -> None:
        """Time that the harness took for itself is no recovery time."""
        if died := self._get("died"):
            self._set("died", died + seconds)

    def mark_death(self) -> None:
        self._set("died", time.monotonic())

    def committed(self) -> None:
        """A frame is there: if it is the first after a death, the run has recovered."""
        if died := self._get("died"):
            self._set("died", 0)
            self._set("recovery", time.monotonic() - died)

    def take_recovery(self) -> float:
        """Seconds from the last death to the first new frame; 0 if none was measured since."""
        found = self._get("recovery")
        self._set("recovery", 0)
        return found

    def cross(self, name: str, role: str) -> None:
        with _lock:
            crossed = self.crossed + 1
            self._map[8 * len(_NUMBERS) + (crossed - 1) % _TRACE] = NAMES.index(name)
            self._set("crossed", crossed)
            if crossed == self._get("target"):
                self._set("deaths", self.deaths + 1)
                self.mark_death()
                os.kill(os.getpid(), signal.SIGKILL)
            handle = self.stops
            # What a death leaves is more than files where a second process goes on.
            if handle and not (self.verb if role == ENGINE else self.lives):
                os.write(handle, STOP.pack(os.getpid(), role == ENGINE, crossed))
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
