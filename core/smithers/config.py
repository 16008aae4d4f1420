"""`config.toml`: who plays which role, limits, gates. Written by people; never guessed at."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from smithers.errors import ConfigError

KINDS = ("claude", "command", "scripted")
BUILTIN = ("claude",)
"""Agents that need no entry, since their name says it all."""
INLINE = ("command", "scripted", "acp", "model")
"""Kinds that a role can give in place, as `kind:rest`."""

_YEAR = 366 * 24 * 3600.0
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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


@dataclass(frozen=True, slots=True)
class Config:
    agents: Mapping[str, AgentSpec] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    """Role to agent: a name or builtin, with `:model` if need be, or `kind:rest`."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """`recipe/step` to `anyone` or `person`."""
    workspace: WorkspaceConfig = WorkspaceConfig()
    limits: Limits = Limits()
    budget: Mapping[str, float] = field(default_factory=dict)
    """Of `usd`, `tokens`, `minutes` those that are limited."""
    doors: str = "auto"
    """What doors do for a run that lost its engine: `auto`, start the next one; or `offer` it."""


def load(root: Path) -> Config:
    """Read the project's file over the person's own, key by key. ConfigError for the first flaw.

    A file that is not there is an empty one.
    """
    persons, projects = _read(person_file()), _read(project_file(root))
    # What the other keys of an agent mean hangs on its kind: with another kind they go too.
    kept = {
        path: leaf for path, leaf in persons.items() if not _other_kind(path, persons, projects)
    }
    return _build(kept | projects)


def project_file(root: Path) -> Path:
    """Name the file of a project, kept in git."""
    return root / ".smithers" / "config.toml"


def person_file() -> Path:
    """Name the person's own file, below all projects'."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification ignores relative paths.
    folder = Path(base) if base.startswith("/") else Path("~/.config").expanduser()
    return folder / "smithers" / "config.toml"


_Path = tuple[str, ...]


class _Wrong(Exception):
    """A value that cannot be, and why; the key and its example are added where they are known."""


@dataclass(frozen=True, slots=True)
class _Value:
    """One checked leaf, and where it was written."""

    file: Path
    path: _Path
    value: Any


@dataclass(frozen=True, slots=True)
class _Key:
    check: Callable[[object], object]
    example: str


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"must be a string, not {_type(value)}")
    if "\0" in value:
        raise _Wrong("holds a NUL character")
    if not value.strip():
        raise _Wrong("is empty")
    return value


