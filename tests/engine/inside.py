"""An engine in the process of the test, with a clock and a store that the test owns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from smithers.clock import SYSTEM, Clock
from smithers.engine.border import Executor
from smithers.model.run import Owner
from smithers.process.identity import me
from smithers.service import locate, starting
from smithers.store.database import Store
from smithers.store.drive import Drive, claim
from smithers.supervise.main import drive_run
from smithers.supervise.owner import lock
from tests.running import PATIENCE, Turn, Workshop

Script = Callable[["asyncio.Task[None]"], Awaitable[None]]


def write_down(workshop: Workshop, flow: str, *turns: Turn) -> None:
    """A run `r` that is queued, and that nobody starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "spawn", lambda *_: None)
        workshop.up(flow, *turns)


def drive(
    workshop: Workshop,
    script: Script,
    *,
    clock: Clock = SYSTEM,
    crossing: Callable[[str], None] | None = None,
    owner: Owner | None = None,
    executor: Executor | None = None,
) -> BaseException | None:
    """Drive the run as an engine does, beside what the test does to it. What ended the engine."""

    async def both() -> BaseException | None:
        state = locate.state_dir(workshop.root)
        held = lock(state, "r")
        assert held is not None
        store = Store(state, crossing=crossing)
        try:
            now = clock.now()
            lease = claim(store, "r", owner or me(), now=now, replaceable=lambda _: True)
            engine = asyncio.create_task(
                drive_run(store, Drive(store, lease), clock, executor=executor)
            )
            try:
                await script(engine)
                await asyncio.wait_for(asyncio.wait({engine}), PATIENCE)
                return engine.exception()
            finally:
                engine.cancel()
                with suppress(BaseException):
                    await engine
        finally:
            store.close()
            os.close(held)

    return asyncio.run(both())


async def soon(ask: Callable[[], object], workshop: Workshop) -> None:
    """Wait until it is so, while the engine works."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not ask():
        assert loop.time() < deadline, workshop.tell()
        await asyncio.sleep(0.005)
