"""From the two files to one configuration; ConfigError for the first flaw, with a cure."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smithers.config.checks import (
    AGENT,
    GATE,
    HERE,
    ROLE,
    SECTIONS,
    TOP,
    Key,
    Wrong,
    nearest,
    type_of,
)
from smithers.config.model import (
    BUILTIN,
    INLINE,
    LEVELS,
    AgentSpec,
    Config,
    Limits,
    Permissions,
    SandboxConfig,
    WorkspaceConfig,
)
from smithers.errors import ConfigError

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_Path = tuple[str, ...]
_BOTH = {("permissions", "deny"), ("permissions", "ask")}
"""Rules of both files hold."""


def load(root: Path) -> Config:
    """Read the project's file over the person's own, key by key. ConfigError for the first flaw.

    A file that is not there is an empty one.
    """
    persons, projects = _read(person_file()), _read(project_file(root))
    # What the other keys of an agent mean hangs on its kind: with another kind they go too.
    kept = {
        path: leaf for path, leaf in persons.items() if not _other_kind(path, persons, projects)
    }
    return _build(kept | projects | _confined(persons, projects))


def project_file(root: Path) -> Path:
    """Name the file of a project, kept in git."""
    return root / ".smithers" / "config.toml"


def person_file() -> Path:
    """Name the person's own file, below all projects'."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification ignores relative paths.
    folder = Path(base) if base.startswith("/") else Path("~/.config").expanduser()
    return folder / "smithers" / "config.toml"


@dataclass(frozen=True, slots=True)
class _Value:
    """One checked leaf, and where it was written."""

    file: Path
    path: _Path
    value: Any


def _read(file: Path) -> dict[_Path, _Value]:
    """Read all leaves of one file, each checked on its own."""
    leaves: dict[_Path, _Value] = {}
    for section, table in _parse(file).items():
        if section not in TOP:
            homes = [f"{name}.{section}" for name, keys in SECTIONS.items() if section in keys]
            raise _unknown(file, (section,), homes or TOP)
        if not isinstance(table, dict):
            example = f"[{section}]"
            raise _wrong(file, (section,), f"must be a table, not {type_of(table)}", example)
        for path, value, key in _leaves(file, section, table):
            try:
                checked = key.check(value)
            except Wrong as error:
                raise _wrong(file, path, str(error), key.example) from None
            leaves[path] = _Value(file, path, checked)
    return leaves


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        # Bad TOML, bad UTF-8, a date that is none, a nesting without end.
        raise ConfigError(
            f"{file} is not valid TOML: {error}", next="see https://toml.io for its rules"
        ) from error


def _leaves(
    file: Path, section: str, table: Mapping[str, Any]
) -> Iterable[tuple[_Path, object, Key]]:
    for name, value in table.items():
        path = (section, name)
        if section == "agents":
            yield from _agent_leaves(file, path, value)
        elif section == "roles":
            if not _NAME.fullmatch(name):
                raise _wrong(file, path, "cannot name a role", ROLE.example)
            yield path, value, ROLE
        elif section == "gates":
            recipe, _, step = name.partition("/")
            if not (recipe.strip() and step.strip()):
                raise _wrong(file, path, 'must be "recipe/step"', GATE.example)
            yield path, value, GATE
        elif name in SECTIONS[section]:
            yield path, value, SECTIONS[section][name]
        else:
            raise _unknown(file, path, SECTIONS[section])


def _agent_leaves(file: Path, path: _Path, table: object) -> Iterable[tuple[_Path, object, Key]]:
    example = '[agents.coder]\nkind = "claude"'
    if not _NAME.fullmatch(path[-1]) or path[-1] in INLINE:
        raise _wrong(file, path, "cannot name an agent", example)
    if not isinstance(table, dict):
        raise _wrong(file, path, f"must be a table, not {type_of(table)}", example)
    # An agent without any key is still one that roles can name.
    yield (*path, ""), "", HERE
    for name, value in table.items():
        if name not in AGENT:
            raise _unknown(file, (*path, name), AGENT)
        yield (*path, name), value, AGENT[name]


def _other_kind(path: _Path, old: Mapping[_Path, _Value], new: Mapping[_Path, _Value]) -> bool:
    kind = (*path[:2], "kind")
    return kind in new and new[kind].value != (old[kind].value if kind in old else path[1])


