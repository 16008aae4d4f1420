"""The loop of one run: render, schedule, persist, execute, and again.

Everything in memory can be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from smithers.author.steps import Leaf, Task
from smithers.clock import Clock
from smithers.config import load
from smithers.engine import budget, loading
from smithers.engine.attempt import Attempts, Ended, Interrupted
from smithers.engine.casting import name_for
from smithers.engine.frames import counted, standing, why
from smithers.engine.gates import ask_again, open_gate
from smithers.engine.takeover import Inheritance
from smithers.engine.turns import session_of
from smithers.errors import LeaseLost, SmithersError, StoreBusy, UsageError, VcsError
from smithers.model.gate import Gate
from smithers.model.run import Intent, RunStatus
from smithers.model.step import Attempt, AttemptStatus, PlanStep
from smithers.schedule.decision import Decision, GateRequest
from smithers.schedule.scheduler import Scheduler
from smithers.store import recovery, runs
from smithers.store.database import Store
from smithers.store.drive import Drive, Transition, given_up
from smithers.vcs.snapshots import commit_to_branch

LOOK_SECONDS = 0.015
RENEW_SECONDS = 5.0
BUSY_SECONDS = 0.2
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
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._drive = drive
        self._workspace = inheritance.workspace
        self._tree = inheritance.tree
        self._interrupted = inheritance.interrupted
        self._ended = inheritance.ended
        self._clock = clock
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
        self._told: RunStatus | None = None
        """The run's status as its row has it."""
        self._wake_at: int | None = None
        self._leaving = False
        self._broken: BaseException | None = None

    async def run(self) -> None:
        """Until the run has ended or waits for something outside. Raises LeaseLost, StoreError."""
        watch = asyncio.create_task(self._watch())
        try:
            while not self._leaving and await self._round():
                await self._until_news()
                if watch.done():
                    watch.result()
                if self._broken is not None:
                    raise self._broken
        finally:
            watch.cancel()
            await self._stop(list(self._tasks))
            with suppress(SmithersError):
                self._record_the_rest()

    def leave(self) -> None:
        """Be asked to go.

        What runs is stopped and reads as interrupted, for another engine to take up.
        """
        self._leaving = True
        self._news.set()

    def _record_the_rest(self) -> None:
        """Commit results that came while leaving; what was stopped stays open: interrupted."""
        done = [one for one in self._ended if one.attempt.status is not AttemptStatus.STOPPED]
        if not done:
            return
        for one in done:
            self._record(one)
        decision = self._scheduler.advance(self, now=self._clock.now(), cap=0)
        # What ending takes, the branch's commit and the lease, is left to the next engine.
        move = self._transition(decision, done).kept_open()
        self._drive.commit(move, now=self._clock.now())

    async def _round(self) -> bool:
        """One frame: facts in, decision out, persisted, then its effects. False once parked."""
        try:
            if self._rev != runs.rev(self._store, self._drive.lease.run):
                self._load()
            ended = list(self._ended)
            for one in ended:
                self._record(one)
            over = self._over_budget()
            decision = self._scheduler.advance(
                self, now=self._clock.now(), cap=0 if over else self._cap
            )
        except (UsageError, VcsError) as error:
            return await self._give_up(error)
        if over:
            decision.stop.extend(self._tasks)
            gates = self._facts.gates.setdefault(budget.KEY, [])
            budget.hold(decision, over, gates, busy=bool(self._tasks), ask=self.open)
        move = self._transition(decision, ended)
        if not self._tasks and not decision.begun and decision.status in PARKED:
            return not await self._park(move)
        if ended or not decision.empty or decision.status is not self._told:
            await self._commit(move)
            self._told = decision.status
            self._on_news()
        # Only now: a render that fails must not take the results before it with it.
        del self._ended[: len(ended)]
        self._wake_at = decision.wake_at
        for attempt in decision.begun:
            self._start(attempt)
        gone = [key for key in self._tasks if key not in self._facts.plan]
        for key in (*decision.stop, *gone):
            self._halt(key)
        return True

    # -- facts --

    def _load(self) -> None:
        """Read all there is to know, and make the plan afresh.

        Raises UsageError for a broken workflow.
        """
        facts = runs.facts(self._store, self._drive.lease.run)
        root = Path(facts.run.root)
        self._rev = facts.run.rev
        self._told = facts.run.status
        self._config = load(root)
        self._cap = self._config.limits.concurrency
        self._workspace.run = facts.run
        self._attempts = Attempts(
            facts.run, self._config, self._workspace, self._store.path.parent, self._clock
        )
        self._budget.load(self._store, facts.run.id, facts.run.budget)
        asked = ask_again(facts, self._workspace, self._clock)
        if asked:
            self._drive.open_gates(
                asked, snapshots=self._workspace.unrecorded(), now=self._clock.now()
            )
        workflow = loading.load(loading.locate(root, facts.run.source))
        try:
            given = workflow.input.model_validate(dict(facts.run.input))
        except ValidationError as error:
            raise UsageError(
                f"the run's input no longer fits the workflow: {error.errors()[0]['msg']}",
                kept="every finished step",
                next="give new fields of the input model a default, then `smithers resume`",
            ) from error
        self._facts = facts
        self._scheduler = Scheduler(workflow, given, facts, tree=self._tree)

    def _record(self, one: Ended) -> None:
        key = one.attempt.key
        self._budget.add(one.attempt)
        if one.tree:
            self._tree = self._scheduler.tree = one.tree
        if one.output is not None:
            self._scheduler.record_output(one.output)
        self._scheduler.record_attempt(one.attempt)
        self._flying.pop(key, None)

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
            agent = name_for(leaf.agent, self._facts.run.agents, self._config)
        except UsageError:
            return attempt
        session = session_of(self._facts.run.id, attempt)
        interrupted = self._interrupted.get(step.key)
        if interrupted is not None and interrupted.attempt.agent == agent:
            session = interrupted.attempt.session or session
        return replace(attempt, agent=agent, session=session)

    def open(self, request: GateRequest) -> Gate:
        earlier = self._facts.gates.get(request.key, [])
        return open_gate(request, earlier, self._facts.run, self._workspace, self._clock)

    # -- persist --

    async def _commit(self, move: Transition, *, release_at: int | None = None) -> bool:
        """Commit a frame, however long others hold the writer: what it says is true meanwhile."""
        while True:
            try:
                return self._drive.commit(move, now=self._clock.now(), release_at=release_at)
            except StoreBusy:
                await asyncio.sleep(BUSY_SECONDS)

    def _transition(self, decision: Decision, ended: Iterable[Ended]) -> Transition:
        done = list(ended)
        return Transition(
            why=why(done, decision),
            attempts=[*(one.attempt for one in done), *decision.begun],
            outputs=[*(one.output for one in done if one.output is not None), *decision.outputs],
            gates=decision.gates,
            placed=decision.placed,
            gone=decision.gone,
            changes=decision.changes,
            snapshots=[
                *self._workspace.unrecorded(),
                *(row for one in done for row in one.snapshots),
            ],
            status=decision.status,
            reason=decision.reason,
            wake_at=decision.wake_at,
            counts=decision.counts,
        )

    async def _park(self, move: Transition) -> bool:
        """Give the lease back with the last frame, unless something came from outside meanwhile."""
        if move.status is RunStatus.SUCCEEDED and self._workspace.own:
            run = self._facts.run
            message = f"{run.title}\n\nRun {run.id} of recipe {run.recipe}."
            try:
                commit_to_branch(self._workspace.path, message)
            except SmithersError as error:
                move.reason = f"done, but not committed to its branch: {error.what}"
        if await self._commit(move, release_at=self._rev):
            self._ended.clear()
            self._on_news()
            return True
        # What came from outside is heard first: it may be that the run is to be cancelled.
        await self._commit(move.kept_open())
        self._ended.clear()
        self._news.set()
        return False

    async def _give_up(self, error: SmithersError) -> bool:
        """The plan cannot be made: let what runs finish, record it, and leave the run paused.

        A run that is to be cancelled needs no plan for that.
        """
        while self._tasks and not self._leaving:
            if self._intent() in {Intent.CANCEL, Intent.PAUSE_NOW}:
                for key in list(self._tasks):
                    self._halt(key)
            self._news.clear()
            await self._news.wait()
        if self._leaving:
            return False
        done = list(self._ended)
        cancelled = self._intent() is Intent.CANCEL
        move = given_up(error.what, str(error), cancelled=cancelled)
        move.attempts = [one.attempt for one in done]
        move.outputs = [one.output for one in done if one.output is not None]
        move.changes = {one.attempt.key: standing(one) for one in done}
        move.snapshots = [row for one in done for row in one.snapshots]
        move.counts = counted(done, self._drive.counts())
        # The rev that the plan was made from: a resume since then must not be overwritten.
        if not await self._commit(move, release_at=self._rev):
            self._news.set()
            return True
        self._ended.clear()
        return False

    def _intent(self) -> Intent:
        return runs.get(self._store, self._drive.lease.run).intent

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
        self._halted.discard(key)
        task.add_done_callback(lambda done: self._finished(key, done))

    def _taken_up(self, key: str) -> Interrupted | None:
        """What is known of an interrupted attempt now: others may have begun since."""
        old = self._interrupted.pop(key, None)
        if old is None or not old.alone:
            return old
        alone = recovery.alone(self._store, self._drive.lease.run, old.attempt)
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
            self._broken = problem
        else:
            self._ended.append(task.result())
        self._news.set()

    def _halt(self, key: str) -> None:
        if key in self._tasks and key not in self._halted:
            self._halted.add(key)
            self._tasks[key].cancel()

    async def _stop(self, keys: Iterable[str]) -> None:
        tasks = [self._tasks[key] for key in keys if key in self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _over_budget(self) -> str:
        gates = self._facts.gates.get(budget.KEY, [])
        started = [attempt.started_at for attempt in self._flying.values()]
        return self._budget.over(gates, started, self._clock.now())

    # -- waiting --

    async def _until_news(self) -> None:
        waits = [self._budget.next_look(len(self._tasks))]
        if self._wake_at is not None:
            waits.append(max(0.0, (self._wake_at - self._clock.now()) / 1000))
        timeout = min((wait for wait in waits if wait is not None), default=None)
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    async def _watch(self) -> None:
        """Notice what other processes commit, and keep the lease."""
        version = self._store.version()
        renew_at = self._clock.monotonic() + RENEW_SECONDS
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                now = self._store.version()
                if now != version:
                    version = now
                    self._on_news()
                    if runs.rev(self._store, self._drive.lease.run) != self._rev:
                        self._news.set()
                if self._clock.monotonic() >= renew_at:
                    with suppress(StoreBusy):
                        self._drive.renew(self._clock.now())
                    renew_at = self._clock.monotonic() + RENEW_SECONDS
        except (LeaseLost, SmithersError):
            self._leaving = True
            raise
        finally:
            self._news.set()
