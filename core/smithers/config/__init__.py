"""`config.toml`: who plays which role, limits, gates. Written by people; never guessed at."""

from smithers.config.files import Files
from smithers.config.model import (
    BUILTIN,
    INLINE,
    KINDS,
    LEVELS,
    AgentSpec,
    Config,
    Limits,
    Permissions,
    SandboxConfig,
    WorkspaceConfig,
)
from smithers.config.reading import load, person_file, project_file

__all__ = [
    "BUILTIN",
    "INLINE",
    "KINDS",
    "LEVELS",
    "AgentSpec",
    "Config",
    "Files",
    "Limits",
    "Permissions",
    "SandboxConfig",
    "WorkspaceConfig",
    "load",
    "person_file",
    "project_file",
]
