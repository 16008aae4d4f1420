"""Limits of an attempt. They count time awake.

A closed lid is no stall, and neither is an engine that somebody had stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from smithers.clock import Clock
from smithers.config import Limits
from smithers.model.step import PlanStep, StepKind

T = TypeVar("T")

TIMEOUT = {StepKind.TASK: 3600.0, StepKind.CHECK: 1800.0, StepKind.CALL: 3600.0}
STALL = {StepKind.TASK: 600.0}
LOOK_SECONDS = 5.0
LATE_SECONDS = 1.0
"""A look that comes later than this was slept through: that time is not counted."""


class OutOfTime(Exception):
    """A limit was reached. The text says which."""


class Pulse:
    """When an attempt last gave a sign of life."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last = clock.monotonic()

    def beat(self) -> None:
        self.last = self._clock.monotonic()


def limits_of(step: PlanStep, given: Limits) -> tuple[float | None, float | None]:
    """Seconds that an attempt may take, and may be silent."""
    own = step.spec.get("timeout")
    timeout = (
        float(own) if isinstance(own, int | float) else given.timeout or TIMEOUT.get(step.kind)
    )
    stall = given.stall or STALL.get(step.kind) if step.kind is StepKind.TASK else None
    return timeout, stall


async def within(
    work: Coroutine[Any, Any, T],
    *,
    clock: Clock,
    pulse: Pulse,
    timeout: float | None,  # noqa: ASYNC109 - by our clock, not the loop's
    stall: float | None,
) -> T:
    """The result of `work`. Past a limit it is cancelled, waited for, and OutOfTime raised."""
    guard = _Guard(clock, pulse, timeout, stall)
    try:
        async with guard.alarm:
            guard.wait()
            value = await work
    except Exception as error:
        guard.heed(error)
        raise
    finally:
        guard.end()
    guard.heed(None)
    return value


class _Guard:
    """Looks at the clock while some work is awaited, and cancels it past a limit."""

    def __init__(
        self, clock: Clock, pulse: Pulse, timeout: float | None, stall: float | None
    ) -> None:
        self.alarm = asyncio.timeout(None)
        self._clock = clock
        self._pulse = pulse
        self._timeout = timeout
        self._stall = stall
        self._began = self._looked = clock.monotonic()
        self._pause = 0.0
        self._past: OutOfTime | None = None
        self._handle: asyncio.TimerHandle | None = None

    def wait(self) -> None:
        """Look again as soon as a limit could be reached, and now and then before."""
        self._looked = now = self._clock.monotonic()
        pause = LOOK_SECONDS
        if self._timeout is not None:
            pause = min(pause, self._began + self._timeout - now)
        if self._stall is not None:
            pause = min(pause, self._pulse.last + self._stall - now)
        self._pause = max(pause, 0.0)
        self._handle = asyncio.get_running_loop().call_later(self._pause, self._look)

    def _look(self) -> None:
        now = self._clock.monotonic()
        late = now - self._looked - self._pause
        if late > LATE_SECONDS:
            self._began += late
            self._pulse.last = min(now, self._pulse.last + late)
        if self._timeout is not None and now - self._began >= self._timeout:
            self._past = OutOfTime(f"time limit of {self._timeout:g} s reached")
        elif self._stall is not None and now - self._pulse.last >= self._stall:
            self._past = OutOfTime(f"no sign of life for {self._stall:g} s")
        if self._past is None:
            self.wait()
        else:
            self.alarm.reschedule(asyncio.get_running_loop().time())

    def heed(self, error: Exception | None) -> None:
        """Work may swallow the word to stop, or raise something else: neither is how it ended."""
        if self.alarm.expired() and self._past is not None:
            raise self._past from error
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error

    def end(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
