"""The tests are tested: bugs that are planted in the product, one at a time, and must be found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smithers.clock import SYSTEM
from smithers.engine import attempt as attempts
from smithers.process import sweep, table
from smithers.schedule.retry import retry_at
from smithers.store import database, runs
from smithers.store.database import Store
from smithers.store.drive import Drive, Transition
from smithers.vcs import snapshots
from tests.faults import world as worlds
from tests.faults.flows import FLOWS
from tests.faults.points import replace as put
from tests.faults.scenarios import SCENARIOS, run
from tests.faults.schedule import Player, exhaustive
from tests.faults.world import World


@dataclass(frozen=True)
class Bug:
    """What breaks the product, and where that is looked for: a scenario, or a workflow's faults."""

    plant: Callable[[], None]
    where: str


def _commit_split() -> None:
    real = Drive.commit

    def commit(self: Drive, move: Transition, **how: Any) -> bool:
        done = real(self, replace(move, outputs=()), **how)
        if done and move.outputs:
            with self._store.write() as db:
                self._write_facts(db, Transition("", outputs=move.outputs), how["now"])
        return done

    put(Drive, "commit", commit)


def _fence_ignored() -> None:
    put(Drive, "check", lambda self: None)
    ask = "SELECT frame FROM runs WHERE seq = ?"
    put(Drive, "_check_fence", lambda self, db: db.execute(ask, (self._seq,)).fetchone()[0])


def _acknowledged_early() -> None:
    real = Drive.commit

    def commit(self: Drive, move: Transition, **how: Any) -> bool:
        if not move.outputs or how.get("release_at") is not None:
            return real(self, move, **how)
        asyncio.get_running_loop().call_soon(lambda: real(self, move, **how))
        return True

    put(Drive, "commit", commit)


def _no_rescan() -> None:
    def catch(tokens: Any) -> sweep.Caught:
        caught: sweep.Caught = {}
        for pid in table.pids():
            entry = table.read(pid)
            if entry is not None and not table.tokens(pid).isdisjoint(tokens):
                sweep._stop(entry, caught)
        return caught

    put(sweep, "_catch", catch)
    sweep._ROUNDS = 1


def _wake_lost() -> None:
    real = Drive.commit

    def commit(self: Drive, move: Transition, *, now: int, release_at: int | None = None) -> bool:
        if release_at is not None:
            release_at = runs.rev(self._store, self.lease.run)
        return real(self, move, now=now, release_at=release_at)

    put(Drive, "commit", commit)


def _begin_deferred() -> None:
    class Deferring:
        def __init__(self, db: Any) -> None:
            self._db = db

        def execute(self, sql: str, *rest: Any) -> Any:
            return self._db.execute("BEGIN" if sql == "BEGIN IMMEDIATE" else sql, *rest)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._db, name)

    real = database.connect
    put(database, "connect", lambda *a, **k: Deferring(real(*a, **k)))


def _ref_first() -> None:
    name, take = snapshots._name, snapshots.take
    aside: list[tuple[Path, Path]] = []

    def named(space: Any, ref: str, commit: str) -> None:
        file = space.common_dir / "objects" / commit[:2] / commit[2:]
        if file.exists():
            name(space, ref, commit)
            aside.append((file, file.rename(file.with_suffix(".later"))))

    def taken(*args: Any, **named: Any) -> Any:
        found = take(*args, **named)
        while aside:
            file, later = aside.pop()
            later.rename(file)
        return found

    put(snapshots, "_name", named)
    put(snapshots, "take", taken)


def _output_again() -> None:
    real, facts = Drive._write_facts, runs.facts

    def write(self: Drive, db: Any, move: Transition, now: int) -> None:
        for output in move.outputs:
            db.execute("DELETE FROM outputs WHERE run = ? AND key = ?", (self._seq, output.key))
        real(self, db, move, now)

    def forgetful(store: Any, run: str) -> Any:
        known = facts(store, run)
        lease, _ = runs.lease(store, run)
        done = [key for key in known.outputs if "[" not in key]
        if lease.fence == 2 and done:
            del known.outputs[done[-1]]
        return known

    put(Drive, "_write_facts", write)
    put(runs, "facts", forgetful)


def _wrong_clock() -> None:
    real = retry_at

    def by_time_awake(*args: Any, now: int, **rest: Any) -> int | None:
        return real(*args, now=int(SYSTEM.monotonic() * 1000), **rest)

    put(attempts, "retry_at", by_time_awake)


def _checkpoint_unlocked() -> None:
    real, checkpoint = Store.write, Store._checkpoint
    due: list[int] = []

    @contextmanager
    def write(self: Store, **how: Any) -> Iterator[Any]:
        with real(self, **how) as db:
            yield db
        checkpoint(self, due.pop())

    put(Store, "_checkpoint", lambda self, size: due.append(size))
    put(Store, "write", write)


BUGS = {
    "commit split in two": Bug(_commit_split, "sequence"),
    "fence not checked": Bug(_fence_ignored, "stolen"),
    "acknowledged before the commit": Bug(_acknowledged_early, "sequence"),
    "sweep without a second look": Bug(_no_rescan, "forks while swept"),
    "lost wake-up": Bug(_wake_lost, "decided while parking"),
    "deferred BEGIN": Bug(_begin_deferred, "a stranger writes"),
    "ref before object": Bug(_ref_first, "edits"),
    "output overwritten": Bug(_output_again, "sequence"),
    "timer by the wrong clock": Bug(_wrong_clock, "again"),
    "checkpoint beside a commit": Bug(_checkpoint_unlocked, "checkpoint alone"),
}


def hunt(base: Path, bug: Bug | None, where: str) -> list[str]:
    """What is found with the bug, or without one; in a process that is given up afterwards."""
    if bug is not None:
        bug.plant()
    worlds.begin_serving()
    world = World(base)
    if where in SCENARIOS:
        wrong = run(world, SCENARIOS[where])
        world.clear_up()
        return wrong
    player = Player(world)
    try:
        tasks = exhaustive(player, [FLOWS[where]], pairs=False)
    except AssertionError as error:
        return [str(error)]
    for task in tasks:
        if failures := player.play(task).failures:
            return failures[0].wrong
    return []
