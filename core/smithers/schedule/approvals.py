"""What an approval asks, and whether a decision was about the same."""

from __future__ import annotations

from smithers.model.gate import Gate, GateKind
from smithers.model.step import PlanStep
from smithers.schedule.decision import GateRequest


def request(step: PlanStep, *, again: bool) -> GateRequest:
    """`again`: what was decided was about other words."""
    show = step.spec.get("show")
    why = f"the plan stops at {step.key} until it is decided"
    if again:
        why = "what it asks was changed after it was put: it asks again"
    return GateRequest(
        key=step.key,
        kind=GateKind.APPROVAL,
        title=str(step.spec.get("ask", step.title)),
        by=str(step.spec.get("by", "person")),
        why=why,
        show=show if isinstance(show, str) else None,
    )


def asks_the_same(gate: Gate, step: PlanStep) -> bool:
    """The gate was put in the words of the plan. Whether a diff is still the same is seen apart."""
    wanted = request(step, again=False)
    if _kept(gate.title) != _kept(wanted.title):
        return False
    if wanted.show in {None, "diff"}:
        return wanted.show == "diff" or not gate.show
    return _kept(gate.body) == _kept(str(wanted.show))


def _kept(text: str) -> str:
    """As it reads after it has been stored."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
