"""The engine as a process: `python -m smithers.supervise.main STATE RUN READY_FD`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from smithers.clock import SYSTEM, Clock
from smithers.engine.border import Executor, Local
from smithers.engine.loop import Loop
from smithers.engine.room import AGAIN_SECONDS, WHY, Room
from smithers.engine.setup import set_up
from smithers.engine.takeover import Inheritance, take_over
from smithers.errors import LeaseLost, Refused, SmithersError, StoreFull, StoreGone, VcsError
from smithers.process.identity import me
from smithers.process.sweep import become_subreaper
from smithers.store import runs
from smithers.store.database import Store
from smithers.store.drive import Drive, Transition, claim
from smithers.supervise.children import Children
from smithers.supervise.holding import hold
from smithers.supervise.owner import replaceable
from smithers.supervise.spawn import patient_lock


def _say(handle: int, word: str) -> None:
    with suppress(OSError):
        os.write(handle, (word.replace("\n", " ") + "\n").encode())
    with suppress(OSError):
        os.close(handle)


def main(argv: list[str], clock: Clock = SYSTEM) -> int:
    """Claim the run, say so through the pipe, drive it, leave."""
    state, run_id, ready = Path(argv[0]), argv[1], int(argv[2])
    store = Store(state)
    held = patient_lock(store, state, run_id)
    if held is None:
        _say(ready, f"refused run {run_id} is driven by a live engine")
        return 5
    try:
        now = clock.now()
        lease = claim(
            store, run_id, me(), now=now, replaceable=lambda other: replaceable(other, now)
        )
    except Refused as error:
        _say(ready, f"refused {error.what}")
        return 5
    _say(ready, f"ready {run_id} {lease.fence}")
    become_subreaper()
    try:
        asyncio.run(drive_run(store, Drive(store, lease), clock))
    except SmithersError as error:
        # Its log may be on the disk that is full.
        with suppress(OSError):
            sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    finally:
        store.close()
    return 0


async def drive_run(
    store: Store, drive: Drive, clock: Clock, *, executor: Executor | None = None
) -> None:
    """From taking the run over to leaving it. Raises LeaseLost, StoreError.

    `executor`: where turns are played; None: here.
    """
    events = asyncio.get_running_loop()
    # Not ignored: what is ignored stays so in every process of an agent.
    events.add_signal_handler(signal.SIGINT, lambda: None)
    inheritance = await _inherit(store, drive, clock)
    if inheritance is None:
        return
    children = Children(store, store.path.parent, drive.lease.run)
    loop = Loop(
        store,
        drive,
        inheritance,
        clock=clock,
        executor=executor or Local(clock),
        on_news=children.start,
    )
    events.add_signal_handler(signal.SIGTERM, loop.leave)
    await loop.run()
    await children.started()


async def _inherit(store: Store, drive: Drive, clock: Clock) -> Inheritance | None:
    """What the loop begins with; None if the run was left to a person."""
    found: list[Inheritance] = []

    async def prepare() -> None:
        inheritance = await _take_over(store, drive, clock)
        found.append(inheritance)
        await set_up(inheritance, store.path.parent, clock)

    try:
        await hold(drive, store, prepare(), clock)
    except (LeaseLost, StoreGone):
        raise
    except SmithersError as error:
        drive.give_up(error.what, str(error), now=clock.now())
        return None
    except OSError as error:
        drive.give_up(str(error), f"{error}. next: smithers resume", now=clock.now())
        return None
    if not found:
        drive.give_up("asked to end before it began", "", now=clock.now())
        return None
    return found[0]


async def _take_over(store: Store, drive: Drive, clock: Clock) -> Inheritance:
    """Take the run over as soon as there is room for its files. Raises SmithersError, OSError."""
    run = drive.lease.run
    room = Room(store.path.parent, Path(runs.get(store, run).root), clock)
    while True:
        try:
            return take_over(store, run, clock)
        except (VcsError, StoreFull, OSError):
            if not room.full():
                raise
            room.ran_out()
            reason = f"{WHY}: its files cannot be made"
            if runs.get(store, run).status_reason != reason:
                move = Transition(why=reason, reason=reason, counts=drive.counts())
                with suppress(StoreFull):
                    drive.commit(move, now=clock.now())
            await asyncio.sleep(AGAIN_SECONDS)


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception:  # noqa: BLE001 - the engine's log is where its last words belong
        traceback.print_exc()
        status = 1
    sys.exit(status)
