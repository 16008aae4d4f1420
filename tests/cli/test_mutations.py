"""What people mistype in a config or an input: refused with the field's name, or it works; never a traceback."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smithers.cli.app import main
from smithers.service import starting

CASES = 200
SEED = int(os.environ.get("MUTATIONS_SEED", "20261124"))
"""Printed when a case fails, with the case."""

CONFIG: dict[str, Any] = {
    "agents": {
        "fast": {"kind": "claude", "model": "haiku", "args": ["--verbose"], "env": {"A": "b"}},
        "mine": {"kind": "command", "command": "mine {prompt_file}"},
        "played": {"kind": "scripted", "file": "script.json"},
    },
    "roles": {"coder": "fast", "reviewer": "mine:big"},
    "gates": {"flow/ship": "person"},
    "workspace": {"mode": "in-place", "base": "main", "setup": "true"},
    "limits": {"concurrency": 4, "retries": 2, "timeout": 3600, "stall": 600.5},
    "budget": {"usd": 5.0, "tokens": 2000, "minutes": 90},
    "supervise": {"doors": "auto"},
}
INPUT: dict[str, Any] = {
    "prompt": "Build it",
    "count": 3,
    "share": 0.5,
    "loud": True,
    "mode": "fast",
    "names": ["a", "b"],
    "deep": {"path": "x", "levels": {"one": 1}},
    "maybe": None,
}
FLOW = """\
from typing import Literal
from pydantic import BaseModel, ConfigDict
from smithers import *

class Deep(BaseModel):
    model_config = ConfigDict(extra="forbid")
    path: str
    levels: dict[str, int]

class In(BaseModel):
    model_config = ConfigDict(extra="forbid")
    prompt: str
    count: int
    share: float
    loud: bool
    mode: Literal["fast", "slow"]
    names: list[str]
    deep: Deep
    maybe: int | None = None

@workflow("flow", summary="test")
def flow(ctx: Context[In]):
    return Check("only", "true")
"""
ODD = [
    None, True, 0, -1, 10**30, 0.0, float("inf"), float("nan"), "", " ", "\0", "\u202e", "\ud800", "x" * 3000,
    "person", [], ["a", 1], {}, {"a": {"b": []}}, "scripted:", "model:", "claude:",
]  # fmt: skip


def change(value: dict[str, Any], chance: random.Random) -> tuple[dict[str, Any], list[str]]:
    """A copy with one thing in it changed, and the names that lead there."""
    made = json.loads(json.dumps(value))
    table, names = made, []
    while True:
        name = chance.choice(list(table))
        names.append(name)
        if not isinstance(table[name], dict) or not table[name] or chance.random() < 0.2:
            break
        table = table[name]
    match chance.choice(["replace", "replace", "drop", "rename", "add"]):
        case "replace":
            table[name] = chance.choice(ODD)
        case "drop":
            del table[name]
        case "rename":
            names[-1] = chance.choice(
                [name + "s", name.upper(), name[:-1], "", "a b", "ключ", "\x1b[2J"]
            )
            table[names[-1]] = table.pop(name)
        case "add":
            names[-1] = "surplus"
            table["surplus"] = chance.choice(ODD)
    return made, [name, *names]


def damage(text: str, chance: random.Random) -> str:
    """Text in which a hand slipped."""
    at, end = sorted(chance.randrange(len(text)) for _ in range(2))
    line = chance.choice(text.splitlines(keepends=True))
    return chance.choice(
        [
            text[:at] + text[at + 1 :],
            text[:at] + text[min(end, at + 40) :],
            text[:at] + chance.choice("\"'[]{}=,.#\\\n\0\x1b\ud800\u202e9-") + text[at:],
            text[:at],
            text + line,
            text.replace(line, ""),
        ]
    )


def toml(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    raise AssertionError(value)


def document(config: dict[str, Any]) -> str:
    """The config as a person writes it: a line for each section's key."""
    lines = []
    for section, table in config.items():
        if isinstance(table, dict):
            lines.append(f"[{json.dumps(section)}]")
            lines += [f"{json.dumps(name)} = {toml(inner)}" for name, inner in table.items()]
        else:
            lines.insert(0, f"{json.dumps(section)} = {toml(table)}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow in a folder of its own; runs are written down, and nobody starts them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(starting, "spawn", lambda *_: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for name in [name for name in os.environ if name.startswith(("SMITHERS_", "GIT_"))]:
        monkeypatch.delenv(name)
    (tmp_path / ".smithers").mkdir()
    path = tmp_path / "flow.py"
    path.write_text(FLOW)
    return path


Up = Callable[..., tuple[int, str]]


@pytest.fixture
def up(flow: Path, capsys: pytest.CaptureFixture[str]) -> Up:
    """`smithers up -d` of the workflow; its exit code and what it said to a person."""

    def call(given: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["up", str(flow), "-d", "--in-place", "--input", given])
        return code, capsys.readouterr().err

    return call


def judge(case: str, code: int, said: str, names: list[str]) -> None:
    told = f"seed {SEED}, {case}: exit {code}\n{said}"
    assert "Traceback" not in said, told
    assert code in {0, 2}, told
    assert not set(said) & {"\x1b", "\0", "\u202e"}, told
    if code:
        assert said.startswith("error: "), told
        assert "next: " in said, told
        assert any(name and name in said for name in names), told


def test_a_changed_config_works_or_names_the_field(tmp_path: Path, up: Up) -> None:
    chance = random.Random(SEED)
    file = tmp_path / ".smithers" / "config.toml"
    codes = set()
    for number in range(CASES):
        changed, names = change(CONFIG, chance)
        text = document(changed)
        if number % 2:
            text, names = damage(document(CONFIG), chance), ["config.toml"]
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        code, said = up(json.dumps(INPUT))
        # What a key says of another one is told at the other: a role whose agent has gone.
        judge(f"case {number}: {text}", code, said, [*names, "agents", "roles", "not valid TOML"])
        assert not code or "config.toml" in said, said
        codes.add(code)
    assert codes == {0, 2}


def test_a_changed_input_works_or_names_the_field(up: Up) -> None:
    chance = random.Random(SEED)
    codes = set()
    for number in range(CASES):
        changed, names = change(INPUT, chance)
        text = json.dumps(changed)
        if number % 2:
            text, names = damage(json.dumps(INPUT), chance), ["input"]
        code, said = up(text)
        judge(f"case {number}: {text!r}", code, said, names)
        codes.add(code)
    assert codes == {0, 2}
