"""The loop of one run: render, schedule, persist, execute, and again.

Everything in memory can be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from smithers.author.steps import Call, Leaf, Task
from smithers.clock import Clock
from smithers.config import Files, load
from smithers.engine import asking, budget, loading
from smithers.engine.alarm import Alarm
from smithers.engine.attempt import Attempts, Ended
from smithers.engine.border import Executor
from smithers.engine.boxing import Boxes
from smithers.engine.casting import name_for
from smithers.engine.excuse import excuse
from smithers.engine.gates import ask_again, open_gate
from smithers.engine.pen import Pen
from smithers.engine.room import Room
from smithers.engine.takeover import Inheritance
from smithers.engine.turns import session_of
from smithers.engine.unfinished import Interrupted
from smithers.engine.watch import Tenure, keep_watch
from smithers.errors import SmithersError, StoreFull, UsageError, VcsError
from smithers.model.gate import Gate
from smithers.model.run import Intent, RunStatus
from smithers.model.step import Attempt, AttemptStatus, PlanStep
from smithers.schedule.decision import GateRequest
from smithers.schedule.scheduler import Scheduler
from smithers.store import recovery, runs
from smithers.store.database import Store
from smithers.store.drive import Drive

PARKED = frozenset({RunStatus.WAITING, RunStatus.PAUSED}) | {s for s in RunStatus if s.ended}


class Loop:
    """Drives one run for as long as there is something to do, or a time to wait for."""

    def __init__(
        self,
        store: Store,
        drive: Drive,
        inheritance: Inheritance,
        *,
        clock: Clock,
        executor: Executor,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._drive = drive
        self._workspace = inheritance.workspace
        self._tree = inheritance.tree
        self._interrupted = inheritance.interrupted
        self._ended = inheritance.ended
        self._clock = clock
        self._executor = executor
        self._tenure = Tenure(drive, clock)
        self._workspace.allowed = self._tenure.check
        self._files = Files(Path(self._workspace.run.root))
        self._pen = Pen(store, drive, self._workspace, clock)
        self._room = Room(store.path.parent, self._workspace.path, clock)
        self._alarm = Alarm(clock)
        self._on_news = on_news
        """Called after each frame, and when another process has committed something."""
        self._tasks: dict[str, asyncio.Task[Ended]] = {}
        self._flying: dict[str, Attempt] = {}
        """Attempts that were begun and whose end is in no frame yet."""
        self._halted: set[str] = set()
        """Of those, the ones that were told to stop: a second word would cut their grace short."""
        self._budget = budget.Budget()
        self._news = asyncio.Event()
        self._rev = -1
        self._told: tuple[RunStatus, str] | None = None
        """The run's status and its reason as its row has them."""
        self._leaving = False
        self._broken: BaseException | None = None

    async def run(self) -> None:
        """Until the run has ended or waits for something outside. Raises LeaseLost, StoreError."""
        watch = asyncio.create_task(
            keep_watch(
                self._store,
                self._tenure,
                self._drive.lease.run,
                seen=lambda: self._rev,
                on_commit=self._on_news,
                on_news=self._news.set,
            )
        )
        watch.add_done_callback(self._unwatched)
        try:
            while not self._leaving and await self._full_round():
                await self._until_news()
            if self._broken is not None:
                raise self._broken
        finally:
            watch.cancel()
            await self._stop()
            with suppress(SmithersError):
                self._record_the_rest()

    def leave(self) -> None:
        """Be asked to go.

        What runs is stopped and reads as interrupted, for another engine to take up.
        """
        self._leaving = True
        self._news.set()

    def _unwatched(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled():
            self._break(watch.exception())

    def _break(self, problem: BaseException | None) -> None:
        """End what was begun and leave, for a reason."""
        self._broken = self._broken or problem
        self.leave()

    def _record_the_rest(self) -> None:
        """Commit results that came while leaving; what was stopped stays open: interrupted."""
        done = [one for one in self._ended if one.attempt.status is not AttemptStatus.STOPPED]
        if not done:
            return
        self._refresh()
        for one in done:
            self._record(one)
        decision = self._scheduler.advance(self, now=self._alarm.now(), cap=0)
        # What ending takes, the branch's commit and the lease, is left to the next engine.
        self._pen.write(self._pen.transition(decision, done).kept_open())

    async def _full_round(self) -> bool:
        """A round. One that finds no room to say what follows is taken back, and comes again."""
        try:
            return await self._round()
        except StoreFull:
            self._rev = -1
            if self._room.ran_out():
                self._pen.say(self._room.lack(), wake_at=self._alarm.at)
                self._news.set()
            return True

    async def _round(self) -> bool:
        """One frame: facts in, decision out, persisted, then its effects. False once parked."""
        self._tenure.check()
        lack = self._room.lack()
        try:
            self._refresh()
            ended = list(self._ended)
            for one in ended:
                self._record(one)
            gates = budget.gates_of(self._facts.gates)
            over = self._budget.over(gates, self._clock.monotonic())
            cap = 0 if over or lack else self._cap
            decision = self._scheduler.advance(self, now=self._alarm.now(), cap=cap)
        except (UsageError, VcsError) as error:
            if isinstance(error, VcsError) and self._room.full():
                raise StoreFull(error.what) from error
            return await self._give_up(error)
        if over:
            decision.stop.extend(self._tasks)
            budget.hold(decision, over, gates, busy=bool(self._tasks), ask=self.open)
        if decision.status is RunStatus.RUNNING:
            decision.reason = decision.reason or lack
        move = self._pen.transition(decision, ended)
        if not self._tasks and not decision.begun and decision.status in PARKED:
            parked = await self._pen.park(move, self._facts.run, rev=self._rev)
            self._ended.clear()
            self._on_news() if parked else self._news.set()
            return not parked
        told = decision.status, decision.reason
        if ended or not decision.empty or told != self._told:
            await self._pen.commit(move)
            self._told = told
            self._on_news()
        # Only now: a render that fails must not take the results before it with it.
        del self._ended[: len(ended)]
        self._alarm.set(decision.wake_at, self._facts.attempts.values())
        for attempt in decision.begun:
            self._start(attempt)
        gone = [key for key in self._tasks if key not in self._facts.plan]
        for key in (*decision.stop, *gone):
            self._halt(key)
        return True

    # -- facts --

    def _refresh(self) -> None:
        """Know what came from outside. Raises UsageError; VcsError when the files are gone."""
        changed = not self._leaving and self._files.changed()
        if changed or self._rev != runs.rev(self._store, self._drive.lease.run):
            self._load()
        if any(one.attempt.key in self._interrupted for one in self._ended):
            self._workspace.check()

    def _load(self) -> None:
        """Read all there is to know, and make the plan afresh.

        Raises UsageError for a broken workflow, or a sandbox that cannot be had.
        """
        facts = runs.facts(self._store, self._drive.lease.run)
        root = Path(facts.run.root)
        self._rev = facts.run.rev
        self._told = facts.run.status, facts.run.status_reason
        self._config = load(root)
        self._cap = self._config.limits.concurrency
        self._workspace.run = facts.run
        self._budget.load(self._store, facts.run.id, facts.run.budget)
        asked = ask_again(facts, self._workspace, self._clock)
        if asked:
            found = self._workspace.unrecorded()
            self._drive.open_gates(asked, snapshots=found, now=self._clock.now())
            self._workspace.recorded(found)
        workflow = loading.load(loading.locate(root, facts.run.source))
        given = loading.given(workflow, facts.run.input)
        state = self._store.path.parent
        self._attempts = Attempts(
            facts.run,
            self._config,
            self._workspace,
            self._store,
            self._clock,
            boxes=Boxes(facts.run, self._config.sandbox, workflow.sandbox, state),
            executor=self._executor,
            on_usage=self._budget.use,
        )
        self._facts = facts
        self._scheduler = Scheduler(workflow, given, facts, tree=self._tree)

    def _record(self, one: Ended) -> None:
        key = one.attempt.key
        self._budget.add(one.attempt, self._clock.monotonic())
        if one.tree:
            self._tree = self._scheduler.tree = one.tree
        if one.output is not None:
            self._scheduler.record_output(one.output)
        self._scheduler.record_attempt(one.attempt)
        self._flying.pop(key, None)
        if one.question is not None and key in self._facts.plan:
            earlier = self._facts.gates.get(key, [])
            gate = asking.gate_for(one.question, one.attempt, earlier, self._facts.run, self._clock)
            self._scheduler.put(gate)

    # -- what the scheduler needs done --

    def begin(self, step: PlanStep) -> Attempt:
        """A new attempt of a step, marked and with its conversation named before anything runs."""
        before = self._facts.attempts.get(step.key, [])
        attempt = Attempt(
            key=step.key,
            n=before[-1].n + 1 if before else 1,
            token=self._clock.token(),
            status=AttemptStatus.RUNNING,
            started_at=self._clock.now(),
        )
        leaf = self._scheduler.authors[step.key]
        if not isinstance(leaf, Task):
            return attempt
        try:
            names = self._attempts.agents_for(leaf, attempt)
        except UsageError:
            return attempt
        agent = name_for(names, before, attempt.started_at)
        session = session_of(self._facts.run.id, attempt)
        interrupted = self._interrupted.get(step.key)
        if interrupted is not None and interrupted.attempt.agent == agent:
            session = interrupted.attempt.session or session
        return replace(attempt, agent=agent, session=session)

    def open(self, request: GateRequest) -> Gate:
        earlier = self._facts.gates.get(request.key, [])
        return open_gate(request, earlier, self._facts.run, self._workspace, self._clock)

    async def _give_up(self, error: SmithersError) -> bool:
        """The plan cannot be made: let what runs finish, record it, and leave the run paused.

        A run that is to be cancelled needs no plan for that.
        """
        while self._tasks and not self._leaving:
            if self._pen.intent() in {Intent.CANCEL, Intent.PAUSE_NOW}:
                for key in list(self._tasks):
                    self._halt(key)
            self._news.clear()
            await self._news.wait()
        if self._leaving:
            return False
        if not await self._pen.give_up(error, list(self._ended), rev=self._rev):
            self._news.set()
            return True
        self._ended.clear()
        return False

    # -- execute --

    def _start(self, attempt: Attempt) -> None:
        key = attempt.key
        leaf: Leaf = self._scheduler.authors[key]
        work = self._attempts.perform(
            self._facts.plan[key],
            leaf,
            attempt,
            before=[one for one in self._facts.attempts[key] if one.n < attempt.n],
            interrupted=self._taken_up(key),
        )
        task = asyncio.create_task(work)
        self._tasks[key] = task
        self._flying[key] = attempt
        self._budget.begin(key, self._clock.monotonic())
        self._halted.discard(key)
        task.add_done_callback(lambda done: self._finished(key, done))

    def _taken_up(self, key: str) -> Interrupted | None:
        """What is known of an interrupted attempt now: others may have begun since."""
        old = self._interrupted.pop(key, None)
        if old is None:
            return None
        alone = recovery.alone(self._store, self._drive.lease.run, old.began)
        return replace(old, alone=alone)

    def _finished(self, key: str, task: asyncio.Task[Ended]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if task.cancelled():
            # Before it had begun, or once more while it was clearing up: it has its verdict too.
            stopped = replace(
                self._flying[key],
                status=AttemptStatus.STOPPED,
                finished_at=self._clock.now(),
                charged=False,
            )
            self._ended.append(Ended(stopped))
        elif (problem := task.exception()) is not None:
            self._break(problem)
        else:
            self._ended.append(self._excused(task.result()))
        self._news.set()

    def _excused(self, one: Ended) -> Ended:
        key = one.attempt.key
        if one.output is not None and isinstance(self._scheduler.authors.get(key), Call):
            return one
        tries = self._facts.attempts.get(key, [])
        interrupted = excuse(one, tries, self._room, self._workspace)
        if interrupted is not None:
            self._interrupted[key] = interrupted
        return one

    def _halt(self, key: str) -> None:
        if key in self._tasks and key not in self._halted:
            self._halted.add(key)
            self._tasks[key].cancel()

    async def _stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _until_news(self) -> None:
        looks = (self._budget.next_look(), self._room.next_look(), self._alarm.wait())
        timeout = min((wait for wait in looks if wait is not None), default=None)
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()
