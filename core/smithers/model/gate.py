"""A gate: anything that waits for a decision, and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GateKind(StrEnum):
    APPROVAL = "approval"
    NO_PROGRESS = "no_progress"
    """A loop whose last iterations changed nothing."""
    EXHAUSTED = "exhausted"
    """A loop at its bound with `on_exhausted="ask"`."""
    BUDGET = "budget"
    CRASHES = "crashes"
    """Engines died at the same place again and again."""
    PERMISSION = "permission"
    """An agent wants to use a tool, and no rule decides about it."""


class Answer(StrEnum):
    APPROVE = "approve"
    DENY = "deny"


class Remember(StrEnum):
    """What the answer to a question of an agent holds for."""

    ONCE = "once"
    STEP = "step"
    RUN = "run"
    RECIPE = "recipe"
    """All runs of the recipe in this run directory, also later ones."""


@dataclass(frozen=True, slots=True)
class Decision:
    gate: str
    answer: Answer
    actor: str
    """`person:<name>`, `agent:<name>` or `engine`."""
    established: str
    """How the actor was established: `terminal`, `app`, `policy`, `caller`."""
    note: str
    digest: str
    decided_at: int
    remember: Remember = Remember.ONCE
    """Of a gate about a permission."""


@dataclass(frozen=True, slots=True)
class About:
    """The use of a tool that a gate about a permission is about."""

    tool: str
    subject: str
    digest: str
    """Of the exact question; `Gate.digest` is of what is shown of it."""
    attempt: int
    """That asked."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What is asked, about which exact bytes, by whom and who may decide."""

    id: str
    """The step's key, `#` and a number from 1: `ship#1`. A gate that asks again is a new gate."""
    key: str
    kind: GateKind
    title: str
    by: str
    """`anyone`, `person` or `signed`."""
    why: str
    show: str
    """`diff`, `patch`, `text` or `""`: what the body is."""
    body: str
    """The text asked about, which may be a patch; for a diff, `base..head` as two commits."""
    digest: str
    """sha256 of the exact bytes shown."""
    opened_at: int
    decision: Decision | None = None
    about: About | None = None
