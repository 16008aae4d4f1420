"""One attempt, from its first snapshot to its verdict.

Whatever happens inside, it ends in exactly one.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from smithers.agents import environment
from smithers.author.steps import Approval, Call, Check, CheckResult, Leaf, Loop, Task
from smithers.clock import Clock
from smithers.config import Config
from smithers.engine.limits import OutOfTime, Pulse, limits_of, within
from smithers.engine.log import AttemptLog
from smithers.engine.mail import Mailbox
from smithers.engine.threads import in_thread
from smithers.engine.turns import Conversation, TurnFailed
from smithers.engine.unfinished import NO_VERDICT, Interrupted
from smithers.engine.workspace import Workspace
from smithers.errors import SmithersError
from smithers.model.run import Run
from smithers.model.step import JSON, Attempt, AttemptStatus, Output, PlanStep, Usage
from smithers.process import child, sweep
from smithers.process.marks import Mark
from smithers.schedule.retry import rate_limited_until, retry_at
from smithers.store.database import Store
from smithers.store.drive import SnapshotRow

TAIL_CHARACTERS = 8000


@dataclass(slots=True)
class Ended:
    """How an attempt ended: what goes into the next frame."""

    attempt: Attempt
    output: Output | None = None
    snapshots: list[SnapshotRow] = field(default_factory=list)
    tree: str = ""


class CheckFailed(Exception):
    def __init__(self, result: CheckResult) -> None:
        super().__init__(f"exit {result.exit_code}")
        self.result = result


class Attempts:
    """What all attempts of one run share."""

    def __init__(
        self, run: Run, config: Config, workspace: Workspace, store: Store, clock: Clock
    ) -> None:
        self.run = run
        self.config = config
        self.workspace = workspace
        self.clock = clock
        self._store = store
        state = store.path.parent
        self._logs = state / "logs" / run.id
        self._scratch = state / "scratch" / run.id

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
            return await self._guard(step, attempt, before, _Work(self._call(leaf, step)))
        work = _Work()
        try:
            log = AttemptLog(self._logs / f"{attempt.id}.jsonl", self.clock)
        except OSError as problem:
            work.doing = _fail(f"its log cannot be written: {problem}")
            return await self._guard(step, attempt, before, work)
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
            await _uncancelled(self._clean_up(ended, log))
            if ended.attempt.error:
                log.write("engine", "error", ended.attempt.error)
            return ended
        finally:
            log.close()

    async def _guard(
        self, step: PlanStep, attempt: Attempt, before: list[Attempt], work: _Work
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
        except CheckFailed as red:
            error, code = _red(red.result), red.result.exit_code
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

    def _close(self, attempt: Attempt, status: AttemptStatus, work: _Work) -> Attempt:
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
        self, step: PlanStep, leaf: Check, attempt: Attempt, log: AttemptLog, work: _Work
    ) -> JSON:
        log.write("engine", "command", leaf.command)
        mark = Mark(self.run.id, step.key, attempt.n, attempt.token)
        self.workspace.allowed()
        process = await child.start(
            ["/bin/sh", "-c", leaf.command],
            cwd=self.workspace.path,
            env=environment.build(mark, {}),
            mark=mark,
        )
        timeout, stall = limits_of(step, self.config.limits)
        tail = _Tail()

        async def follow() -> int:
            async for stream, text in process.lines():
                log.write(stream, "text", text)
                tail.add(text)
            return await process.wait()

        pulse = Pulse(self.clock)
        try:
            code = await within(
                follow(), clock=self.clock, pulse=pulse, timeout=timeout, stall=stall
            )
        finally:
            await process.stop()
        work.exit_code = code
        result = CheckResult(passed=code in leaf.ok, exit_code=code, tail=tail.text())
        log.write("engine", "exit", f"exit {code}")
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
        work: _Work,
    ) -> JSON:
        talk = Conversation(
            run=self.run,
            config=self.config,
            workspace=self.workspace,
            scratch=self._scratch / attempt.id,
            step=step,
            leaf=leaf,
            attempt=attempt,
            undone=undone,
            mail=Mailbox(self._store, self.run.id, attempt, self.clock),
            log=log,
            clock=self.clock,
        )
        work.agent, work.model = talk.agent_name, talk.agent.label
        note = ""
        if interrupted is not None and talk.can_resume(interrupted.attempt):
            talk.take_up(interrupted.attempt)
        elif interrupted is not None:
            note = await self._start_over(interrupted, work)
        reading = await asyncio.to_thread(self.workspace.read, step.key, attempt.n, "before")
        if reading is not None:
            work.snapshots.append(reading.row)
        try:
            value = await talk.answer(note)
            if talk.lost and interrupted is not None:
                note = await self._start_over(interrupted, work)
                value = await talk.answer(note)
        finally:
            work.usage, work.session = talk.usage, talk.session
        return value

    async def _start_over(self, old: Interrupted, work: _Work) -> str:
        """Keep what an interrupted attempt left, set the files back if safe, say what was done."""
        note = "An earlier attempt at this task was interrupted before it ended."
        if not self.workspace.tracked:
            return f"{note} Its changes, if any, are still in the files: look before you edit."
        found = await asyncio.to_thread(
            self.workspace.read, old.attempt.key, old.attempt.n, "found"
        )
        if found is not None:
            work.snapshots.append(found.row)
        safe = self.workspace.own and old.alone and old.before
        if not safe or found is None or found.row.incomplete:
            return f"{note} Its changes, if any, are still in the files: look before you edit."
        await asyncio.to_thread(self.workspace.set_back, old.before)
        return (
            f"{note} The files are as they were before it; "
            f"what it had written is in commit {found.row.commit} (`git show {found.row.commit}`)."
        )


async def _fail(what: str) -> JSON:
    raise SmithersError(what, next="make room or set its rights, then `smithers retry`")


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Do it to its end: the verdict stands, and being stopped now must not lose it."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()


class _Work:
    """What an attempt has to show for itself, also when it ends badly."""

    def __init__(self, doing: Any = None) -> None:
        self.doing = doing
        self.snapshots: list[SnapshotRow] = []
        self.tree = ""
        self.usage = Usage()
        self.session = ""
        self.agent = ""
        self.model = ""
        self.exit_code: int | None = None

    async def run(self) -> JSON:
        return await self.doing  # type: ignore[no-any-return]


class _Tail:
    """The last lines of a stream, within a bound."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        self._lines.append(text[-TAIL_CHARACTERS:])
        self._size += len(self._lines[-1]) + 1
        while self._size > TAIL_CHARACTERS and len(self._lines) > 1:
            self._size -= len(self._lines.pop(0)) + 1

    def text(self) -> str:
        joined = "\n".join(self._lines)[-TAIL_CHARACTERS:]
        return joined.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _red(result: CheckResult) -> str:
    last = next((line for line in reversed(result.tail.splitlines()) if line.strip()), "")
    return f"exit {result.exit_code}" + (f": {last.strip()[:200]}" if last else "")