def _confined(
    persons: Mapping[_Path, _Value], projects: Mapping[_Path, _Value]
) -> dict[_Path, _Value]:
    """Where both files forbid, both hold: the stricter level, no network, all paths and rules."""
    merged = {}
    for path, leaf in projects.items():
        bounds = path[0] == "sandbox" or path in _BOTH
        if not bounds or path not in persons:
            continue
        first, second = persons[path].value, leaf.value
        match path[1]:
            case "level":
                value: Any = max(first, second, key=LEVELS.index)
            case "network":
                value = first and second
            case _:
                value = (*first, *second)
        merged[path] = replace(leaf, value=value)
    return merged


def _build(merged: Mapping[_Path, _Value]) -> Config:
    tables: dict[str, dict[str, Any]] = {section: {} for section in TOP}
    agents: dict[str, dict[str, _Value]] = {}
    for leaf in merged.values():
        section, name, *rest = leaf.path
        if rest:
            agents.setdefault(name, {})[rest[0]] = leaf
        else:
            tables[section][name] = leaf.value
    specs = {name: _spec(name, keys) for name, keys in agents.items()}
    for leaf in merged.values():
        if leaf.path[0] == "roles":
            _check_role(leaf, specs)
    return Config(
        agents=specs,
        roles=tables["roles"],
        gates=tables["gates"],
        workspace=WorkspaceConfig(**tables["workspace"]),
        sandbox=SandboxConfig(**tables["sandbox"]),
        permissions=Permissions(**tables["permissions"]),
        limits=Limits(**tables["limits"]),
        budget={name: float(value) for name, value in tables["budget"].items()},
        **tables["supervise"],
    )


def _spec(name: str, keys: Mapping[str, _Value]) -> AgentSpec:
    """Put the keys of one agent together, and check what they say of each other."""
    given = {key: leaf.value for key, leaf in keys.items()}
    kind, _, rest = given.get("kind", name if name in BUILTIN else "").partition(":")
    where = keys.get("kind", keys[""])
    if not kind:
        raise _wrong(where.file, ("agents", name, "kind"), "is missing", AGENT["kind"].example)
    spec = AgentSpec(kind, given.get("model", ""), given.get("args", ()), given.get("env", {}))
    inline = "model" if kind == "model" else "file" if kind == "scripted" else "command"
    for key in ("command", "file"):
        if key in given and key != inline:
            reason = f"means nothing for an agent of kind {kind!r}"
            raise _wrong(keys[key].file, keys[key].path, reason, "leave it out")
    if kind in BUILTIN:
        return replace(spec, command=given.get("command", ""))
    if rest and inline in given:
        leaf = keys[inline]
        raise _wrong(leaf.file, leaf.path, "is given by `kind` as well", "leave one out")
    value = rest or given.get(inline, "")
    if not value:
        path = ("agents", name, inline)
        raise _wrong(where.file, path, f"is needed by {kind!r}", AGENT[inline].example)
    return replace(spec, model=value) if kind == "model" else replace(spec, command=value)


def _check_role(leaf: _Value, agents: Mapping[str, AgentSpec]) -> None:
    """Who plays a role must be known, in whichever of the two files."""
    for name in leaf.value:
        head, colon, rest = name.partition(":")
        if colon and not rest.strip():
            raise _wrong(leaf.file, leaf.path, f"is {name!r}; after : comes more", ROLE.example)
        if not (head in agents or head in BUILTIN or (head in INLINE and colon)):
            reason = f"is {name!r}, which is no agent; {nearest(head, (*agents, *BUILTIN))}"
            raise _wrong(leaf.file, leaf.path, reason, ROLE.example)
    if not leaf.value:
        raise _wrong(leaf.file, leaf.path, "names nobody", ROLE.example)


def _wrong(file: Path, path: Iterable[str], reason: str, example: str) -> ConfigError:
    return ConfigError(f"{file}: {_dotted(path)} {reason}", next=f"for example: {example}")


def _unknown(file: Path, path: _Path, known: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"{file}: unknown key {_dotted(path)}; {nearest(path[-1], known)}",
        next="correct or remove it",
    )


def _dotted(path: Iterable[str]) -> str:
    """Write a key as TOML would."""
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in path)
