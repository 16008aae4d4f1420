"""A step of a plan, where it stands, and the tries at it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, TypeVar

Number = TypeVar("Number", int, float)
JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

_ITERATION = re.compile(r"\[\d+\]")


def generic(key: str) -> str:
    """The key without iteration numbers: `build[2]/review` → `build/review`."""
    return _ITERATION.sub("", key)


def iteration_of(key: str) -> int | None:
    """The innermost iteration that a key lies in, or None outside loops."""
    numbers = _ITERATION.findall(key)
    return int(numbers[-1][1:-1]) if numbers else None


class StepKind(StrEnum):
    TASK = "task"
    CHECK = "check"
    CALL = "call"
    APPROVAL = "approval"
    LOOP = "loop"


class StepStatus(StrEnum):
    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in _ENDED


_ENDED = frozenset(
    {StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED}
)


class AttemptStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its engine died. Not charged as a retry."""
    STOPPED = "stopped"
    """Ended by pause, cancel or a step that left the plan. Not charged."""
    TIMED_OUT = "timed_out"
    RATE_LIMITED = "rate_limited"
    """Waits for the provider's reset. Not charged."""
    ASKED = "asked"
    """Ended to ask a person for permission; goes on with the answer. Not charged."""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step as a render placed it.

    All that a schedule needs to know, and nothing of the author's.
    """

    key: str
    scope: str
    """Key of the scope that holds it: `""` for the workflow, `build[2]` for an iteration."""
    kind: StepKind
    title: str
    after: tuple[str, ...] = ()
    """Keys that must have ended well before this one may start."""
    when: bool = True
    limits: tuple[tuple[str, int], ...] = ()
    """Groups it counts in, each with the number of its steps that may run at once."""
    spec: Mapping[str, JSON] = field(default_factory=dict)
    """What distinguishes it, as JSON: agent and schema, command, loop bound, gate policy."""


@dataclass(frozen=True, slots=True)
class StepState:
    """Where a step stands. `reason` says why it is skipped, failed or waiting."""

    status: StepStatus
    reason: str = ""
    ok: bool = False
    """Ended in a way that lets what follows it start: succeeded, or skipped by `when=False`."""
    wake_at: int | None = None
    """Milliseconds since 1970: when a retrying step starts again by itself."""


MOST = 2**53
"""No count is larger: up to it every integer has a float, and a database its place."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt consumed. None where the agent does not say."""

    input_tokens: int | None = None
    """All of the input, what came from a cache included."""
    output_tokens: int | None = None
    cost_usd: float | None = None
    cached_tokens: int | None = None
    """Those of the input that the provider had in its cache."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _add(self.input_tokens, other.input_tokens),
            _add(self.output_tokens, other.output_tokens),
            _add(self.cost_usd, other.cost_usd),
            _add(self.cached_tokens, other.cached_tokens),
        )


def _add(a: Number | None, b: Number | None) -> Number | None:
    if a is None:
        return b
    return a if b is None else min(a + b, MOST)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a step. Written when it begins, completed when it ends."""

    key: str
    n: int
    token: int
    """48 bits that mark every process of this attempt."""
    status: AttemptStatus
    started_at: int
    finished_at: int | None = None
    charged: bool = True
    """Counts against the step's retries."""
    retry_at: int | None = None
    """Set when it failed and another try is due; None when its failure is final."""
    reopened: str = ""
    """Who asked for another try after this failure, or nobody."""
    exit_code: int | None = None
    error: str = ""
    agent: str = ""
    model: str = ""
    session: str = ""
    value: JSON = None
    """What a failed check found; the value of a success stands in `outputs`."""
    usage: Usage = Usage()

    @property
    def id(self) -> str:
        """Its name in file names: the key made safe, the number, the token."""
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", self.key)
        return f"{safe[:80]}.{self.n}.{self.token:012x}"


@dataclass(frozen=True, slots=True)
class Output:
    """The validated value of a finished step, or the verdict on an iteration (key `build[2]`)."""

    key: str
    value: JSON
