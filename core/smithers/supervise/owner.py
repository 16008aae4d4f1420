"""Whether the engine that holds a lease is still there."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from smithers.model.run import Lease
from smithers.process.identity import Life, life


def replaceable(lease: Lease, now: int) -> bool:
    """The holder is gone. Of one that cannot be seen from here only the expiry counts.

    A holder that is alive on this machine is never replaced, however late its lease.
    """
    match life(lease.owner):
        case Life.DEAD:
            return True
        case Life.ELSEWHERE:
            return lease.expires_at < now
        case Life.ALIVE | Life.SUSPENDED:
            return False


def lock(state: Path, run_id: str) -> int | None:
    """Hold `engines/<run>.lock` for the life of this process. None while another engine has it.

    The kernel lets go of it however we die.
    """
    folder = state / "engines"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{run_id}.lock"
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        # A file that was deleted and made anew between the two calls would have two holders.
        with suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        os.close(handle)
