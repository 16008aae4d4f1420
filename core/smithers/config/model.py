"""What a configuration says, once it is read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = ("claude", "codex", "gemini", "opencode", "pi", "command", "scripted", "acp", "model")
BUILTIN = ("claude", "codex", "gemini", "opencode", "pi")
"""Agents that need no entry, since their name says it all."""
INLINE = ("command", "scripted", "acp", "model")
"""Kinds that a role can give in place, as `kind:rest`."""


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """How one agent is started."""

    kind: str
    model: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    """The argv template of `command` and `acp`, the script file of `scripted`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """None: the default of each kind of step."""

    concurrency: int = 4
    """Attempts at once in a run."""
    retries: int | None = None
    timeout: float | None = None
    """Seconds of an attempt."""
    stall: float | None = None
    """Seconds without any output."""


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """Where runs work; empty: as the recipe says."""

    mode: str = ""
    """`worktree`, `in-place` or empty."""
    base: str = ""
    """Revision that worktrees begin from; empty: what is checked out."""
    setup: str = ""
    """Shell command in a new worktree, before the first step."""


LEVELS = ("off", "workspace", "strict")
"""Of the sandbox, from the laxest to the strictest."""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What attempts may see and change. Paths may begin with `~`."""

    level: str = ""
    """One of LEVELS; empty: the recipe's, else `workspace` where the system can make one."""
    network: bool = True
    """For checks and setup; an agent has it always, since its model is out there."""
    write: tuple[str, ...] = ()
    """Written beside the workspace and the usual caches."""
    read: tuple[str, ...] = ()
    """Seen although it lies in what is hidden."""
    hide: tuple[str, ...] = ()
    """Not seen, beside the usual secrets."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What agents may do without asking: rules as `tool pattern`, such as `shell git push*`."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    """Of both files."""
    ask: tuple[str, ...] = ()
    """Of both files."""


@dataclass(frozen=True, slots=True)
class Config:
    agents: Mapping[str, AgentSpec] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Role to agents, the first choice first: a name or builtin, with `:model` if need be, or
    `kind:rest`."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """`recipe/step` to `anyone` or `person`."""
    workspace: WorkspaceConfig = WorkspaceConfig()
    sandbox: SandboxConfig = SandboxConfig()
    permissions: Permissions = Permissions()
    limits: Limits = Limits()
    budget: Mapping[str, float] = field(default_factory=dict)
    """Of `usd`, `tokens`, `minutes` those that are limited."""
    doors: str = "auto"
    """What doors do for a run that lost its engine: `auto`, start the next one; or `offer` it."""
