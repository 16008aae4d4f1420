"""The lease of an engine, kept in time, and an ear for what other processes commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from smithers.clock import Clock
from smithers.errors import LeaseLost, StoreBusy, StoreFull
from smithers.store import runs
from smithers.store.database import Store
from smithers.store.drive import Drive

LOOK_SECONDS = 0.015
RENEW_SECONDS = 5.0
UNSURE_SECONDS = 10.0
"""Since the last renewal; the lease is longer, so that until then nobody can have taken it."""
DRIFT_SECONDS = 5.0
"""By which wall clock and time awake differ when the clock was set or the machine slept."""


class Tenure:
    """Whether this engine still drives its run."""

    def __init__(self, drive: Drive, clock: Clock) -> None:
        self._drive = drive
        self._clock = clock
        self._renewed = self._tried = self._moment()
        self._lost: LeaseLost | None = None

    def check(self) -> None:
        """To be asked before anything is written outside the database or started.

        Raises LeaseLost. Reads only when the lease may have run out unseen: while this process was
        stopped, the machine asleep, or the clock set.
        """
        if self._lost is None and max(map(abs, self._since(self._renewed))) >= UNSURE_SECONDS:
            self._attend(self._drive.check)
        if self._lost is not None:
            raise self._lost

    def keep(self) -> None:
        """Renew the lease when it is time, or may be too late already. Raises LeaseLost."""
        awake, wall = self._since(self._tried)
        if awake < RENEW_SECONDS and abs(wall - awake) < DRIFT_SECONDS:
            return
        try:
            # Nothing is lost by a renewal that cannot be written: nobody replaces who lives.
            with suppress(StoreBusy, StoreFull):
                self._attend(lambda: self._drive.renew(self._clock.now()))
                self._renewed = self._moment()
        finally:
            self._tried = self._moment()

    def _attend(self, ask: Callable[[], None]) -> None:
        try:
            ask()
        except LeaseLost as lost:
            self._lost = lost
            raise

    def _moment(self) -> tuple[float, float]:
        return self._clock.monotonic(), self._clock.now() / 1000

    def _since(self, before: tuple[float, float]) -> tuple[float, float]:
        """Seconds by the time awake, and by the wall clock, which may have been set."""
        awake, wall = self._moment()
        return awake - before[0], wall - before[1]


async def keep_watch(
    store: Store,
    tenure: Tenure,
    run: str,
    *,
    seen: Callable[[], int],
    on_commit: Callable[[], None],
    on_news: Callable[[], None],
) -> None:
    """For ever: keep the lease and tell of commits, and of those that changed the run from outside.

    `seen` is the run's rev that is known already. Raises LeaseLost, StoreError.
    """
    version = store.version()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        tenure.keep()
        now = store.version()
        if now != version:
            version = now
            on_commit()
            if runs.rev(store, run) != seen():
                on_news()
