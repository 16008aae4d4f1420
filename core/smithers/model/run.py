"""A run, what is asked of it, and who drives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from smithers.model.gate import Gate
from smithers.model.step import JSON, Attempt, Output, PlanStep, StepState


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    """Never stored: a reader lays it over a run that has work and no live engine."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def ended(self) -> bool:
        return self in _ENDED


_ENDED = frozenset(
    {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.SUPERSEDED}
)


class Intent(StrEnum):
    """What was last asked of a run.

    The engine obeys; a paused or cancelled run is never restarted.
    """

    GO = "go"
    PAUSE = "pause"
    """Attempts in flight finish, nothing new starts."""
    PAUSE_NOW = "pause_now"
    """Attempts in flight are stopped."""
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, so described that no other one can be taken for it."""

    host: str
    boot_id: str
    pid_ns: int
    pid: int
    start_time: int
    """Linux: clock ticks since boot. Elsewhere: milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to drive a run. Every write of an engine carries the fence."""

    run: str
    fence: int
    owner: Owner
    expires_at: int


@dataclass(frozen=True, slots=True)
class Run:
    """The row of a run: what was asked, immutable but for intent, and where it stands."""

    id: str
    recipe: str
    title: str
    source: str
    """What loads the workflow: `recipe:implement`, or `file.py:name` with an absolute path."""
    source_digest: str
    input: Mapping[str, JSON]
    created_at: int
    status: RunStatus = RunStatus.QUEUED
    status_reason: str = ""
    error: str = ""
    started_at: int | None = None
    finished_at: int | None = None
    frame: int = 0
    rev: int = 0
    """Rises with each change from outside, and is what parking compares."""
    intent: Intent = Intent.GO
    intent_by: str = ""
    """Who asked for that last, or nobody."""
    stop_by: str = ""
    """Who said "that is enough", or nobody."""
    wake_at: int | None = None
    agents: Mapping[str, str] = field(default_factory=dict)
    """Roles given for this run alone: `{"coder": "claude"}`."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """Policy in force, copied when the run started: `{"ship": "person"}`."""
    budget: Mapping[str, float] = field(default_factory=dict)
    """`usd`, `tokens`, `minutes`; what is absent has no limit."""
    root: str = ""
    """Folder that holds `.smithers`."""
    workspace: str = ""
    branch: str = ""
    """Empty where the run works in place."""
    base: str = ""
    """Commit that the worktree started from; the left side of the run's diff."""
    notes: tuple[str, ...] = ()
    """What a person should know of the workspace: not captured, in place."""
    parent: str = ""
    """The attempt from inside which it was started, or nothing."""


@dataclass(slots=True)
class Facts:
    """All that is known of one run, by key. The schedule reads it; the engine keeps it current."""

    run: Run
    outputs: dict[str, Output] = field(default_factory=dict)
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    """By step key, in order; steps that succeeded may be left out."""
    gates: dict[str, list[Gate]] = field(default_factory=dict)
    """By step key, in order of opening."""
    plan: dict[str, PlanStep] = field(default_factory=dict)
    """The plan as last persisted; a render replaces it scope by scope."""
    stored: dict[str, StepState] = field(default_factory=dict)
    """The states as last persisted. Their `ok` says nothing."""
