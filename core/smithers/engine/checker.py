"""Whether what is shown of a run follows from what is known of it: every disagreement, in words."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise

from smithers.model.gate import Answer
from smithers.model.run import Facts, Intent, RunStatus
from smithers.model.step import AttemptStatus, PlanStep, StepKind, StepState, StepStatus
from smithers.schedule.states import state_of
from smithers.store import audit
from smithers.store.audit import Record
from smithers.store.database import Reader, Store

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override


def check(store: Store | Reader, run_id: str) -> list[str]:
    """Recompute every projection of a run from its facts; empty when they agree. Raises UnknownRun.

    What came from outside after the last frame is allowed for: until an engine has dealt with it,
    a step stands where it stood before.
    """
    with store.transaction() if isinstance(store, Reader) else nullcontext():
        record = audit.read(store, run_id)
    return [
        *_states(record),
        *_counts(record),
        *_frames(record),
        *_attempts(record),
        *_outputs(record),
        *_gates(record),
        *_run(record),
    ]


class Recomputed(Mapping[str, StepState]):
    """The state of each step, worked out when it is first asked for."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.states = self
        self._known: dict[str, StepState] = {}
        self._scopes: dict[str, list[PlanStep]] = {}
        for step in facts.plan.values():
            self._scopes.setdefault(step.scope, []).append(step)
        self.iterations = {
            step.key: number
            for step in facts.plan.values()
            if step.kind is StepKind.LOOP and (number := self._opened(step.key))
        }

    def _opened(self, loop: str) -> int:
        number = 0
        while f"{loop}[{number + 1}]" in self.facts.outputs:
            number += 1
        return number + (f"{loop}[{number + 1}]" in self._scopes)

    def inside(self, scope: str) -> Iterable[PlanStep]:
        return self._scopes.get(scope, ())

    @override
    def __getitem__(self, key: str) -> StepState:
        if key not in self._known:
            self._known[key] = state_of(self.facts.plan[key], self)
        return self._known[key]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.facts.plan)

    @override
    def __len__(self) -> int:
        return len(self.facts.plan)


def _facts(record: Record) -> Facts:
    """What is known, in the order in which states follow: what is inside before its loop."""
    rows = sorted(record.steps.values(), key=lambda row: (-row.step.key.count("/"), row.position))
    return Facts(
        record.run,
        outputs=record.outputs,
        attempts=record.attempts,
        gates=record.gates,
        plan={row.step.key: row.step for row in rows if not row.gone},
    )


def _before_news(record: Record) -> Facts:
    """The facts without what came from outside and has left no trace in a step's row yet."""
    facts = _facts(record)
    if not record.run.status.ended:
        facts.run = replace(record.run, stop_by="", intent=Intent.GO)
    status = {key: row.state.status for key, row in record.steps.items()}
    for key, gates in record.gates.items():
        asker = key.rsplit("[", 1)[0] if key.endswith("]") else key
        if status.get(asker) in {StepStatus.WAITING, StepStatus.CANCELLED}:
            facts.gates = {**facts.gates, key: [*gates[:-1], replace(gates[-1], decision=None)]}
    for key, attempts in record.attempts.items():
        if attempts[-1].reopened and status.get(key) in {StepStatus.FAILED, StepStatus.RETRYING}:
            last = replace(attempts[-1], reopened="")
            facts.attempts = {**facts.attempts, key: [*attempts[:-1], last]}
    return facts


def _states(record: Record) -> Iterator[str]:
    now, before = Recomputed(_facts(record)), Recomputed(_before_news(record))
    # A plan that cannot be rendered any more stands still: what could start is not said to.
    broken = record.run.status is RunStatus.PAUSED and bool(record.run.error)
    for key in now:
        said, follows = record.steps[key].state, now[key]
        if any(_alike(said, state) for state in (follows, before[key])):
            continue
        if broken and said.status is StepStatus.PENDING and not follows.status.ended:
            continue
        yield f"step {key} is recorded as {_words(said)} and follows as {_words(follows)}"


def _alike(one: StepState, other: StepState) -> bool:
    return (one.status, one.wake_at) == (other.status, other.wake_at)


def _words(state: StepState) -> str:
    wake = f" until {state.wake_at}" if state.wake_at is not None else ""
    return f"{state.status}{wake}" + (f" ({state.reason})" if state.reason else "")


def _counts(record: Record) -> Iterator[str]:
    rows = [row for row in record.steps.values() if not row.gone]
    by = Counter(row.state.status for row in rows)
    at_work = sum(
        row.state.status is StepStatus.RUNNING and row.step.kind is not StepKind.LOOP
        for row in rows
    )
    done = by[StepStatus.SUCCEEDED] + by[StepStatus.SKIPPED]
    follows = (len(rows), done, by[StepStatus.FAILED], at_work, by[StepStatus.WAITING])
    names = ("total", "done", "failed", "running", "waiting")
    for name, said, count in zip(names, record.counts, follows, strict=True):
        if said != count:
            yield f"the run says {name} {said}, its steps say {count}"


