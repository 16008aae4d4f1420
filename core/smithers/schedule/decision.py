"""What one round of scheduling says, and what it needs done to say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from smithers.model.gate import Gate, GateKind
from smithers.model.run import RunStatus
from smithers.model.step import Attempt, Output, PlanStep, StepState


@dataclass(frozen=True, slots=True)
class GateRequest:
    """A gate that the plan wants open. The engine adds what it is about."""

    key: str
    kind: GateKind
    title: str
    by: str
    why: str
    show: str | None = None


class Hands(Protocol):
    """How facts come about that only the engine can make."""

    def begin(self, step: PlanStep) -> Attempt:
        """A running attempt of a step that may start."""
        ...

    def open(self, request: GateRequest) -> Gate:
        """The gate that was asked for, with what it is about."""
        ...


@dataclass(slots=True)
class Decision:
    """What follows from the facts. New facts are in it; effects are only named."""

    begun: list[Attempt] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    """Keys of running steps to be stopped."""
    gates: list[Gate] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    changes: dict[str, StepState] = field(default_factory=dict)
    placed: dict[str, tuple[PlanStep, int]] = field(default_factory=dict)
    """Steps that are new or were redefined, with their place in their scope."""
    gone: list[str] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)
    """What the author changed since the plan was last made, a clause each."""
    source_digest: str = ""
    """Of the workflow file that the plan is made from; empty: of no file."""
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    error: str = ""
    """Why the run cannot go on before a person has corrected its workflow."""
    wake_at: int | None = None
    counts: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    """total, done, failed, running, waiting."""

    @property
    def empty(self) -> bool:
        """Nothing in it has to be written."""
        return not (
            self.changes
            or self.placed
            or self.gone
            or self.outputs
            or self.gates
            or self.begun
            or self.edits
        )
