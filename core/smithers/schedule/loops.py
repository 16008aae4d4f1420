"""What follows when an iteration has ended whole: the loop ends, asks, or goes round once more."""

from __future__ import annotations

from dataclasses import dataclass

from smithers.model.gate import Answer, GateKind
from smithers.model.run import Facts
from smithers.model.step import JSON, PlanStep
from smithers.schedule.decision import GateRequest
from smithers.schedule.states import exhausted, last_gate, verdict

UNCHANGED_ITERATIONS = 3


@dataclass(frozen=True, slots=True)
class Ends:
    """The loop is over, and why: `until`, `exhausted`, `stopped by …`."""

    because: str


@dataclass(frozen=True, slots=True)
class Asks:
    request: GateRequest


@dataclass(frozen=True, slots=True)
class GoesOn:
    """The next iteration opens."""


Move = Ends | Asks | GoesOn


def next_move(step: PlanStep, number: int, facts: Facts) -> Move:
    """The move after iteration `number`, whose verdict has been recorded."""
    scope = f"{step.key}[{number}]"
    said = verdict(facts, scope) or {}
    if not said.get("again"):
        return Ends("until")
    if facts.run.stop_by:
        return Ends(f"stopped by {facts.run.stop_by}")
    if exhausted(step, facts, number):
        if step.spec.get("on_exhausted") == "continue":
            return Ends("exhausted")
        return _ask(
            scope,
            GateKind.EXHAUSTED,
            f"{step.key} is not done after {number} iterations",
            f"approve: {step.spec.get('max')} more; deny: the loop fails; `smithers "
            "stop` ends it well",
        )
    if _unchanged(step, number, facts) and not _waved_on(scope, facts):
        return _ask(
            scope,
            GateKind.NO_PROGRESS,
            f"{UNCHANGED_ITERATIONS} iterations of {step.key} changed nothing",
            "approve: go on; deny: the loop fails; `smithers stop` ends it well",
        )
    return GoesOn()


def _ask(scope: str, kind: GateKind, title: str, why: str) -> Asks:
    return Asks(GateRequest(scope, kind, title, "person", why))


def _unchanged(step: PlanStep, number: int, facts: Facts) -> bool:
    """The last iterations all left the same files and the same answers of their checks."""
    if number < UNCHANGED_ITERATIONS:
        return False
    seen: list[tuple[object, object]] = []
    for back in range(UNCHANGED_ITERATIONS):
        scope = f"{step.key}[{number - back}]"
        said = verdict(facts, scope)
        if said is None or not said.get("tree") or (back and _waved_on(scope, facts)):
            return False
        seen.append((said.get("tree"), said.get("checks")))
    return all(one == seen[0] for one in seen)


def _waved_on(scope: str, facts: Facts) -> bool:
    gate = last_gate(facts, scope)
    return gate is not None and gate.decision is not None and gate.decision.answer is Answer.APPROVE


def ended(value: JSON) -> str:
    """Why a loop that has an output is over."""
    return str(value.get("ended", "")) if isinstance(value, dict) else ""


def asker(key: str) -> str:
    """The step that a gate is about: a loop asks in the name of its iteration."""
    return key.rsplit("[", 1)[0] if key.endswith("]") else key
