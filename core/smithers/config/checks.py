"""Which keys there are, and what each may say: a check for every leaf, and an example of it."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from smithers.config.model import BUILTIN, INLINE, KINDS, LEVELS

TOOLS = ("shell", "edit", "read", "fetch", "other", "*")
_YEAR = 366 * 24 * 3600.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Wrong(Exception):
    """A value that cannot be, and why; the key and its example are added where they are known."""


@dataclass(frozen=True, slots=True)
class Key:
    check: Callable[[object], object]
    example: str


def text(value: object) -> str:
    if not isinstance(value, str):
        raise Wrong(f"must be a string, not {type_of(value)}")
    if "\0" in value:
        raise Wrong("holds a NUL character")
    if not value.strip():
        raise Wrong("is empty")
    return value


def names(value: object) -> tuple[str, ...]:
    """One name, or several: the first choice first."""
    return tuple(text(each) for each in value) if isinstance(value, list) else (text(value),)


def rules(value: object) -> tuple[str, ...]:
    for rule in words(value):
        tool = rule.partition(" ")[0]
        if tool not in TOOLS:
            raise Wrong(f"holds {rule!r}: no tool {tool!r}; {nearest(tool, TOOLS)}")
    return words(value)


def choice(*allowed: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        said = text(value)
        if said not in allowed:
            raise Wrong(f"is {said!r}; {nearest(said, allowed)}")
        return said

    return check


def whole(low: int, high: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"must be a whole number, not {type_of(value)}")
        if not low <= value <= high:
            raise Wrong(f"must be from {low} to {high}")
        return value

    return check


def amount(high: float) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Wrong(f"must be a number, not {type_of(value)}")
        if not (0 < value <= high) or math.isnan(value):
            raise Wrong(f"must be above 0 and at most {high:.0f}")
        return float(value)

    return check


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false, not {type_of(value)}")
    return value


def paths(value: object) -> tuple[str, ...]:
    """Outside the repository, so that one file means the same for each of its checkouts."""
    found = words(value)
    for path in found:
        if not path.startswith(("/", "~/")):
            raise Wrong(f"holds {path!r}, which begins neither with / nor with ~/")
    return found


def words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Wrong(f"must be a list of strings, not {type_of(value)}")
    for word in value:
        if not isinstance(word, str) or "\0" in word:
            raise Wrong("must hold only strings")
    return tuple(value)


def variables(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise Wrong(f"must be a table of strings, not {type_of(value)}")
    for name, text in value.items():
        if not _VARIABLE.fullmatch(name):
            raise Wrong(f"holds {name!r}, which cannot name a variable")
        if name.startswith("SMITHERS_"):
            raise Wrong(f"holds {name}, which Smithers itself sets")
        if not isinstance(text, str) or "\0" in text:
            raise Wrong(f"holds {name}, which is no string")
    return dict(value)


def kind(value: object) -> str:
    said = text(value)
    head, colon, rest = said.partition(":")
    if head not in KINDS:
        raise Wrong(f"is {said!r}; {nearest(head, KINDS)}")
    if colon and (head not in INLINE or not rest.strip()):
        raise Wrong(f"is {said!r}; after {head} comes {'nothing' if head in BUILTIN else 'more'}")
    return said


def policy(value: object) -> str:
    said = choice("anyone", "person", "signed")(value)
    if said == "signed":
        raise Wrong("is 'signed', which this version does not support and will not weaken")
    return said


def nearest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else f"known are {', '.join(known)}"


def type_of(value: object) -> str:
    names = {"str": "a string", "int": "a number", "float": "a number", "bool": "true or false"}
    names |= {"list": "a list", "dict": "a table"}
    return names.get(type(value).__name__, "a date or time")


AGENT = {
    "kind": Key(kind, 'kind = "claude"'),
    "model": Key(text, 'model = "opus"'),
    "args": Key(words, 'args = ["--verbose"]'),
    "env": Key(variables, 'env = { PYTHONUTF8 = "1" }'),
    "command": Key(text, 'command = "my-agent --model {model} {prompt_file}"'),
    "file": Key(text, 'file = "scripts/demo.json"'),
}
SECTIONS = {
    "workspace": {
        "mode": Key(choice("worktree", "in-place"), 'mode = "worktree"'),
        "base": Key(text, 'base = "main"'),
        "setup": Key(text, 'setup = "uv sync"'),
    },
    "sandbox": {
        "level": Key(choice(*LEVELS), 'level = "workspace"'),
        "network": Key(flag, "network = true"),
        "write": Key(paths, 'write = ["~/.cache/mine"]'),
        "read": Key(paths, 'read = ["~/tools"]'),
        "hide": Key(paths, 'hide = ["~/private"]'),
    },
    "permissions": {
        "allow": Key(rules, 'allow = ["shell git status*"]'),
        "deny": Key(rules, 'deny = ["shell git push*"]'),
        "ask": Key(rules, 'ask = ["shell *"]'),
    },
    "limits": {
        "concurrency": Key(whole(1, 1000), "concurrency = 4"),
        "retries": Key(whole(0, 1000), "retries = 2"),
        "timeout": Key(amount(_YEAR), "timeout = 3600"),
        "stall": Key(amount(_YEAR), "stall = 600"),
    },
    "budget": {
        "usd": Key(amount(1e9), "usd = 5.0"),
        "tokens": Key(whole(1, 10**15), "tokens = 2000000"),
        "minutes": Key(amount(1e7), "minutes = 90"),
    },
    "supervise": {"doors": Key(choice("auto", "offer"), 'doors = "auto"')},
}
TOP = ("agents", "roles", "gates", *SECTIONS)
HERE = Key(str, "")
ROLE = Key(names, 'coder = "claude"')
GATE = Key(policy, '"implement/ship" = "person"')
