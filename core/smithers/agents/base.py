"""The interface that every agent fulfils.

A turn goes in, events stream out, one verdict ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from smithers.agents.permissions import Policy, Question
from smithers.model.step import Usage
from smithers.process.marks import Mark
from smithers.process.sandbox import Box


class EventKind(StrEnum):
    TEXT = "text"
    THINKING = "thinking"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    PERMISSION = "permission"
    """It asked to use a tool, and what it was told."""
    USAGE = "usage"
    RETRY = "retry"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """One thing that an agent did, and the line it was read from."""

    kind: EventKind
    text: str
    raw: str = ""
    """What was received, where `text` was read out of it."""
    used: Usage | None = None
    """All that this turn has used so far, where the agent tells it before the end."""
    session: str = ""
    """The conversation's id, where the agent chooses it: to be kept before anything is lost."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation: what to do, where, and by which limits it can be recognised."""

    prompt: str
    workspace: Path
    scratch: Path
    """A private folder for prompt, schema and answer files; outside the workspace."""
    mark: Mark
    session: str
    """Id of the conversation: the one to go on in, or a UUID that a new one may take."""
    resume: bool
    """The conversation exists already: go on in it."""
    schema: Mapping[str, Any] | None
    """JSON schema wanted of the answer, or None for plain words."""
    model: str = ""
    policy: Policy = field(default_factory=Policy)
    """What it may do without a person's word."""
    undone: frozenset[int] = frozenset()
    """Tokens of earlier attempts at the step that came to no verdict: what they did is to do."""
    box: Box | None = None
    """What its processes may see and change; None: all that the person may."""


class FailureKind(StrEnum):
    ERROR = "error"
    """Worth a retry."""
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    CONFIG = "config"
    UNKNOWN_SESSION = "unknown_session"
    """The conversation to resume is gone: a fresh one starts at once."""

    @property
    def retryable(self) -> bool:
        return self not in {FailureKind.AUTH, FailureKind.CONFIG}


@dataclass(frozen=True, slots=True)
class Answered:
    """The agent ended by its own word and exit, and said success. Our own check comes after."""

    text: str
    value: Any
    """The structured answer, not yet validated; None if there was none."""
    usage: Usage
    session: str


@dataclass(frozen=True, slots=True)
class Failed:
    kind: FailureKind
    message: str
    usage: Usage = field(default_factory=Usage)
    retry_after: float | None = None
    """Seconds until the provider's limit resets, if it said so."""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """It wants to do what only a person may allow, and was ended: nothing waits in a process."""

    question: Question
    usage: Usage
    session: str


Verdict = Answered | Failed | Asked


class Agent(Protocol):
    """Something that can play a turn. Cancelling `play` stops its processes before it returns."""

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str:
        """What the record says of the model: `claude`, `gpt-5`, `scripted`."""
        ...

    @property
    def remembers(self) -> bool:
        """It can go on in an earlier conversation. One that cannot is told everything each time."""
        ...

    async def play(self, turn: Turn, emit: Callable[[AgentEvent], None]) -> Verdict:
        """Play one turn to its end. Never raises for what the agent did: that is a `Failed`."""
        ...
