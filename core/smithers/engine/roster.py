"""Which agents there are: what each one is, whether it is there, and what it can do."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath

from smithers.agents import environment
from smithers.agents.acp.known import UNKNOWN, known
from smithers.agents.cli import Shape
from smithers.agents.registry import SHAPES, make, resolve
from smithers.config import AgentSpec, Config
from smithers.errors import AgentError
from smithers.process.run import run

VERSION_SECONDS = 10.0
_VERSION = re.compile(r"\d+\.\d+[\w.+-]*")
_HOMES = ("_HOME", "_DIR")
"""Ends of variables that put a program's own files elsewhere."""


@dataclass(frozen=True, slots=True)
class Can:
    """What an agent can do; None: that is not known before it does it."""

    asks: bool | None
    """It asks before it uses a tool, where the rules want that."""
    resumes: bool
    """It goes on in a conversation that was cut off."""
    schema: bool | None
    """It holds its answer to a schema itself; else it is told, and its answer is looked at."""
    prices: bool | None
    """It tells what it has cost."""


_CAN = {
    "command": Can(asks=False, resumes=False, schema=None, prices=False),
    "scripted": Can(asks=True, resumes=False, schema=True, prices=True),
    "model": Can(asks=True, resumes=True, schema=True, prices=False),
}
_NOBODY_KNOWS = Can(asks=None, resumes=False, schema=None, prices=None)


@dataclass(frozen=True, slots=True)
class Member:
    """One agent, by a name that a role or `--agent` can give."""

    name: str
    kind: str
    model: str
    roles: tuple[str, ...]
    """That config has it play."""
    path: str
    """Of its program or script; empty where there is none."""
    problem: str
    """Why it cannot be used; empty: it can."""
    cure: str
    version: str
    """As its program says; empty where it is not known, or not asked for."""
    logged_in: bool | None
    """None: that cannot be told from outside, or it needs no login."""
    can: Can


def roster(root: Path, config: Config) -> list[Member]:
    """All of config, those that play a role first, then the programs that need no word of it.

    Asks each program for its version, at most 10 s long, all at once.
    """
    roles: dict[str, list[str]] = {}
    for role, names in config.roles.items():
        for name in names:
            roles.setdefault(name, []).append(role)
    found = {}
    for name in dict.fromkeys([*roles, *config.agents, *SHAPES]):
        spec = _spec(name, config)
        found[name] = spec, _program(spec, root)
    versions = _versions(
        (path, spec.env) for spec, path in found.values() if path and _known(_words(spec)[:1])
    )
    return [
        _member(name, spec, path, roles.get(name, ()), versions.get(path, ""), root)
        for name, (spec, path) in found.items()
    ]


def _member(
    name: str, spec: AgentSpec, path: str, roles: Sequence[str], version: str, root: Path
) -> Member:
    problem = cure = ""
    try:
        make(name, spec, root=root)
    except AgentError as error:
        problem, cure = error.what, error.next
    return Member(
        name=name,
        kind=spec.kind,
        model=spec.model,
        roles=tuple(roles),
        path=path,
        problem=problem,
        cure=cure,
        version=version,
        logged_in=logged_in(spec),
        can=_can(spec),
    )


def _spec(name: str, config: Config) -> AgentSpec:
    try:
        return resolve(name, config.agents)
    except AgentError:
        return AgentSpec(name.partition(":")[0])


def files(name: str, config: Config, root: Path) -> list[PurePath]:
    """Files of the project, relative to it, that the agent is made of. Raises AgentError."""
    spec = resolve(name, config.agents)
    make(name, spec, root=root)
    words = [spec.command] if spec.kind == "scripted" else _words(spec)
    paths = [PurePath(word) for word in words]
    inside = [path for path in paths if not path.is_absolute() and ".." not in path.parts]
    return [path for path in inside if (root / path).is_file()]


def _program(spec: AgentSpec, root: Path) -> str:
    """Path of its program or script; empty where there is none."""
    if spec.kind == "scripted":
        named = root / spec.command
        return str(named) if named.is_file() else ""
    words = _words(spec)
    if not words:
        return ""
    if "/" in words[0]:
        named = root / words[0]
        return str(named) if named.is_file() else ""
    return shutil.which(words[0], path=spec.env.get("PATH")) or ""


def _words(spec: AgentSpec) -> list[str]:
    if spec.kind in SHAPES:
        return [spec.command or SHAPES[spec.kind].command]
    if spec.kind not in {"acp", "command"}:
        return []
    try:
        return shlex.split(spec.command)
    except ValueError:
        return []


def _shape(spec: AgentSpec) -> Shape | None:
    """Of the program that does the work, whoever talks to it."""
    return SHAPES.get(spec.kind) or (_known(_words(spec)) if spec.kind == "acp" else None)


def _known(words: Sequence[str]) -> Shape | None:
    """By the name of a program: `npx @x/codex-acp@2` is Codex, `claude-agent-acp` is Claude."""
    names = (PurePath(word).name.partition("@")[0].partition("-")[0] for word in words)
    return next((SHAPES[name] for name in names if name in SHAPES), None)


def _can(spec: AgentSpec) -> Can:
    if spec.kind in SHAPES:
        shape = SHAPES[spec.kind]
        return Can(not shape.asks_as, resumes=True, schema=shape.schema, prices=shape.prices)
    if spec.kind == "acp":
        asks = None if known(_words(spec)) is UNKNOWN else True
        return Can(asks, resumes=True, schema=False, prices=None)
    return _CAN.get(spec.kind, _NOBODY_KNOWS)


def logged_in(spec: AgentSpec) -> bool | None:
    """By a variable that is set or a file that is there; what is in it is never read."""
    shape = _shape(spec)
    if shape is None:
        return None
    env = {**os.environ, **spec.env}
    home = Path(env.get("HOME") or "~").expanduser()
    for sign in shape.signs:
        name = sign.removeprefix("~/")
        if (home / name).exists() if name != sign else env.get(name):
            return True
    moved = any(name.startswith(shape.login) and name.endswith(_HOMES) for name in env)
    # Elsewhere than on Linux a key chain may hold it.
    return None if moved or sys.platform != "linux" else False


def _versions(programs: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """What each says to `--version`, by its path."""
    wanted = dict(programs)
    with ThreadPoolExecutor(max(1, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(_version, wanted, wanted.values()), strict=True))


def _version(path: str, env: Mapping[str, str]) -> str:
    """It gets no secret: neither the person's nor those of its config."""
    kept = {"PATH": env["PATH"]} if "PATH" in env else {}
    try:
        done = run(
            [path, "--version"],
            cwd=Path(path).parent,
            env={**environment.common(), **kept},
            timeout=VERSION_SECONDS,
        )
    except OSError:
        return ""
    found = _VERSION.search(done.out.decode(errors="replace"))
    return found[0] if found and done.code == 0 else ""
