"""The same workflows with real, detached engines, which SIGKILL ends at moments drawn by a seed."""

from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import smithers
from smithers.model.step import JSON
from smithers.process import sweep, table
from smithers.process.identity import Life, life
from smithers.process.run import detach
from smithers.service import reading
from smithers.service.locate import state_dir
from smithers.store import runs
from smithers.supervise import main as engine_main
from smithers.supervise import spawn as spawning
from smithers.supervise.spawn import driven, spawn
from tests.faults import files, points
from tests.faults.flows import FLOWS, Flow
from tests.faults.forks import in_process
from tests.faults.person import Case, Play
from tests.faults.points import replace
from tests.faults.schedule import Failure, Player, Tally
from tests.faults.world import HUNG, RUN, Lost, World, begin_serving

ENGINE, TREE, LAUNCHER = "engine", "tree", "launcher"


AFRESH = 10
"""One engine of so many is started as the product does; the others are spared the interpreter's start."""


class RealWorld(World):
    """Engines here are processes of their own; nothing of the product is wrapped."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        checkout = Path(files.__file__).parents[2]
        # Where an engine finds what the workflows are made of.
        os.environ["PYTHONPATH"] = f"{Path(smithers.__file__).parents[1]}:{checkout}"


class RealPlay(Play):
    """Ends the engine `kills` times: so many frames after it began, and a little later."""

    def __init__(self, world: World, case: Case, chance: random.Random) -> None:
        super().__init__(world, case)
        self._kills = [
            (chance.choice((ENGINE, ENGINE, TREE, LAUNCHER)), chance.randint(0, 4), chance.random())
            for _ in range(chance.choice((1, 1, 1, 2)))
        ]
        replace(spawning, "detach", detach if chance.randrange(AFRESH) == 0 else _forked)
        self._killed = 0
        self._noticed = 0

    @property
    def _struck(self) -> bool:
        return self._killed != self._noticed

    def _died(self) -> bool:
        struck, self._noticed = self._struck, self._killed
        return struck

    def _bring_back(self) -> None:
        """As `smithers up` and `smithers resume` end: from a session that may be killed at once."""
        launcher = self._kills[0][0] == LAUNCHER if self._kills else False
        pid = os.fork()
        if pid == 0:
            os.setsid()
            code = 1
            try:
                spawn(state_dir(self.world.root), RUN)
                code = 0
                if launcher:
                    signal.pause()
            finally:
                os._exit(code)
        if launcher:
            self._kill_launcher(pid)
        elif code := self.world.await_end(pid):
            self.wrong(f"no engine came up: {code}: {self.world.words()}")
        self._until_parked()

    def _kill_launcher(self, pid: int) -> None:
        """The terminal goes as soon as the engine is there; that one must not notice."""
        self._kills.pop(0)
        deadline = time.monotonic() + HUNG
        with reading.open_directory(self.world.root) as db:
            while (
                not driven(db.reader, RUN, db.clock.now())
                and reading.run(db, RUN).row.finished_at is None
            ):
                if time.monotonic() > deadline:
                    raise Lost(f"no engine came up: {self.world.words()}")
                time.sleep(0.001)
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def _until_parked(self) -> None:
        """Watch frame by frame, until the engine is gone or is to be killed."""
        deadline = time.monotonic() + HUNG
        with reading.open_directory(self.world.root) as db:
            first = runs.get(db.reader, RUN).frame
            while not self._seen(db, first):
                if time.monotonic() > deadline:
                    raise Lost(f"the engine goes on and on: {self.world.words()}")
                look_again = time.monotonic() + 0.02  # a death commits nothing
                while not reading.changed(db) and time.monotonic() < look_again:
                    time.sleep(0.001)
        self.world.reap()

    def _seen(self, db: reading.Directory, first: int) -> bool:
        """Look once; True when there is nothing to wait for any more."""
        frame = runs.get(db.reader, RUN).frame
        if frame > first:
            points.board.committed()
        lease, held = runs.lease(db.reader, RUN)
        alive = life(lease.owner) in {Life.ALIVE, Life.SUSPENDED}
        if alive and held and self._kills and frame - first >= self._kills[0][1]:
            self._kill(lease.owner.pid)
            return True
        if not alive and runs.lease(db.reader, RUN)[1]:
            self.wrong(f"an engine died that nobody had killed: {self.world.words()}")
        return not alive

    def _kill(self, pid: int) -> None:
        how, _, after = self._kills.pop(0)
        until = time.monotonic() + after * 0.004
        while time.monotonic() < until:
            pass
        victims = [pid]
        if how == TREE:
            victims += sorted(_offspring(pid))
        for victim in victims:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._killed += 1
        points.board.mark_death()
        while (entry := table.read(pid)) is not None and not entry.dead:
            self.world.reap()


def _forked(
    argv: list[str], *, cwd: Path, env: Mapping[str, str], log: Path, ready_fd: int | None
) -> int:
    """What `detach` does, but that the program goes on from here, where all is loaded already."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        os.setsid()
        with log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            for handle, to in enumerate((nothing, output, output)):
                os.dup2(to.fileno(), handle)
        for handle in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
            if handle > 2 and handle != ready_fd:
                with suppress(OSError):
                    os.close(handle)
        os.chdir(cwd)
        os.environ.clear()
        os.environ |= env
        code = engine_main.main(argv[3:])
    except Exception:  # noqa: BLE001 - as at the end of that program
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _offspring(pid: int) -> set[int]:
    found: set[int] = set()
    todo = [pid]
    while todo:
        fresh = table.children(todo.pop()) - found
        found |= fresh
        todo += fresh
    return found


def play(base: Path, seeds: list[int]) -> Tally:
    """A case for each seed."""
    sweep.become_subreaper()
    gc.collect()
    gc.freeze()
    flows = [flow for flow in FLOWS.values() if not flow.busy and not flow.waits]
    endings = in_process(partial(_endings, base / "calm", flows))
    world = RealWorld(base)
    tally = Tally()
    for seed in seeds:
        flow = flows[seed % len(flows)]
        world.prepare(flow)
        world.images.restore(flow.name)
        case = Case(flow)
        RealPlay(world, case, random.Random(seed)).to_the_end()
        if not case.wrong and case.ends != endings[flow.name]:
            case.wrong.append(f"it ends as {case.ends}, undisturbed as {endings[flow.name]}")
        tally.cases += 1
        tally.recoveries += case.recoveries
        if case.wrong:
            tally.failures.append(Failure(str(seed), (), [f"workflow {flow.name}", *case.wrong]))
            world.clear_up()
    shutil.rmtree(base, ignore_errors=True)
    return tally


def _endings(base: Path, flows: list[Flow]) -> dict[str, JSON]:
    """How each ends undisturbed, found out quickly."""
    begin_serving()
    player = Player(World(base))
    return {flow.name: player.ending(flow) for flow in flows}
