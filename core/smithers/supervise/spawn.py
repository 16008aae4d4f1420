"""Starting an engine.

Detached, in its own session, and not believed until it says that it holds the lease.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

from smithers.clock import SYSTEM, Clock
from smithers.errors import Refused, SmithersError
from smithers.model.run import Lease
from smithers.process.identity import Life, life, signal_owner
from smithers.process.run import detach
from smithers.store import runs
from smithers.store.database import Reader, Store
from smithers.supervise.owner import lock, replaceable

READY_SECONDS = 10.0
LEAVE_SECONDS = READY_SECONDS + 5.0
"""An engine that leaves may still be starting a child run."""
RENEW_GRACE_SECONDS = 6.0
"""Longer than an engine takes between two renewals."""


def inside_attempt() -> bool:
    """Whether this process belongs to an attempt: an engine started from here would die with it."""
    return bool(os.environ.get("SMITHERS_RUN"))


def spawn(state: Path, run_id: str) -> None:
    """Start an engine for a run and wait until it drives. Raises SmithersError with its last words.

    From inside an attempt nothing is started: the outer run's engine takes the queued run up.
    """
    if inside_attempt():
        return
    log = state / "logs" / run_id / "engine.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    begins = log.stat().st_size if log.exists() else 0
    read, write = os.pipe()
    try:
        detach(
            [sys.executable, "-m", "smithers.supervise.main", str(state), run_id, str(write)],
            cwd=state,
            env=_environment(),
            log=log,
            ready_fd=write,
        )
    finally:
        os.close(write)
    try:
        said = _first_word(read)
    finally:
        os.close(read)
    if said.startswith("ready"):
        return
    if said.startswith("refused "):
        raise Refused(said.removeprefix("refused ").strip(), next=f"smithers inspect {run_id}")
    words = log.read_bytes()[begins:].decode("utf-8", "replace").strip().splitlines()[-8:]
    raise SmithersError(
        f"the engine of run {run_id} did not start" + (f": {' / '.join(words)}" if words else ""),
        kept="the run and everything it has done",
        next=f"look into {log}, then `smithers resume {run_id}`",
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SMITHERS_")}


def _first_word(handle: int) -> str:
    """What the engine says within the time it has; nothing if it died or is silent."""
    deadline = SYSTEM.monotonic() + READY_SECONDS
    said = b""
    while b"\n" not in said:
        left = deadline - SYSTEM.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            break
        data = os.read(handle, 4096)
        if not data:
            break
        said += data
    return said.decode("utf-8", "replace")


def driven(reader: Reader | Store, run_id: str, now: int) -> bool:
    """A live engine holds the run."""
    lease, held = runs.lease(reader, run_id)
    return held and not replaceable(lease, now)


def patient_lock(store: Store, state: Path, run_id: str) -> int | None:
    """Lock the run for this process, for its life. None while a live engine drives it.

    One that has given the run back holds the lock for the moment that it takes to end: that is
    waited for, or whoever woke the run in that moment would have done so for nothing.
    """
    deadline = SYSTEM.monotonic() + LEAVE_SECONDS
    while (held := lock(state, run_id)) is None:
        if driven(store, run_id, SYSTEM.now()) or SYSTEM.monotonic() > deadline:
            return None
        select.select([], [], [], 0.01)
    return held


def end_hung_engine(reader: Reader | Store, run_id: str, clock: Clock) -> bool:
    """End an engine on this machine that has let its lease run out. True if there was one."""
    lease, held = runs.lease(reader, run_id)
    if not held or lease.expires_at >= clock.now():
        return False
    if life(lease.owner) not in {Life.ALIVE, Life.SUSPENDED} or _recovers(reader, lease, clock):
        return False
    if not signal_owner(lease.owner, signal.SIGKILL):
        return False
    while life(lease.owner) in {Life.ALIVE, Life.SUSPENDED}:
        select.select([], [], [], 0.01)
    return True


def _recovers(reader: Reader | Store, old: Lease, clock: Clock) -> bool:
    """An engine that runs gets time to renew: the machine may have been asleep until just now."""
    deadline = clock.monotonic() + RENEW_GRACE_SECONDS
    while life(old.owner) is Life.ALIVE and clock.monotonic() < deadline:
        lease, held = runs.lease(reader, old.run)
        if not held or lease.fence != old.fence or lease.expires_at >= clock.now():
            return True
        select.select([], [], [], 0.1)
    return False
