"""Races at a named place: what the other process may not do in between, and what must come of it."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from smithers.errors import LeaseLost
from smithers.process import cgroup, table
from smithers.service.locate import state_dir
from smithers.store.database import NAME
from smithers.supervise.spawn import spawn
from tests.faults import points
from tests.faults.flows import FLOWS, Flow
from tests.faults.oracles import RUN
from tests.faults.person import Case, Play
from tests.faults.world import World

Watcher = Callable[[World], Callable[[int], None]]


@dataclass(frozen=True)
class Scenario:
    """A workflow, watched at a point."""

    flow: str
    point: str
    watch: Watcher
    play: type[Play] = Play


def run(world: World, scenario: Scenario) -> list[str]:
    """What is wrong after it."""
    flow = replace(SCENARIO_FLOWS.get(scenario.flow) or FLOWS[scenario.flow], busy=True)
    world.prepare(flow)
    world.images.restore(flow.name)
    points.at[scenario.point] = scenario.watch(world)
    try:
        case = Case(flow)
        scenario.play(world, case).to_the_end()
    finally:
        points.at.clear()
    told = world.out / "wrong"
    return [*case.wrong, *(told.read_text().splitlines() if told.exists() else [])]


def _tell(world: World, wrong: str) -> None:
    with (world.out / "wrong").open("a") as file:
        file.write(f"{wrong}\n")


def _wait_for(path: Path) -> None:
    """Until somebody else has done something; bounded by the harness, which ends what hangs."""
    while not path.exists():
        os.sched_yield()


# -- what is watched --


def _stranger_writes(world: World) -> Callable[[int], None]:
    """Once a transaction has read, no program that knows nothing of our lock can write before it."""

    def watch(_: int) -> None:
        other = sqlite3.connect(state_dir(world.root) / NAME, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
            _tell(world, "a stranger could write inside a transaction that had read")
        except sqlite3.OperationalError:
            pass
        finally:
            other.close()

    return watch


def _lock_is_free(world: World) -> Callable[[int], None]:
    """While a checkpoint is made nobody else can have the writers' lock, so nobody commits."""

    def watch(_: int) -> None:
        handle = os.open(state_dir(world.root), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _tell(world, "a checkpoint is made, and the writers' lock is free")
        except BlockingIOError:
            pass
        finally:
            os.close(handle)

    return watch


def _decided_while_parking(world: World) -> Callable[[int], None]:
    """A person decides after the engine has found that it has nothing to do, before it says so."""

    def watch(_: int) -> None:
        if not (world.out / "did.decide").exists():
            (world.out / "wants.decide").touch()
            _wait_for(world.out / "did.decide")

    return watch


def _forks_while_swept(world: World) -> Callable[[int], None]:
    """What is to be swept starts something new just after each sweep has looked for the first time."""
    points.replace(
        cgroup, "home", lambda: None
    )  # where the system has one it leaves the sweep nothing to do
    fork, forked, pids = (world.out / name for name in ("fork", "forked", "forkers"))

    def lives() -> bool:
        entries = [table.read(int(pid)) for pid in pids.read_text().split()]
        return any(entry is not None and not entry.dead for entry in entries)

    def watch(_: int) -> None:
        forked.unlink(missing_ok=True)
        fork.touch()
        while not forked.exists() and lives():
            os.sched_yield()

    return watch


def _stops(world: World) -> Callable[[int], None]:
    """The first engine is stopped in the middle of an attempt, for longer than its lease."""

    def watch(_: int) -> None:
        if not (world.out / "stopped").exists():
            (world.out / "stopped").touch()
            os.kill(os.getpid(), signal.SIGSTOP)

    return watch


class _Stolen(Play):
    """A second engine takes the run from one that is stopped; then that one goes on."""

    def _serve(self) -> None:
        if (self.world.out / "stopped").exists() and not (self.world.out / "stolen").exists():
            first = self._engine
            if (entry := table.read(first)) is None or entry.state != "T":
                return
            (self.world.out / "stolen").touch()
            points.board.engine = 0
            if code := self.world.aside(lambda: _steal(self.world)):
                self.wrong(f"an engine elsewhere could not take over: {code} {self.world.words()}")
            self._until_parked()
            self._engine = first
            os.kill(first, signal.SIGCONT)
        super()._serve()

    def _do(self, action: str) -> None:
        super()._do(action)
        if action == "bring_back" and not (self.world.out / "stolen").exists():
            self.wrong("nothing was stolen")

    def _ended_with(self, pid: int, code: int) -> None:
        stopped = (self.world.out / "stopped").exists() and pid == self._engine
        if not stopped or code != LeaseLost("").exit_code:
            super()._ended_with(pid, code)


def _steal(world: World) -> None:
    """As an engine on another host does once the lease has run out: it sees neither pid nor lock."""
    state = state_dir(world.root)
    db = sqlite3.connect(state / NAME, isolation_level=None)
    db.execute("UPDATE leases SET expires_at = 1, pid_ns = 1")
    db.close()
    (state / f"engines/{RUN}.lock").unlink()
    points.at.clear()
    spawn(state, RUN)


SCENARIO_FLOWS = {
    flow.name: flow
    for flow in (
        Flow(
            "parks",
            'return Sequence(Parallel(Approval("ship", "Ship it?"), Call("a", awork, 1)), Call("b", awork, 2))',
        ),
        Flow(
            "forks",
            """
            (OUT / "forker").write_text(FORKER.format(OUT))
            return Check("a", f"sh {OUT}/forker >/dev/null 2>&1 & until [ -e {OUT}/forkers ]; do :; done")
            """,
            processes=True,
        ),
    )
}
SCENARIOS = {
    "stolen": Scenario("gate", "call.begun", _stops, _Stolen),
    "forks while swept": Scenario("forks", "sweep.look.after", _forks_while_swept),
    "decided while parking": Scenario("parks", "park.before", _decided_while_parking),
    "a stranger writes": Scenario("sequence", "fence.checked", _stranger_writes),
    "checkpoint alone": Scenario("sequence", "checkpoint.before", _lock_is_free),
}