def _choice(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _text(value)
        if text not in allowed:
            raise _Wrong(f"is {text!r}; {_nearest(text, allowed)}")
        return text

    return check


def _whole(low: int, high: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _Wrong(f"must be a whole number, not {_type(value)}")
        if not low <= value <= high:
            raise _Wrong(f"must be from {low} to {high}")
        return value

    return check


def _amount(high: float) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _Wrong(f"must be a number, not {_type(value)}")
        if not (0 < value <= high) or math.isnan(value):
            raise _Wrong(f"must be above 0 and at most {high:.0f}")
        return float(value)

    return check


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Wrong(f"must be a list of strings, not {_type(value)}")
    for word in value:
        if not isinstance(word, str) or "\0" in word:
            raise _Wrong("must hold only strings")
    return tuple(value)


def _variables(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise _Wrong(f"must be a table of strings, not {_type(value)}")
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name):
            raise _Wrong(f"holds {name!r}, which cannot name a variable")
        if name.startswith("SMITHERS_"):
            raise _Wrong(f"holds {name}, which Smithers itself sets")
        if not isinstance(text, str) or "\0" in text:
            raise _Wrong(f"holds {name}, which is no string")
    return dict(value)


def _kind(value: object) -> str:
    text = _text(value)
    head, colon, rest = text.partition(":")
    if head not in KINDS:
        raise _Wrong(f"is {text!r}; {_nearest(head, KINDS)}")
    if colon and (head not in INLINE or not rest.strip()):
        raise _Wrong(f"is {text!r}; after {head} comes {'nothing' if head in BUILTIN else 'more'}")
    return text


def _policy(value: object) -> str:
    text = _choice("anyone", "person", "signed")(value)
    if text == "signed":
        raise _Wrong("is 'signed', which this version does not support and will not weaken")
    return text


_AGENT = {
    "kind": _Key(_kind, 'kind = "claude"'),
    "model": _Key(_text, 'model = "opus"'),
    "args": _Key(_words, 'args = ["--verbose"]'),
    "env": _Key(_variables, 'env = { PYTHONUTF8 = "1" }'),
    "command": _Key(_text, 'command = "my-agent --model {model} {prompt_file}"'),
    "file": _Key(_text, 'file = "scripts/demo.json"'),
}
_SECTIONS = {
    "workspace": {
        "mode": _Key(_choice("worktree", "in-place"), 'mode = "worktree"'),
        "base": _Key(_text, 'base = "main"'),
        "setup": _Key(_text, 'setup = "uv sync"'),
    },
    "limits": {
        "concurrency": _Key(_whole(1, 1000), "concurrency = 4"),
        "retries": _Key(_whole(0, 1000), "retries = 2"),
        "timeout": _Key(_amount(_YEAR), "timeout = 3600"),
        "stall": _Key(_amount(_YEAR), "stall = 600"),
    },
    "budget": {
        "usd": _Key(_amount(1e9), "usd = 5.0"),
        "tokens": _Key(_whole(1, 10**15), "tokens = 2000000"),
        "minutes": _Key(_amount(1e7), "minutes = 90"),
    },
    "supervise": {"doors": _Key(_choice("auto", "offer"), 'doors = "auto"')},
}
_TOP = ("agents", "roles", "gates", *_SECTIONS)
_HERE = _Key(str, "")
_ROLE = _Key(_text, 'coder = "claude"')
_GATE = _Key(_policy, '"implement/ship" = "person"')


def _read(file: Path) -> dict[_Path, _Value]:
    """Read all leaves of one file, each checked on its own."""
    leaves: dict[_Path, _Value] = {}
    for section, table in _parse(file).items():
        if section not in _TOP:
            homes = [f"{name}.{section}" for name, keys in _SECTIONS.items() if section in keys]
            raise _unknown(file, (section,), homes or _TOP)
        if not isinstance(table, dict):
            raise _wrong(file, (section,), f"must be a table, not {_type(table)}", f"[{section}]")
        for path, value, key in _leaves(file, section, table):
            try:
                checked = key.check(value)
            except _Wrong as error:
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
) -> Iterable[tuple[_Path, object, _Key]]:
    for name, value in table.items():
        path = (section, name)
        if section == "agents":
            yield from _agent_leaves(file, path, value)
        elif section == "roles":
            if not _NAME.fullmatch(name):
                raise _wrong(file, path, "cannot name a role", _ROLE.example)
            yield path, value, _ROLE
        elif section == "gates":
            recipe, _, step = name.partition("/")
            if not (recipe.strip() and step.strip()):
                raise _wrong(file, path, 'must be "recipe/step"', _GATE.example)
            yield path, value, _GATE
        elif name in _SECTIONS[section]:
            yield path, value, _SECTIONS[section][name]
        else:
            raise _unknown(file, path, _SECTIONS[section])


def _agent_leaves(file: Path, path: _Path, table: object) -> Iterable[tuple[_Path, object, _Key]]:
    example = '[agents.coder]\nkind = "claude"'
    if not _NAME.fullmatch(path[-1]) or path[-1] in INLINE:
        raise _wrong(file, path, "cannot name an agent", example)
    if not isinstance(table, dict):
        raise _wrong(file, path, f"must be a table, not {_type(table)}", example)
    # An agent without any key is still one that roles can name.
    yield (*path, ""), "", _HERE
    for name, value in table.items():
        if name not in _AGENT:
            raise _unknown(file, (*path, name), _AGENT)
        yield (*path, name), value, _AGENT[name]


def _other_kind(path: _Path, old: Mapping[_Path, _Value], new: Mapping[_Path, _Value]) -> bool:
    kind = (*path[:2], "kind")
    return kind in new and new[kind].value != (old[kind].value if kind in old else path[1])


def _build(merged: Mapping[_Path, _Value]) -> Config:
    tables: dict[str, dict[str, Any]] = {section: {} for section in _TOP}
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
        raise _wrong(where.file, ("agents", name, "kind"), "is missing", _AGENT["kind"].example)
    spec = AgentSpec(kind, given.get("model", ""), given.get("args", ()), given.get("env", {}))
    inline = "model" if kind == "model" else "file" if kind == "scripted" else "command"
    for key in ("command", "file"):
        if key in given and (key != inline or kind in BUILTIN):
            reason = f"means nothing for an agent of kind {kind!r}"
            raise _wrong(keys[key].file, keys[key].path, reason, "leave it out")
    if kind in BUILTIN:
        return spec
    if rest and inline in given:
        leaf = keys[inline]
        raise _wrong(leaf.file, leaf.path, "is given by `kind` as well", "leave one out")
    value = rest or given.get(inline, "")
    if not value:
        path = ("agents", name, inline)
        raise _wrong(where.file, path, f"is needed by {kind!r}", _AGENT[inline].example)
    return replace(spec, model=value) if kind == "model" else replace(spec, command=value)


def _check_role(leaf: _Value, agents: Mapping[str, AgentSpec]) -> None:
    """Who plays a role must be known, in whichever of the two files."""
    head, colon, rest = leaf.value.partition(":")
    if colon and not rest.strip():
        raise _wrong(leaf.file, leaf.path, f"is {leaf.value!r}; after : comes more", _ROLE.example)
    if head in agents or head in BUILTIN or (head in INLINE and colon):
        return
    reason = f"is {leaf.value!r}, which is no agent; {_nearest(head, (*agents, *BUILTIN))}"
    raise _wrong(leaf.file, leaf.path, reason, _ROLE.example)


def _wrong(file: Path, path: Iterable[str], reason: str, example: str) -> ConfigError:
    return ConfigError(f"{file}: {_dotted(path)} {reason}", next=f"for example: {example}")


def _unknown(file: Path, path: _Path, known: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"{file}: unknown key {_dotted(path)}; {_nearest(path[-1], known)}",
        next="correct or remove it",
    )


def _nearest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else f"known are {', '.join(known)}"


def _dotted(path: Iterable[str]) -> str:
    """Write a key as TOML would."""
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in path)


def _type(value: object) -> str:
    names = {"str": "a string", "int": "a number", "float": "a number", "bool": "true or false"}
    names |= {"list": "a list", "dict": "a table"}
    return names.get(type(value).__name__, "a date or time")
