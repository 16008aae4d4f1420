"""From the name of an agent to the agent: names of config, and kinds that need none."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from smithers.agents.base import Agent
from smithers.agents.cli import CliAgent, Shape
from smithers.agents.clis import claude, codex, gemini, opencode, pi
from smithers.agents.command import CommandAgent
from smithers.agents.scripted import ScriptedAgent
from smithers.config import AgentSpec
from smithers.errors import AgentError, UnknownAgent

_SHAPES = (claude.SHAPE, codex.SHAPE, gemini.SHAPE, opencode.SHAPE, pi.SHAPE)
SHAPES: Mapping[str, Shape] = {shape.kind: shape for shape in _SHAPES}
"""Programs that need no word of config, in the order in which one is looked for."""
_PREFIXED = ("acp", "command", "scripted", "model")


def resolve(name: str, agents: Mapping[str, AgentSpec]) -> AgentSpec:
    """Find what a name means: `fast`, `fast:opus`, `claude`, `command:aider …`, `model:openai:x`.

    UnknownAgent if it means nothing.
    """
    if name in agents:
        return agents[name]
    head, colon, rest = name.partition(":")
    if colon and head in _PREFIXED:
        return AgentSpec(head, model=rest) if head == "model" else AgentSpec(head, command=rest)
    if head in agents:
        return replace(agents[head], model=rest)
    if head in SHAPES:
        return AgentSpec(kind=head, model=rest)
    known = ", ".join(
        [*agents, *SHAPES, "acp:ARGV", "command:ARGV", "scripted:FILE", "model:PROVIDER:NAME"]
    )
    raise UnknownAgent(f"no agent is called {name!r}", next=f"choose one of: {known}")


def make(name: str, spec: AgentSpec | None, *, root: Path) -> Agent:
    """Make the agent that `spec`, or without one (or without a kind) the name alone, describes.

    A script's path is taken from `root`. AgentError if the agent is not there, UnknownAgent if it
    cannot be.
    """
    if spec is None or not spec.kind:
        spec = resolve(name, {})
    if spec.kind in SHAPES:
        shape = SHAPES[spec.kind]
        command = spec.command or shape.command
        _require(name, command, spec, shape.install)
        return CliAgent(shape, name, command, spec.model, tuple(spec.args), dict(spec.env))
    match spec.kind:
        case "acp":
            words = _split(name, spec.command)
            if "/" not in words[0]:
                _require(name, words[0], spec)
            # Its library takes a second to load.
            from smithers.agents.acp.agent import AcpAgent  # noqa: PLC0415

            return AcpAgent(name, spec.command, spec.model, tuple(spec.args), dict(spec.env))
        case "command":
            words = _split(name, spec.command)
            if "/" not in words[0]:  # a path is relative to a workspace that is not there yet
                _require(name, words[0], spec)
            return CommandAgent(name, spec.command, spec.model, tuple(spec.args), dict(spec.env))
        case "scripted":
            script = root / spec.command
            if not script.is_file():
                what = f"agent {name}: there is no script {script}"
                raise UnknownAgent(what, next=f"give its path, taken from {root}")
            return ScriptedAgent(name, script, dict(spec.env))
        case "model":
            from smithers.agents.models.agent import ModelAgent, check  # noqa: PLC0415 - pydantic

            check(name, spec)
            return ModelAgent(name, spec.model, dict(spec.env))
        case kind:
            known = ", ".join([*SHAPES, *_PREFIXED])
            what = f"agent {name}: this version cannot drive agents of kind {kind!r}"
            raise AgentError(what, next=f"use one of: {known}")


def installed() -> list[str]:
    """Names of the coding agents on PATH that can be driven by name alone."""
    return [name for name, shape in SHAPES.items() if shutil.which(shape.command)]


def _require(name: str, command: str, spec: AgentSpec, install: str = "") -> None:
    path = spec.env.get("PATH", os.environ.get("PATH", ""))
    if shutil.which(command, path=path) is None:
        hint = install or f"install {command}, or choose another agent for {name}"
        raise AgentError(f"{command} is not installed", next=hint)


def _split(name: str, template: str) -> list[str]:
    try:
        words = shlex.split(template)
    except ValueError as error:
        what = f"agent {name}: {template!r} is no command: {error}"
        raise UnknownAgent(what, next="quote its words as a shell would have them") from error
    if not words:
        what = f"agent {name}: its command is empty"
        raise UnknownAgent(what, next="name its command, or give `command` in config")
    return words
