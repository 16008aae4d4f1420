"""States as a sign and a word: hue only repeats them."""

from __future__ import annotations

from dataclasses import dataclass

from smithers.model.run import RunStatus
from smithers.model.step import AttemptStatus, StepKind, StepStatus
from smithers.service.views import RunRow, StepView


@dataclass(frozen=True, slots=True)
class Mark:
    sign: str
    word: str
    role: str


APPROVE = Mark("!", "approve", "ask")

_RUNS = {
    RunStatus.QUEUED: Mark("○", "queued", "dim"),
    RunStatus.RUNNING: Mark("●", "running", "run"),
    RunStatus.WAITING: Mark("◌", "waiting", "warn"),
    RunStatus.PAUSED: Mark("‖", "paused", "warn"),
    RunStatus.INTERRUPTED: Mark("~", "interrupted", "warn"),
    RunStatus.SUCCEEDED: Mark("✓", "done", "ok"),
    RunStatus.FAILED: Mark("×", "failed", "bad"),
    RunStatus.CANCELLED: Mark("⊘", "cancelled", "dim"),
    RunStatus.SUPERSEDED: Mark("→", "superseded", "dim"),
}

_STEPS = {
    StepStatus.PENDING: Mark("·", "pending", "faint"),
    StepStatus.READY: Mark("○", "ready", "dim"),
    StepStatus.RUNNING: Mark("●", "running", "run"),
    StepStatus.WAITING: Mark("◌", "waiting", "warn"),
    StepStatus.RETRYING: Mark("↻", "retrying", "warn"),
    StepStatus.SUCCEEDED: Mark("✓", "done", "ok"),
    StepStatus.FAILED: Mark("×", "failed", "bad"),
    StepStatus.SKIPPED: Mark("–", "skipped", "dim"),
    StepStatus.CANCELLED: Mark("⊘", "cancelled", "dim"),
}

_ATTEMPTS = {
    AttemptStatus.RUNNING: Mark("●", "running", "run"),
    AttemptStatus.SUCCEEDED: Mark("✓", "done", "ok"),
    AttemptStatus.FAILED: Mark("×", "failed", "bad"),
    AttemptStatus.INTERRUPTED: Mark("~", "interrupted", "warn"),
    AttemptStatus.STOPPED: Mark("⊘", "stopped", "dim"),
    AttemptStatus.TIMED_OUT: Mark("×", "timed out", "bad"),
    AttemptStatus.RATE_LIMITED: Mark("◌", "rate limited", "warn"),
}

_REASONS = {
    "running": Mark("●", "running", "run"),
    "timer": Mark("↻", "retry", "warn"),
    "failed": Mark("×", "failed", "bad"),
    "paused": Mark("‖", "paused", "warn"),
    "interrupted": Mark("~", "interrupted", "warn"),
    "queued": Mark("○", "queued", "dim"),
    "blocked": Mark("!", "blocked", "warn"),
    "edited": Mark("±", "edited", "dim"),
}


def of_reason(kind: str) -> Mark:
    """Of what a run waits for; all that is not known here is a gate."""
    return _REASONS.get(kind, APPROVE)


def of_run(row: RunRow) -> Mark:
    if row.open_gates and not row.status.ended and row.status is not RunStatus.INTERRUPTED:
        return APPROVE
    return _RUNS[row.status]


def of_run_status(status: RunStatus) -> Mark:
    return _RUNS[status]


def of_step(step: StepView) -> Mark:
    if step.kind is StepKind.APPROVAL and step.status is StepStatus.WAITING:
        return APPROVE
    return _STEPS[step.status]


def of_step_status(status: StepStatus) -> Mark:
    return _STEPS[status]


def of_attempt(status: AttemptStatus) -> Mark:
    return _ATTEMPTS[status]
