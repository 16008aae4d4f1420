"""The engine as a process: `python -m smithers.supervise.main STATE RUN READY_FD`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from smithers.clock import SYSTEM
from smithers.engine.loop import Loop
from smithers.engine.setup import set_up
from smithers.engine.takeover import take_over
from smithers.errors import Refused, SmithersError
from smithers.process.identity import me
from smithers.process.sweep import become_subreaper
from smithers.store.database import Store
from smithers.store.drive import Drive, claim
from smithers.supervise.children import Children
from smithers.supervise.holding import hold
from smithers.supervise.owner import replaceable
from smithers.supervise.spawn import patient_lock


def _say(handle: int, word: str) -> None:
    with suppress(OSError):
        os.write(handle, (word.replace("\n", " ") + "\n").encode())
    with suppress(OSError):
        os.close(handle)


def main(argv: list[str]) -> int:
    """Claim the run, say so through the pipe, drive it, leave."""
    state, run_id, ready = Path(argv[0]), argv[1], int(argv[2])
    store = Store(state)
    held = patient_lock(store, state, run_id)
    if held is None:
        _say(ready, f"refused run {run_id} is driven by a live engine")
        return 5
    try:
        now = SYSTEM.now()
        lease = claim(
            store, run_id, me(), now=now, replaceable=lambda other: replaceable(other, now)
        )
    except Refused as error:
        _say(ready, f"refused {error.what}")
        return 5
    drive = Drive(store, lease)
    _say(ready, f"ready {run_id} {lease.fence}")
    become_subreaper()
    try:
        asyncio.run(_drive(store, drive, state, run_id))
    except SmithersError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    finally:
        store.close()
    return 0


async def _drive(store: Store, drive: Drive, state: Path, run_id: str) -> None:
    events = asyncio.get_running_loop()
    # Not ignored: what is ignored stays so in every process of an agent.
    events.add_signal_handler(signal.SIGINT, lambda: None)
    try:
        inheritance = take_over(store, run_id, SYSTEM)
        await hold(drive, store, set_up(inheritance, state, SYSTEM))
    except SmithersError as error:
        drive.give_up(error.what, str(error), now=SYSTEM.now())
        return
    children = Children(store, state, run_id)
    loop = Loop(store, drive, inheritance, clock=SYSTEM, on_news=children.start)
    events.add_signal_handler(signal.SIGTERM, loop.leave)
    await loop.run()
    await children.started()


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception:  # noqa: BLE001 - the engine's log is where its last words belong
        traceback.print_exc()
        status = 1
    sys.exit(status)
