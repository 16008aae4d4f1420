"""Time limits of an attempt, by the clock that stands still in suspend.

A closed lid is no stall.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from smithers.clock import Clock
from smithers.config import Limits
from smithers.model.step import PlanStep, StepKind

T = TypeVar("T")

TIMEOUT = {StepKind.TASK: 3600.0, StepKind.CHECK: 1800.0, StepKind.CALL: 3600.0}
STALL = {StepKind.TASK: 600.0}


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
    if stall is None:
        return await _in_time(work, timeout)
    task = asyncio.ensure_future(work)
    began = clock.monotonic()
    try:
        while True:
            now = clock.monotonic()
            if timeout is not None and now - began >= timeout:
                raise _past(timeout)
            if now - pulse.last >= stall:
                raise OutOfTime(f"no sign of life for {stall:g} s")
            ends = (
                [pulse.last + stall] if timeout is None else [began + timeout, pulse.last + stall]
            )
            done, _ = await asyncio.wait({task}, timeout=min(ends) - now)
            if done:
                return task.result()
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _in_time(work: Coroutine[Any, Any, T], timeout: float | None) -> T:  # noqa: ASYNC109
    """The same without a task of its own: where nothing but the end can come, none is needed."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            value = await work
    except Exception as error:
        _heed(limit, timeout, error)
        raise
    _heed(limit, timeout, None)
    return value


def _heed(limit: asyncio.Timeout, timeout: float | None, error: Exception | None) -> None:
    """Work may swallow the word to stop, or raise something else: neither is how it ended."""
    if timeout is not None and limit.expired():
        raise _past(timeout) from error
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


def _past(timeout: float) -> OutOfTime:
    return OutOfTime(f"time limit of {timeout:g} s reached")
