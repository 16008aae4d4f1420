"""The state of one step, as a function of facts.

The engine, the readers and the checker use this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from smithers.author.base import HELD
from smithers.model.gate import Answer, Gate, GateKind
from smithers.model.run import Facts, Intent
from smithers.model.step import Attempt, AttemptStatus, PlanStep, StepKind, StepState, StepStatus

PENDING = StepState(StepStatus.PENDING)
READY = StepState(StepStatus.READY)
SUCCEEDED = StepState(StepStatus.SUCCEEDED, ok=True)
CANCELLED = "the run was cancelled"


class View(Protocol):
    """A run as the functions here see it."""

    @property
    def facts(self) -> Facts: ...
    @property
    def states(self) -> Mapping[str, StepState]: ...
    @property
    def iterations(self) -> Mapping[str, int]:
        """By loop: the number of the iteration that was opened last."""
        ...

    def inside(self, scope: str) -> Iterable[PlanStep]:
        """The steps of a scope."""
        ...


def state_of(step: PlanStep, view: View) -> StepState:
    """Where the step stands, given where those before it and inside it stand. Free of time."""
    facts = view.facts
    if step.key in facts.outputs:
        return SUCCEEDED
    attempts = facts.attempts.get(step.key)
    tried = _tried(attempts[-1], facts) if attempts else None
    if tried is not None and tried.status is StepStatus.RUNNING:
        return tried
    state = tried or _untried(step, view)
    if HELD in step.spec:
        state = _held(step, state, facts)
    if facts.run.intent is Intent.CANCEL and not state.status.ended:
        return StepState(StepStatus.CANCELLED, CANCELLED)
    return state


def _held(step: PlanStep, state: StepState, facts: Facts) -> StepState:
    """A step that must not start waits where it would. What is decided is not undone by it."""
    would = {StepStatus.READY, StepStatus.RETRYING}
    if step.kind is StepKind.LOOP:
        would.add(StepStatus.RUNNING)
    decided = step.kind is StepKind.APPROVAL and last_gate(facts, step.key) is not None
    if state.status not in would or decided:
        return state
    return StepState(StepStatus.WAITING, str(step.spec[HELD]))


def _untried(step: PlanStep, view: View) -> StepState:
    blocked = None if step.key in view.iterations else _before(step, view.states)
    if blocked is not None:
        return blocked
    match step.kind:
        case StepKind.APPROVAL:
            return _approval(step, last_gate(view.facts, step.key))
        case StepKind.LOOP:
            return _loop(step, view)
        case StepKind.TASK | StepKind.CHECK | StepKind.CALL:
            return READY


def _tried(last: Attempt, facts: Facts) -> StepState | None:
    """What the last attempt says; None where it says only that the step may start again."""
    match last.status:
        case AttemptStatus.RUNNING:
            return StepState(StepStatus.RUNNING)
        case AttemptStatus.ASKED:
            gate = last_gate(facts, last.key)
            asks = gate is not None and gate.decision is None
            return StepState(StepStatus.WAITING, gate.title) if gate and asks else None
        case AttemptStatus.SUCCEEDED | AttemptStatus.INTERRUPTED | AttemptStatus.STOPPED:
            return None
        case AttemptStatus.FAILED | AttemptStatus.TIMED_OUT | AttemptStatus.RATE_LIMITED:
            if last.reopened:
                return None
            if last.retry_at is not None:
                return StepState(StepStatus.RETRYING, last.error, wake_at=last.retry_at)
            return StepState(StepStatus.FAILED, last.error)


def _before(step: PlanStep, states: Mapping[str, StepState]) -> StepState | None:
    """What those before it, and its condition, make of a step; None when it may start."""
    pending = cancelled = False
    for key in step.after:
        state = states.get(key, PENDING)
        if not state.status.ended:
            pending = True
        elif state.status is StepStatus.CANCELLED:
            cancelled = True
        elif not state.ok:
            return StepState(StepStatus.SKIPPED, f"{key} {state.status}")
    if cancelled:
        return StepState(StepStatus.CANCELLED, CANCELLED)
    if pending:
        return PENDING
    return None if step.when else StepState(StepStatus.SKIPPED, "its condition is false", ok=True)


def last_gate(facts: Facts, key: str) -> Gate | None:
    gates = facts.gates.get(key)
    return gates[-1] if gates else None


def _approval(step: PlanStep, gate: Gate | None) -> StepState:
    if gate is None:
        return READY
    if gate.decision is None:
        return StepState(StepStatus.WAITING, gate.title)
    if gate.decision.answer is Answer.DENY and step.spec.get("on_deny") == "fail":
        note = f": {gate.decision.note}" if gate.decision.note else ""
        return StepState(StepStatus.FAILED, f"denied by {gate.decision.actor}{note}")
    return READY


def red(step: PlanStep, facts: Facts) -> bool:
    """A check that ran and said no, which in a loop means "not yet".

    One that could not run is a failure.
    """
    attempts = facts.attempts.get(step.key)
    if step.kind is not StepKind.CHECK or not attempts:
        return False
    last = attempts[-1]
    value = last.value
    code = value.get("exit_code") if isinstance(value, dict) else None
    return last.status is AttemptStatus.FAILED and isinstance(code, int) and 0 <= code < 126


def _loop(step: PlanStep, view: View) -> StepState:
    facts = view.facts
    iteration = view.iterations.get(step.key, 0)
    if iteration == 0:
        return READY
    scope = f"{step.key}[{iteration}]"
    gate = last_gate(facts, scope)
    if gate is not None and not facts.run.stop_by:
        if gate.decision is None:
            return StepState(StepStatus.WAITING, gate.title)
        if gate.decision.answer is Answer.DENY:
            return StepState(
                StepStatus.FAILED, f"stopped after iteration {iteration} by {gate.decision.actor}"
            )
    failed = hard_failures(scope, view)
    if failed:
        how = view.states[failed[0]].status
        return StepState(StepStatus.FAILED, f"iteration {iteration}: {failed[0]} {how}")
    fails = step.spec.get("on_exhausted") == "fail" and not facts.run.stop_by
    if fails and exhausted(step, facts, iteration):
        return StepState(
            StepStatus.FAILED, f"not done after {iteration} iterations, the most that were allowed"
        )
    return StepState(StepStatus.RUNNING)


def hard_failures(scope: str, view: View) -> list[str]:
    """Keys of what keeps a scope that has ended whole from being judged.

    Steps that failed for good; where there is none, and no red check either, those that were
    skipped for what happened outside the scope.
    """
    current = [(step, view.states.get(step.key, PENDING)) for step in view.inside(scope)]
    if any(not s.status.ended or s.status is StepStatus.CANCELLED for _, s in current):
        return []
    failed = [step for step, state in current if state.status is StepStatus.FAILED]
    hard = [step.key for step in failed if not red(step, view.facts)]
    if failed:
        return hard
    return [step.key for step, state in current if not state.ok]


def verdict(facts: Facts, scope: str) -> Mapping[str, object] | None:
    """What was recorded of an iteration when it ended whole, or None."""
    output = facts.outputs.get(scope)
    return output.value if output is not None and isinstance(output.value, dict) else None


def bound(step: PlanStep, facts: Facts) -> int:
    """Iterations allowed.

    The author's bound, and as many again for each time a person said go on.
    """
    most = step.spec.get("max")
    number = most if isinstance(most, int) else 1
    extensions = sum(
        gate.kind is GateKind.EXHAUSTED
        and gate.decision is not None
        and gate.decision.answer is Answer.APPROVE
        for key, gates in facts.gates.items()
        if key.startswith(f"{step.key}[") and "/" not in key[len(step.key) :]
        for gate in gates
    )
    return number * (1 + extensions)


def exhausted(step: PlanStep, facts: Facts, iteration: int) -> bool:
    """The last iteration has ended, wants another, and there is none left."""
    if iteration < bound(step, facts):
        return False
    said = verdict(facts, f"{step.key}[{iteration}]")
    return said is not None and bool(said.get("again"))
