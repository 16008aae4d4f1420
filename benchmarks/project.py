"""A run directory to measure in, and engines for its runs: in this process, or real ones."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks import marks
from smithers.clock import SYSTEM
from smithers.engine.border import Local
from smithers.engine.loop import Loop
from smithers.engine.setup import set_up
from smithers.engine.takeover import take_over
from smithers.model.run import Run
from smithers.process.identity import me
from smithers.service.locate import ensure, state_dir
from smithers.store import runs
from smithers.store.database import NAME, Store
from smithers.store.drive import Drive, claim
from smithers.supervise.spawn import spawn

WORKFLOWS = Path(__file__).with_name("workflows.py")


class Driven(NamedTuple):
    """A run that was driven here, from start to end."""

    marks: list[marks.Mark]
    frames: int


class Project:
    """One folder with `.smithers/` in it."""

    def __init__(self, root: Path, *, concurrency: int = 4) -> None:
        self.root = root
        self.state = state_dir(root)
        ensure(root)
        config = f"[limits]\nconcurrency = {concurrency}\n"
        (root / ".smithers" / "config.toml").write_text(config, encoding="utf-8")

    @property
    def database(self) -> Path:
        return self.state / NAME

    def marks(self, run: str) -> Path:
        return self.root / f"{run}.marks"

    def hold(self, run: str) -> Path:
        return self.root / f"{run}.hold"

    def create(self, workflow: str, *, steps: int = 1, wide: int = 64, held: bool = False) -> str:
        """Write the row of a new run. A held one waits in its last step until the file is gone."""
        run = SYSTEM.run_id()
        given: Mapping[str, int | str] = {
            "steps": steps,
            "wide": wide,
            "marks": str(self.marks(run)),
        }
        if held:
            self.hold(run).touch()
            given = {**given, "hold": str(self.hold(run))}
        store = Store(self.state)
        try:
            runs.create(
                store,
                Run(
                    id=run,
                    recipe=workflow,
                    title=f"benchmark {workflow} of {steps}",
                    source=f"{WORKFLOWS}:{workflow}",
                    source_digest="",
                    input=dict(given),
                    created_at=SYSTEM.now(),
                    root=str(self.root),
                    workspace=str(self.root),
                ),
                created_by="person:benchmarks",
            )
        finally:
            store.close()
        return run

    def drive(self, workflow: str, *, steps: int, wide: int = 64) -> Driven:
        """Run it to its end in this process, as an engine would. Raises RuntimeError otherwise."""
        run = self.create(workflow, steps=steps, wide=wide)
        store = Store(self.state)
        lease = claim(store, run, me(), now=SYSTEM.now(), replaceable=lambda _: False)
        gc.collect()
        try:
            asyncio.run(self._drive(store, Drive(store, lease), run))
            ended = runs.get(store, run)
        finally:
            store.close()
        if not ended.status.ended or ended.error:
            raise RuntimeError(f"{workflow} of {steps}: {ended.status} {ended.error}")
        return Driven(marks.read(self.marks(run)), ended.frame)

    async def _drive(self, store: Store, drive: Drive, run: str) -> None:
        inheritance = take_over(store, run, SYSTEM)
        await set_up(inheritance, self.state, SYSTEM)
        loop = Loop(store, drive, inheritance, clock=SYSTEM, executor=Local(SYSTEM))
        await loop.run()

    def spawn(self, run: str) -> None:
        """Start a real engine and wait until it holds the lease."""
        spawn(self.state, run)

    def one(self, sql: str, *values: object) -> int:
        """The first value of the first row, or 0."""
        db = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            row = db.execute(sql, values).fetchone()
        finally:
            db.close()
        return row[0] if row else 0

    def engine(self, run: str) -> int:
        """The process that drives the run, or 0."""
        return self.one(
            "SELECT pid FROM leases WHERE held = 1 AND run = (SELECT seq FROM runs WHERE id = ?)",
            run,
        )

    def kill(self, run: str) -> None:
        """End the run's engine as a power cut would, and see it gone."""
        pid = self.engine(run)
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_gone(pid)

    def rest(self, run: str, *, within: float = 60.0) -> None:
        """Wait until nobody drives the run. Raises TimeoutError."""
        deadline = time.monotonic() + within
        while self.engine(run):
            if time.monotonic() > deadline:
                raise TimeoutError(f"run {run} is still driven")
            time.sleep(0.005)

    def size(self) -> int:
        """Bytes of the database with its log folded in."""
        db = sqlite3.connect(self.database)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        db.close()
        return self.database.stat().st_size


def wait_gone(pid: int, *, within: float = 10.0) -> None:
    """Until the process is no more, a zombie included. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while _there(pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} is still there")
        time.sleep(0.002)


def _there(pid: int) -> bool:
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        done = 0
    if done == pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
