"""Work before the loop begins, with the lease kept and an ear for who wants it to end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from smithers.clock import Clock
from smithers.engine.watch import Tenure
from smithers.model.run import Intent
from smithers.store import runs
from smithers.store.database import Store
from smithers.store.drive import Drive

LOOK_SECONDS = 0.1


async def hold(
    drive: Drive, store: Store, work: Coroutine[object, object, None], clock: Clock
) -> None:
    """Await the work; a run that is to pause now or to be cancelled does not wait for it.

    Raises what the work raises, LeaseLost when another engine has taken over.
    """
    task = asyncio.ensure_future(work)
    tenure = Tenure(drive, clock)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
            if runs.get(store, drive.lease.run).intent in {Intent.CANCEL, Intent.PAUSE_NOW}:
                break
            tenure.keep()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if not task.cancelled():
        task.result()
