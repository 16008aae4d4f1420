"""From the name of an agent to the agent: names of config, and kinds that need none."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from smithers.agents.base import Agent
from smithers.agents.claude import ClaudeAgent
from smithers.agents.command import CommandAgent
from smithers.agents.scripted import ScriptedAgent
from smithers.config import AgentSpec
from smithers.errors import AgentError

_CLIS = ("claude",)
_PREFIXED = ("command", "scripted")
_INSTALL = {"claude": "npm install -g @anthropic-ai/claude-code"}


def resolve(name: str, agents: Mapping[str, AgentSpec]) -> AgentSpec:
    """Find what a name means: `fast`, `fast:opus`, `claude`, `command:aider …`, `scripted:FILE`.

    AgentError if it means nothing.
    """
    if name in agents:
        return agents[name]
    head, colon, rest = name.partition(":")
    if colon and head in _PREFIXED:
        return AgentSpec(kind=head, command=rest)
    if head in agents:
        return replace(agents[head], model=rest)
    if head in _CLIS:
        return AgentSpec(kind=head, model=rest)
    known = ", ".join([*agents, "claude", "command:ARGV", "scripted:FILE"])
    raise AgentError(f"no agent is called {name!r}", next=f"choose one of: {known}")


def make(name: str, spec: AgentSpec | None, *, root: Path) -> Agent:
    """Make the agent that `spec`, or without one (or without a kind) the name alone, describes.

    A script's path is taken from `root`. AgentError if the agent is not there.
    """
    if spec is None or not spec.kind:
        spec = resolve(name, {})
    match spec.kind:
        case "claude":
            command = spec.command or "claude"
            _require(name, command, spec)
            return ClaudeAgent(name, command, spec.model, tuple(spec.args), dict(spec.env))
        case "command":
            words = _split(name, spec.command)
            if "/" not in words[0]:  # a path is relative to a workspace that is not there yet
                _require(name, words[0], spec)
            return CommandAgent(name, spec.command, spec.model, tuple(spec.args), dict(spec.env))
        case "scripted":
            script = root / spec.command
            if not script.is_file():
                raise AgentError(f"agent {name}: there is no script {script}")
            return ScriptedAgent(name, script, dict(spec.env))
        case kind:
            known = "claude, command, scripted"
            what = f"agent {name}: this version cannot drive agents of kind {kind!r}"
            raise AgentError(what, next=f"use one of: {known}")


def installed() -> list[str]:
    """Names of the coding agents on PATH that can be driven by name alone."""
    return [name for name in _CLIS if shutil.which(name)]


def _require(name: str, command: str, spec: AgentSpec) -> None:
    path = spec.env.get("PATH", os.environ.get("PATH", ""))
    if shutil.which(command, path=path) is None:
        hint = _INSTALL.get(command, f"install {command}, or choose another agent for {name}")
        raise AgentError(f"{command} is not installed", next=hint)


def _split(name: str, template: str) -> list[str]:
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise AgentError(f"agent {name}: {template!r} is no command: {error}") from error
    if not words:
        raise AgentError(f"agent {name}: its command is empty", next="give `command` in config")
    return words
