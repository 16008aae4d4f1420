"""What a frame says of attempts that ended: in words, and where no plan can say it."""

from __future__ import annotations

from smithers.engine.attempt import Ended
from smithers.engine.unfinished import NO_VERDICT
from smithers.model.run import RunStatus
from smithers.model.step import StepState, StepStatus
from smithers.schedule.decision import Decision
from smithers.store.edits import edited


def standing(one: Ended) -> StepState:
    """The state of a step by its last attempt alone."""
    if one.output is not None:
        return StepState(StepStatus.SUCCEEDED)
    if one.attempt.status in NO_VERDICT:
        return StepState(StepStatus.READY)
    if one.attempt.retry_at is not None:
        return StepState(StepStatus.RETRYING, one.attempt.error, wake_at=one.attempt.retry_at)
    return StepState(StepStatus.FAILED, one.attempt.error)


Counts = tuple[int, int, int, int, int]


def counted(ended: list[Ended], before: Counts) -> Counts:
    """The run's counts (total, done, failed, running, waiting) once these have ended."""
    total, done, failed, running, waiting = before
    states = [standing(one).status for one in ended]
    return (
        total,
        done + states.count(StepStatus.SUCCEEDED),
        failed + states.count(StepStatus.FAILED),
        max(0, running - len(states)),
        waiting,
    )


def why(ended: list[Ended], decision: Decision) -> str:
    """`build[2]/checks failed → build[3]/code started`: what happened, then what follows."""
    happened = [f"{one.attempt.key} {one.attempt.status}" for one in ended[:3]]
    if len(ended) > 3:
        happened.append(f"{len(ended) - 3} more")
    follows = [f"{attempt.key} started" for attempt in decision.begun[:3]]
    if len(decision.begun) > 3:
        follows.append(f"{len(decision.begun) - 3} more started")
    follows += [f"{gate.key} asks" for gate in decision.gates]
    if decision.status in {RunStatus.PAUSED, RunStatus.CANCELLED}:
        follows.append(f"run {decision.reason}")
    elif not follows and decision.status is not RunStatus.RUNNING:
        follows = [f"run {decision.status}"]
    elif not follows and not happened and decision.reason:
        follows = [decision.reason]
    left = ", ".join(happened)
    right = ", ".join(follows)
    moved = f"{left} → {right}" if left and right else left or right
    if decision.edits:
        return edited(decision.edits) + (f" · {moved}" if moved else "")
    return moved or _otherwise(decision)


def _otherwise(decision: Decision) -> str:
    return "goes on" if decision.empty else "plan changed"
