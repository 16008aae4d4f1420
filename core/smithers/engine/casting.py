"""Who plays a role: the run's own word, then config, then the first agent that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from smithers.agents.base import Agent
from smithers.agents.registry import installed, make, resolve
from smithers.config import Config
from smithers.errors import UsageError


def name_for(role: str, given: Mapping[str, str], config: Config) -> str:
    """The agent's name for a role. Raises UsageError when nobody can play it."""
    name = given.get(role) or config.roles.get(role)
    if name:
        return name
    found = installed()
    if found:
        return found[0]
    raise UsageError(
        f"nobody plays the role {role!r}",
        next=(
            f"install claude, or say `--agent {role}=AGENT`, or set [roles] {role} in "
            ".smithers/config.toml"
        ),
    )


def cast(role: str, given: Mapping[str, str], config: Config, root: Path) -> Agent:
    """The agent that plays a role now.

    Raises UsageError, or AgentError when it is not installed.
    """
    name = name_for(role, given, config)
    return make(name, resolve(name, config.agents), root=root)
