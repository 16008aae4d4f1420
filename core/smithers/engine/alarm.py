"""When to wake for a time that a run waits for, though the clock is set meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from smithers.clock import Clock
from smithers.model.step import Attempt

LOOK_SECONDS = 30.0
"""A sleep may end late when the machine slept too, so none is longer."""


class Alarm:
    """One time of the wall clock.

    It has come when the clock says so, or when as long as there was to wait has passed awake: a
    clock that was set back by a day does not make a pause of seconds one of a day.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.at: int | None = None
        self._awake_at = 0.0

    def set(self, at: int | None, attempts: Iterable[Sequence[Attempt]] = ()) -> None:
        """Wake at this time. The wait began when the attempt ended that asked for it."""
        if at == self.at:
            return
        self.at = at
        if at is not None:
            asked = [tries[-1].finished_at or 0 for tries in attempts if tries[-1].retry_at == at]
            wait = at - max(self._clock.now(), *asked, 0)
            self._awake_at = self._clock.monotonic() + wait / 1000

    def now(self) -> int:
        """The time by which to judge what is due."""
        now = self._clock.now()
        if self.at is not None and self._clock.monotonic() >= self._awake_at:
            return max(now, self.at)
        return now

    def wait(self) -> float | None:
        """Seconds to sleep before looking again."""
        if self.at is None:
            return None
        wall = (self.at - self._clock.now()) / 1000
        awake = self._awake_at - self._clock.monotonic()
        return max(0.0, min(wall, awake, LOOK_SECONDS))
