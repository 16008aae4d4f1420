"""What a run's stored status means now: `interrupted` is laid over, never stored. Pure."""

from __future__ import annotations

from typing import NamedTuple

from smithers.model.run import Intent, RunStatus

GRACE_MS = 5_000
"""How long work may lie about without an engine before somebody must see to it."""
QUEUED_GRACE_MS = 10_000
"""The same for a run whose first engine is being started."""


class Standing(NamedTuple):
    """What is stored of a run and its lease, and whether the holder lives. In milliseconds."""

    status: RunStatus
    intent: Intent
    since: int
    """When the run last moved: created, started, last frame or last decision."""
    held: bool = False
    """The lease is held, by whomever."""
    alive: bool = False
    """Its holder lives, or cannot be judged from here and has not let it run out."""
    wake_at: int | None = None
    undealt: int | None = None
    """When a gate was decided whose step still waits."""


def overlay(run: Standing, now: int) -> RunStatus:
    """Terminal, else driven by a live engine, else paused, else interrupted if work lies about."""
    if run.status.ended or run.alive:
        return run.status
    if run.intent is Intent.CANCEL:
        return RunStatus.CANCELLED
    if run.intent is not Intent.GO:
        return RunStatus.PAUSED
    if run.status is RunStatus.WAITING:
        return RunStatus.INTERRUPTED if _overdue(run, now) else RunStatus.WAITING
    if run.held or now - run.since > _grace(run.status):
        return RunStatus.INTERRUPTED
    # A paused run that may go again waits for the engine that was started for it.
    return RunStatus.QUEUED if run.status is RunStatus.PAUSED else run.status


def _overdue(run: Standing, now: int) -> bool:
    return any(due is not None and now - due > GRACE_MS for due in (run.wake_at, run.undealt))


def _grace(status: RunStatus) -> int:
    return GRACE_MS if status is RunStatus.RUNNING else QUEUED_GRACE_MS
