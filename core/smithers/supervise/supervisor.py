"""The supervisor of a run directory: brings back every run that has work and no engine."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from smithers.clock import SYSTEM, Clock
from smithers.errors import Refused, SmithersError
from smithers.model.run import RunStatus
from smithers.store import due
from smithers.store.database import Reader, open_reader
from smithers.supervise.owner import replaceable
from smithers.supervise.reviving import Did, Revival, lost, revive
from smithers.supervise.spawn import inside_attempt

LOOK_SECONDS = 0.2
"""Between two looks: for news, and for engines that died, which write nothing."""
GRACE_SECONDS = 0.5
"""Who makes a run runnable starts its engine: only what lies about longer is ours."""
CHILD_SECONDS = 5.0
"""The same for a run from inside an attempt, as long as the engine of that attempt lives."""
MOST_WAIT = 60.0
"""Seconds between two tries to start an engine that does not come up."""
STARTERS = 4
"""Engines that are being started at one time."""
LOCK_SECONDS = 0.5
"""Somebody who only looks whether there is a supervisor holds the lock for a moment."""

Tell = Callable[[str, str, str], None]
"""Run, what was done (`started`, `asked`, `failed`), and about it in words."""


def lock_file(state: Path) -> Path:
    return state / "supervisor.lock"


@contextmanager
def alone(state: Path, stopped: threading.Event) -> Iterator[None]:
    """Be the only supervisor of the directory, for the life of this process. Raises Refused."""
    handle = os.open(lock_file(state), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = SYSTEM.monotonic() + LOCK_SECONDS
        while not _locked(handle):
            if SYSTEM.monotonic() > deadline:
                pid = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
                raise Refused(
                    f"a supervisor of this run directory is at work (process {pid or '?'})",
                    kept="that one",
                    next="smithers service status",
                )
            stopped.wait(0.02)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def present(state: Path) -> int | None:
    """Pid of the supervisor that is at work, or None."""
    try:
        handle = os.open(lock_file(state), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        return int(pid) if pid.isdecimal() else 0
    finally:
        os.close(handle)
    return None


def watch(state: Path, tell: Tell, stopped: threading.Event) -> None:
    """Keep watch until `stopped`. `tell` is called from the calling thread.

    Raises Refused while another one does; StoreGone when the run directory is taken away.
    """
    if inside_attempt():
        raise Refused(
            "this is an attempt of a run: what starts here ends with it",
            next="smithers supervise, from outside",
        )
    reader = open_reader(state)
    try:
        with alone(state, stopped), ThreadPoolExecutor(STARTERS, "revive") as pool:
            watcher = Watcher(state, reader, tell, pool)
            while not stopped.is_set():
                watcher.look()
                stopped.wait(LOOK_SECONDS)
    finally:
        reader.close()


class Watcher:
    """What is known of the runs between two looks. Nothing of it is needed to go on."""

    def __init__(
        self,
        state: Path,
        reader: Reader,
        tell: Tell,
        pool: ThreadPoolExecutor,
        clock: Clock = SYSTEM,
    ) -> None:
        self._state = state
        self._reader = reader
        self._tell = tell
        self._pool = pool
        self._clock = clock
        self._version = -1
        self._rows: dict[str, due.Open] = {}
        self._since: dict[str, float] = {}
        """Since when a run has been lost. Monotonic, as all times here."""
        self._not_before: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._busy: dict[str, Future[Revival]] = {}

    def look(self) -> None:
        """Tell what came of what was begun, and begin what is due."""
        for run in [run for run, future in self._busy.items() if future.done()]:
            self._ended(run, self._busy.pop(run))
        version = self._reader.version()
        if version != self._version:
            self._rows = {row.lease.run: row for row in due.open_runs(self._reader)}
            self._version = version
        now, at = self._clock.now(), self._clock.monotonic()
        found = [run for run, row in self._rows.items() if lost(row, now)]
        self._since = {run: self._since.get(run, at) for run in found}
        for known in (self._not_before, self._failures):
            for run in known.keys() - self._since.keys() - self._busy.keys():
                del known[run]
        for run in found:
            ready = max(self._since[run] + self._grace(run, now), self._not_before.get(run, 0.0))
            if run not in self._busy and at >= ready:
                self._busy[run] = self._pool.submit(revive, self._state, run, self._clock)

    def _grace(self, run: str, now: int) -> float:
        """The engine of the attempt from which a run was started starts it, if it lives."""
        row = self._rows[run]
        if row.held and row.status is RunStatus.RUNNING:
            return 0.0  # its engine died, and nobody else is on the way
        outer = self._rows.get(row.parent.partition("/")[0])
        cared_for = outer is not None and outer.held and not replaceable(outer.lease, now)
        return CHILD_SECONDS if cared_for else GRACE_SECONDS

    def _ended(self, run: str, future: Future[Revival]) -> None:
        try:
            revival = future.result()
        except Refused:
            # Another engine was faster, or the run has ended.
            self._wait(run, 1.0)
        except (SmithersError, OSError) as error:
            failures = self._failures[run] = self._failures.get(run, 0) + 1
            wait = min(2.0 ** (failures - 1), MOST_WAIT)
            self._wait(run, wait)
            self._tell(run, "failed", f"{error}. tried again in {wait:.0f} s")
        else:
            self._failures.pop(run, None)
            self._wait(run, revival.wait)
            self._say(run, revival)

    def _wait(self, run: str, seconds: float) -> None:
        self._not_before[run] = self._clock.monotonic() + seconds

    def _say(self, run: str, revival: Revival) -> None:
        died = f"its engines died {revival.crashes} times at the same place"
        match revival.did:
            case Did.STARTED:
                again = f"; {died}" if revival.crashes > 1 else ""
                self._tell(run, "started", f"goes on{again}")
            case Did.ASKED:
                self._tell(run, "asked", f"{died}: it waits. next: smithers why {run}")
            case Did.LATER | Did.NOTHING:
                pass