def _frames(record: Record) -> Iterator[str]:
    if record.frames != tuple(range(1, len(record.frames) + 1)):
        yield f"frames have a gap: {_spans(record.frames)}"
    if record.run.frame != len(record.frames):
        yield f"the run says frame {record.run.frame} and has {len(record.frames)}"
    latest = {}
    for frame, key, status in record.history:
        latest[key] = status
        if frame not in range(1, len(record.frames) + 1):
            yield f"a change of {key} belongs to frame {frame}, which there is not"
    for key, row in record.steps.items():
        last = latest.pop(key, StepStatus.PENDING)
        if last is not row.state.status:
            yield f"step {key} is {row.state.status}, the last frame that names it says {last}"
    for key in latest:
        yield f"frames name {key}, which was never in the plan"


def _spans(numbers: tuple[int, ...]) -> str:
    breaks = [n for n, after in pairwise(numbers) if after != n + 1]
    return f"from {numbers[0]}, after {breaks}" if breaks else f"the first is {numbers[0]}"


def _attempts(record: Record) -> Iterator[str]:
    for key, attempts in record.attempts.items():
        numbers = [attempt.n for attempt in attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"attempts of {key} are numbered {numbers}"
        for attempt in attempts[:-1]:
            if attempt.status in {AttemptStatus.RUNNING, AttemptStatus.SUCCEEDED}:
                yield f"attempt {attempt.n} of {key} is {attempt.status} and not the last"
        last = attempts[-1]
        if last.status is AttemptStatus.SUCCEEDED and key not in record.outputs:
            yield f"{key} succeeded in attempt {last.n} and has no output"
        if last.status is AttemptStatus.RUNNING and record.run.status.ended:
            yield f"attempt {last.n} of {key} runs in a run that has ended"
        if key not in record.steps:
            yield f"{key} was attempted and was never in the plan"
        for attempt in attempts:
            if (attempt.finished_at is None) != (attempt.status is AttemptStatus.RUNNING):
                when = attempt.finished_at
                yield f"attempt {attempt.n} of {key} is {attempt.status}, finished {when}"


def _outputs(record: Record) -> Iterator[str]:
    for key in record.outputs:
        if key.endswith("]"):
            yield from _verdict(record, key)
            continue
        row = record.steps.get(key)
        if row is None:
            yield f"{key} has an output and was never in the plan"
        elif row.step.kind is StepKind.APPROVAL:
            yield from _answered(record, row.step)
        elif row.step.kind is not StepKind.LOOP:
            attempts = record.attempts.get(key, [])
            if not attempts or attempts[-1].status is not AttemptStatus.SUCCEEDED:
                how = attempts[-1].status if attempts else "never made"
                yield f"{key} has an output, and its last attempt is {how}"


def _verdict(record: Record, scope: str) -> Iterator[str]:
    loop, _, number = scope[:-1].rpartition("[")
    if loop not in record.steps:
        yield f"iteration {scope} has a verdict, and no loop {loop!r} was ever in the plan"
    if int(number) > 1 and f"{loop}[{int(number) - 1}]" not in record.outputs:
        yield f"iteration {scope} has a verdict, and the one before it has none"


def _answered(record: Record, step: PlanStep) -> Iterator[str]:
    gates = record.gates.get(step.key, [])
    answer = gates[-1].decision.answer if gates and gates[-1].decision else None
    allowed = {Answer.APPROVE}
    if step.spec.get("on_deny") == "continue":
        allowed.add(Answer.DENY)
    if answer not in allowed:
        yield f"{step.key} has an output, and its gate says {answer or 'nothing'}"


def _gates(record: Record) -> Iterator[str]:
    known = {gate.id for gates in record.gates.values() for gate in gates}
    for name, times in Counter(record.decided).items():
        if name not in known:
            yield f"gate {name} was decided and never opened"
        if times > 1:
            yield f"gate {name} was decided {times} times"
    for gates in record.gates.values():
        for gate in gates:
            said_open, undecided = gate.id in record.open_gates, gate.decision is None
            if said_open is not undecided:
                said = "open and decided" if said_open else "closed and not decided"
                yield f"gate {gate.id} is {said}"
        for gate in gates[:-1]:
            if gate.decision is None:
                yield f"gate {gate.id} is undecided and not the last of {gate.key}"


def _run(record: Record) -> Iterator[str]:
    run = record.run
    if run.status.ended and record.held:
        yield f"the run has ended ({run.status}) and its lease is held"
    if run.status.ended is (run.finished_at is None):
        yield f"the run is {run.status} and finished at {run.finished_at}"
    top = [row for row in record.steps.values() if not row.gone and not row.step.scope]
    if run.status is RunStatus.SUCCEEDED:
        for row in top:
            if not row.state.status.ended or row.state.status is StepStatus.FAILED:
                yield f"the run succeeded, and {row.step.key} is {row.state.status}"
    asks = record.open_gates or any(row.state.status is StepStatus.WAITING for row in top)
    if run.status is RunStatus.WAITING and not asks and not record.held:
        yield "the run waits, and no gate is open"
