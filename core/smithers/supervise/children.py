"""Runs that were started from inside a run's attempts: its engine starts theirs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from smithers.engine.threads import in_thread
from smithers.errors import SmithersError
from smithers.store import recovery
from smithers.store.database import Store
from smithers.supervise.spawn import spawn


class Children:
    """Starts each as soon as it is seen, beside the loop: an attempt may be waiting for it."""

    def __init__(self, store: Store, state: Path, run_id: str) -> None:
        self._store = store
        self._state = state
        self._run = run_id
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._failed: set[tuple[str, int]] = set()

    def start(self) -> None:
        """Start what is queued. One that did not come up is left to who looks at it."""
        for child, rev in recovery.queued_children(self._store, self._run):
            if child not in self._starting and (child, rev) not in self._failed:
                self._starting[child] = asyncio.create_task(self._spawn(child, rev))

    async def started(self) -> None:
        """Until all that was begun is done: with us it would end half way."""
        await asyncio.gather(*self._starting.values())

    async def _spawn(self, child: str, rev: int) -> None:
        try:
            await in_thread(spawn, self._state, child)
        except SmithersError as error:
            self._failed.add((child, rev))
            sys.stderr.write(f"error: {error}\n")
        finally:
            del self._starting[child]
