"""What people do to a run until it has ended, and what is seen of it between two of their steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from typing_extensions import override

from smithers.clock import Clock
from smithers.errors import SmithersError
from smithers.model.run import Intent, RunStatus
from smithers.model.step import JSON
from smithers.service import control, reading
from smithers.service.locate import state_dir
from smithers.store.audit import Record
from smithers.supervise.reviving import Did, back_off, revive
from smithers.supervise.spawn import spawn
from tests.faults import files, oracles, points
from tests.faults import world as worlds
from tests.faults.board import VERB
from tests.faults.flows import Flow
from tests.faults.world import ACTOR, RUN, Lost, World

ROUNDS = 60
"""More steps than any of these runs needs, faults and all."""
VERBS = ("cancel", "pause", "stop", "decide")


@dataclass
class Case:
    """A workflow with faults, being played; `memory` is what must not be forgotten by anybody."""

    flow: Flow
    faults: tuple[int, ...] = ()
    memory: oracles.Memory = field(default_factory=oracles.Memory)
    wrong: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    crossed: set[str] = field(default_factory=set)
    asked: int = 0
    """How often a supervisor wanted to be told whether to go on."""
    ends: JSON = None
    """How it ended, to be compared with the undisturbed one."""
    life: int = 0
    """Crossings since the last death."""


class Play:
    """Plays one case in a world, beginning with what lies there."""

    def __init__(
        self,
        world: World,
        case: Case,
        *,
        faults: tuple[int, ...] | None = None,
        first: str = "",
        fully: bool = True,
    ) -> None:
        """`faults`: those still to come, if not all of the case's; `first`: what to do, if known;
        `fully`: look at what readers say as well, and resume as a person does."""
        self.world = world
        self.case = case
        self.flow = case.flow
        self.action = first
        """What comes next; nothing once the run has ended."""
        self._faults = list(case.faults if faults is None else faults)
        self._deaths = 0
        self._engine = 0
        self._fully = fully
        self._abandoned = False
        """An engine has taken it up and not given it back."""
        self._kept = ExitStack()
        self._open: reading.Directory | None = None
        points.board.forget()
        points.board.arm(self._faults.pop(0) if self._faults else 0)

    def until_death(self) -> bool:
        """Go on until the next fault has struck; False if the run has ended first."""
        return self._go(stop_at_death=True)

    def to_the_end(self, *, calmly: bool = False, after_death: bool = False) -> None:
        """`calmly`: no fault is to come, and no process needs to be one of its own.

        `after_death`: nobody has looked since the last one.
        """
        worlds.calm = calmly
        try:
            with ExitStack() as self._kept:
                self._go(stop_at_death=False, closely=after_death)
        finally:
            self._open = None
            worlds.calm = False

    def _go(self, *, stop_at_death: bool, closely: bool = False) -> bool:
        """True at a death."""
        try:
            self.action = self.action or self._look(closely=closely)
            for _ in range(ROUNDS):
                if not self.action or self.case.wrong:
                    return False
                self._do(self.action)
                died = self._died()
                self.action = self._look(closely=died)
                if self.action == "bring_back" and not died:
                    self.wrong(f"nobody died, and nobody drives it: {self.world.words()}")
                if died and stop_at_death:
                    return not self.case.wrong
            self.wrong(f"not at an end after {ROUNDS} steps of the person")
        except Lost as hung:
            self.wrong(str(hung))
        finally:
            self._count()
        return False

    def wrong(self, what: str) -> None:
        self.case.wrong.append(what)

    @property
    def _struck(self) -> bool:
        """A fault has struck that `_died` has not told of yet."""
        return points.board.deaths != self._deaths

    def _died(self) -> bool:
        """A fault has struck since this was asked last; the next one is armed."""
        if not self._struck:
            return False
        self._deaths = points.board.deaths
        self._count()
        points.board.arm(self._faults.pop(0) if self._faults else 0)
        return True

    def _count(self) -> None:
        self.case.crossed.update(points.board.trace(), points.seen)
        self.case.life = points.board.crossed
        if (recovery := points.board.take_recovery()) and not worlds.calm:
            self.case.recoveries.append(recovery)

    # -- looking --

    @contextmanager
    def _directory(self) -> Iterator[reading.Directory]:
        """One that nothing of is open when this process forks."""
        if worlds.calm:
            self._open = self._open or self._kept.enter_context(
                reading.open_directory(self.world.root)
            )
            yield self._open
            return
        with reading.open_directory(self.world.root) as db:
            yield db

    def _look(self, *, closely: bool = False) -> str:
        """Choose what to do next, nothing once it has ended; `closely`: after a death, see to all."""
        began = time.monotonic()
        with self._directory() as db:
            scene = oracles.Scene(db, self.flow, self.world.out, self.case.memory)
            action = self._next(scene.record)
            if closely or not action:
                self.case.wrong += oracles.standing(scene, fully=self._fully)
            if not action:
                self.case.wrong += oracles.ended(scene)
                self.case.ends = oracles.ending(scene)
        points.board.pause(time.monotonic() - began)
        return action

    def _next(self, record: Record) -> str:
        """By the facts: that readers say the same is for the oracles."""
        run = record.run
        self._abandoned = record.held
        if run.status.ended:
            return self._after(run.status)
        if run.intent is Intent.CANCEL:
            return "cancel"
        if run.intent is not Intent.GO:
            return "resume"
        asks = run.status is RunStatus.WAITING and record.open_gates
        return "decide" if asks else "bring_back"

    def _after(self, status: RunStatus) -> str:
        if status is RunStatus.FAILED and self.flow.retry:
            return "retry"
        landed = self.flow.land and status is RunStatus.SUCCEEDED
        return "land" if landed and not files.landed(self.world.root) else ""

    # -- doing --

    def _do(self, action: str) -> None:
        if action == "bring_back":
            self._bring_back()
            return
        if action == "retry":
            (self.world.out / "fixed").touch()
        with self._attended():
            self._verb(lambda: act(self.world, self.flow, action))
        self._until_parked()

    def _bring_back(self) -> None:
        """Have an engine for it, as whoever sees that it has none."""
        try:
            with self._attended():
                self._engine_wanted()
        except SmithersError as error:
            if not self._struck:
                self.wrong(f"no engine came up: {error}")
        self._until_parked()

    def _engine_wanted(self) -> None:
        if not self._abandoned or not (self._fully or self.flow.supervised):
            spawn(state_dir(self.world.root), RUN)
        elif self.flow.supervised:
            self._supervise()
        else:
            control.resume(self.world.root, RUN, agents={}, actor=ACTOR)

    def _supervise(self) -> None:
        """As the supervisor would in its own time, if what it says of that is true."""
        state = state_dir(self.world.root)
        done = revive(state, RUN)
        if done.did is Did.LATER:
            if not 0 < done.wait <= back_off(done.crashes) / 1000 or done.crashes < 2:
                self.wrong(f"the supervisor does it later: {done}")
            done = revive(state, RUN, _Later(done.wait))
        if done.did not in {Did.STARTED, Did.ASKED} or done.crashes > len(self.case.faults):
            self.wrong(f"the supervisor did this after deaths at {self.case.faults}: {done}")
        self.case.asked += done.did is Did.ASKED

    @contextmanager
    def _attended(self) -> Iterator[None]:
        """While an engine is driven in this process, do what its steps ask for from a thread."""
        if not (worlds.calm and self.flow.busy):
            yield
            return
        over = threading.Event()

        def attend() -> None:
            while not over.wait(0.001):
                with worlds.busy:
                    if worlds.driving.is_set():
                        self._serve()

        with ThreadPoolExecutor(1) as pool:
            attending = pool.submit(attend)
            try:
                yield
            finally:
                over.set()
                attending.result()

    def _verb(self, work: Callable[[], object]) -> None:
        """In a process of its own, which may end at a point like any other."""
        if worlds.calm:
            work()
            return
        points.board.verb = True
        try:
            code = self.world.aside(work, VERB)
        finally:
            points.board.verb = False
        if code and not self._struck:
            self.wrong(f"a verb ended with {code}: {self.world.words()}")

    def _until_parked(self) -> None:
        """While an engine lives, do to the run what its steps ask for."""
        # A verb that finds one dead starts another.
        while pid := points.board.engine:
            points.board.engine = 0
            self._engine = pid
            code = self.world.await_end(pid, self._serve if self.flow.busy else None)
            if code and not self._struck:
                self._ended_with(pid, code)
        points.board.lives = False
        self.world.reap()

    def _ended_with(self, pid: int, code: int) -> None:
        self.wrong(f"engine {pid} ended with {code}: {self.world.words()}")

    def _serve(self) -> None:
        for verb in VERBS:
            wants, did = (self.world.out / f"{word}.{verb}" for word in ("wants", "did"))
            if wants.exists() and not did.exists():
                deaths = points.board.deaths
                self._verb(lambda verb=verb: act(self.world, self.flow, verb))  # type: ignore[misc]
                if points.board.deaths == deaths:
                    did.touch()


class _Later(Clock):
    """So many seconds ahead, and a little."""

    def __init__(self, seconds: float) -> None:
        self._ahead = int(seconds * 1000) + 1

    @override
    def now(self) -> int:
        return super().now() + self._ahead


def act(world: World, flow: Flow, verb: str) -> None:
    """What a person does to the run."""
    match verb:
        case "cancel":
            control.cancel(world.root, RUN, actor=ACTOR)
        case "pause":
            control.pause(world.root, RUN, now=False, actor=ACTOR)
        case "stop":
            control.stop(world.root, RUN, actor=ACTOR)
        case "resume":
            control.resume(world.root, RUN, agents={}, actor=ACTOR)
        case "decide":
            control.decide(
                world.root, RUN, None, flow.answer, actor=ACTOR, established="terminal", note="n"
            )
        case "retry":
            control.retry(world.root, RUN, flow.retry, agents={}, actor=ACTOR)
        case _:
            try:
                control.land(world.root, RUN, actor=ACTOR)
            except SmithersError as error:
                files.way_out(world.root, error)
