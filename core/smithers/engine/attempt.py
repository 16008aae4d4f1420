"""One attempt, from its first snapshot to its verdict.

Whatever happens inside, it ends in exactly one.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import shutil
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from smithers.agents.permissions import Question
from smithers.author.steps import Approval, Call, Check, Leaf, Loop, Task
from smithers.clock import Clock
from smithers.config import Config
from smithers.engine import asking, checking
from smithers.engine.border import Executor
from smithers.engine.boxing import Boxes
from smithers.engine.casting import names_for, relieved, rules
from smithers.engine.checking import CheckFailed
from smithers.engine.limits import OutOfTime, Pulse, limits_of, within
from smithers.engine.log import AttemptLog
from smithers.engine.mail import Mailbox
from smithers.engine.meter import Meter
from smithers.engine.threads import in_thread
from smithers.engine.turns import AgentAsks, Conversation, TurnFailed
from smithers.engine.unfinished import NO_VERDICT, Interrupted
from smithers.engine.work import Work, look, start_over
from smithers.engine.workspace import Workspace
from smithers.errors import SmithersError, StoreError
from smithers.model.run import Run
from smithers.model.step import JSON, Attempt, AttemptStatus, Output, PlanStep, Usage
from smithers.process import sweep
from smithers.process.identity import me
from smithers.process.marks import Mark
from smithers.schedule.retry import rate_limited_until, retry_at
from smithers.store import permissions, usage
from smithers.store.database import Store
from smithers.store.drive import SnapshotRow


@dataclass(slots=True)
class Ended:
    """How an attempt ended: what goes into the next frame."""

    attempt: Attempt
    output: Output | None = None
    snapshots: list[SnapshotRow] = field(default_factory=list)
    tree: str = ""
    question: Question | None = None
    """What a person is to be asked, of an attempt that ended for it."""


class Attempts:
    """What all attempts of one run share."""

    def __init__(
        self,
        run: Run,
        config: Config,
        workspace: Workspace,
        store: Store,
        clock: Clock,
        *,
        boxes: Boxes,
        executor: Executor,
        on_usage: Callable[[str, Usage], None],
    ) -> None:
        self.run = run
        self.config = config
        self.workspace = workspace
        self.clock = clock
        self._boxes = boxes
        self._executor = executor
        self._on_usage = on_usage
        self._store = store
        state = store.path.parent
        self._logs = state / "logs" / run.id
        self._scratch = state / "scratch" / run.id

    def agents_for(self, leaf: Task[Any], attempt: Attempt) -> tuple[str, ...]:
        """Names of who can do it, in order. Raises UsageError when nobody can."""
        answers = permissions.answers(self._store, self.run.id)
        policy = asking.policy_for(rules(self.config), answers, attempt)
        return names_for(leaf.agent, self.run.agents, self.config, Path(self.run.root), policy)

    async def perform(
        self,
        step: PlanStep,
        leaf: Leaf,
        attempt: Attempt,
        *,
        before: list[Attempt],
        interrupted: Interrupted | None,
    ) -> Ended:
        """Do the work of a step once. Cancelling it ends its processes and gives `stopped`."""
        if isinstance(leaf, Call):
            return await self._guard(step, attempt, before, Work(self._call(leaf, step)))
        work = Work()
        try:
            log = AttemptLog(self._logs / f"{attempt.id}.jsonl", self.clock)
        except OSError as problem:
            work.doing = _fail(f"its log cannot be written: {problem}")
            return await self._guard(step, attempt, before, work)
        if self._boxes.why_not:
            log.write("engine", "notice", f"without a sandbox: {self._boxes.why_not}")
        try:
            match leaf:
                case Task():
                    undone = frozenset(one.token for one in before if one.status in NO_VERDICT)
                    work.doing = self._task(step, leaf, attempt, interrupted, undone, log, work)
                case Check():
                    work.doing = self._check(step, leaf, attempt, log, work)
                case Approval() | Loop():
                    raise AssertionError(f"{step.key} is not work")
            ended = await self._guard(step, attempt, before, work)
            if ended.attempt.status is AttemptStatus.RATE_LIMITED:
                now = self.clock.now()
                ended.attempt = relieved(work.agents, before, ended.attempt, now)
            await _uncancelled(self._clean_up(ended, log))
            if ended.attempt.error:
                log.write("engine", "error", ended.attempt.error)
            return ended
        finally:
            log.close()

    async def _guard(
        self, step: PlanStep, attempt: Attempt, before: list[Attempt], work: Work
    ) -> Ended:
        """Await the work and turn however it ends into one verdict."""
        status, error, value, code, wake = AttemptStatus.FAILED, "", None, None, None
        charged = True
        try:
            output = await work.run()
            done = self._close(attempt, AttemptStatus.SUCCEEDED, work)
            return Ended(done, Output(step.key, output), work.snapshots, work.tree)
        except asyncio.CancelledError:
            status, charged = AttemptStatus.STOPPED, False
        except OutOfTime as limit:
            status, error = AttemptStatus.TIMED_OUT, str(limit)
            wake = self._again(step, before)
        except AgentAsks as asks:
            asked = self._close(attempt, AttemptStatus.ASKED, work)
            asked = replace(asked, charged=False, error=f"asks: {asks}")
            return Ended(asked, None, work.snapshots, work.tree, asks.question)
        except CheckFailed as red:
            error, code = checking.last_words(red.result), red.result.exit_code
            value = red.result.model_dump(mode="json")
            wake = self._again(step, before)
        except TurnFailed as failure:
            error, code = failure.message, failure.exit_code
            if failure.rate_limited:
                status, charged = AttemptStatus.RATE_LIMITED, False
                wake = rate_limited_until(
                    self.clock.now(), failure.retry_after, self.clock.jitter()
                )
            elif failure.retryable:
                wake = self._again(step, before)
        except SmithersError as problem:
            error = str(problem)
        except Exception as problem:  # noqa: BLE001 - an author's function may raise anything
            error = f"{type(problem).__name__}: {problem}"
            wake = self._again(step, before)
        done = replace(
            self._close(attempt, status, work),
            charged=charged,
            error=error,
            value=value,
            exit_code=code,
            retry_at=wake,
        )
        return Ended(done, None, work.snapshots, work.tree)

    def _close(self, attempt: Attempt, status: AttemptStatus, work: Work) -> Attempt:
        return replace(
            attempt,
            status=status,
            finished_at=self.clock.now(),
            usage=work.usage,
            session=work.session or attempt.session,
            agent=work.agent or attempt.agent,
            model=work.model or attempt.model,
            exit_code=work.exit_code,
        )

    def _again(self, step: PlanStep, before: list[Attempt]) -> int | None:
        return retry_at(
            step,
            before,
            now=self.clock.now(),
            jitter=self.clock.jitter(),
            default=self.config.limits.retries,
        )

    async def _clean_up(self, ended: Ended, log: AttemptLog) -> None:
        """No process outlives its attempt; then the files are read once more."""
        left = await asyncio.to_thread(sweep.sweep, {ended.attempt.token})
        scratch = self._scratch / ended.attempt.id
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        sweep.reap_adopted(())
        if left:
            log.write("engine", "notice", f"processes that will not die: {left}")
        try:
            after = await asyncio.to_thread(
                self.workspace.read, ended.attempt.key, ended.attempt.n, "after"
            )
        except (SmithersError, OSError) as problem:
            log.write("engine", "notice", f"files not recorded: {problem}")
            return
        if after is not None:
            ended.snapshots.append(after.row)
            ended.tree = after.tree
            for name in after.row.incomplete:
                log.write("engine", "notice", f"not in the snapshot: {name}")

    # -- the three kinds of work --

    async def _call(self, leaf: Call[Any], step: PlanStep) -> JSON:
        timeout, _ = limits_of(step, self.config.limits)
        if inspect.iscoroutinefunction(leaf.fn):
            work = leaf.fn(*leaf.args)
        else:
            work = in_thread(leaf.fn, *leaf.args)
        value = await within(
            work, clock=self.clock, pulse=Pulse(self.clock), timeout=timeout, stall=None
        )
        if leaf.output is not None:
            value = leaf.output.model_validate(value)
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        try:
            # As it will be read after a resume: tuples are lists, keys are strings.
            kept: JSON = json.loads(json.dumps(value))
        except (TypeError, ValueError) as error:
            raise SmithersError(
                f"{step.key} returned {type(value).__name__}, which cannot be kept",
                next="return plain JSON values or a pydantic model",
            ) from error
        return kept

    async def _check(
        self, step: PlanStep, leaf: Check, attempt: Attempt, log: AttemptLog, work: Work
    ) -> JSON:
        log.write("engine", "command", leaf.command)
        self.workspace.allowed()
        timeout, stall = limits_of(step, self.config.limits)
        result = await checking.run(
            leaf,
            Mark(self.run.id, step.key, attempt.n, attempt.token),
            self.workspace.path,
            log=log,
            clock=self.clock,
            timeout=timeout,
            stall=stall,
            box=self._boxes.for_command(self._scratch / attempt.id),
        )
        work.exit_code = result.exit_code
        if not result.passed:
            raise CheckFailed(result)
        return result.model_dump(mode="json")

    async def _task(
        self,
        step: PlanStep,
        leaf: Task[Any],
        attempt: Attempt,
        interrupted: Interrupted | None,
        undone: frozenset[int],
        log: AttemptLog,
        work: Work,
    ) -> JSON:
        work.agents = self.agents_for(leaf, attempt)
        answers = permissions.answers(self._store, self.run.id)
        meter = Meter(partial(usage.keep, self._store, self.run.id, attempt, me()))

        def on_usage(used: Usage) -> None:
            self._on_usage(step.key, used)
            meter.tell(used)

        talk = Conversation(
            run=self.run,
            config=self.config,
            workspace=self.workspace,
            scratch=self._scratch / attempt.id,
            box=self._boxes.for_agent(self._scratch / attempt.id),
            step=step,
            leaf=leaf,
            attempt=attempt,
            undone=undone,
            mail=Mailbox(self._store, self.run.id, attempt, self.clock),
            policy=asking.policy_for(rules(self.config), answers, attempt),
            answered=asking.account(answers, attempt),
            on_session=partial(self._name_session, attempt),
            on_usage=on_usage,
            log=log,
            executor=self._executor,
        )
        work.agent, work.model = attempt.agent, talk.agent.label
        note = ""
        if interrupted is not None and talk.can_resume(interrupted.attempt):
            talk.take_up(interrupted.attempt)
        elif interrupted is not None:
            note = await start_over(self.workspace, interrupted, work)
        talk.files = await look(self.workspace, attempt, work)
        try:
            value = await talk.answer(note)
            if talk.lost and interrupted is not None:
                note = await start_over(self.workspace, interrupted, work, attempt)
                talk.files = await look(self.workspace, attempt, work)
                value = await talk.answer(note)
        finally:
            work.usage, work.session = talk.usage, talk.session
            meter.close(talk.usage)
        return value

    def _name_session(self, attempt: Attempt, session: str) -> None:
        # One that cannot be kept cannot be gone on with after a crash: no harm to this attempt.
        with suppress(StoreError):
            permissions.name_session(self._store, self.run.id, attempt, me(), session)


async def _fail(what: str) -> JSON:
    raise SmithersError(what, next="make room or set its rights, then `smithers retry`")


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Do it to its end: the verdict stands, and being stopped now must not lose it."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
