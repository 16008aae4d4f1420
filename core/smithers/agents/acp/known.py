"""What agents of the Agent Client Protocol are known to need, and how they let one choose."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from smithers.agents.clis import claude, codex, gemini, opencode
from smithers.agents.lines import Event, table
from smithers.agents.permissions import Policy
from smithers.model.step import JSON

_OPENCODE_ASKS = {
    **dict.fromkeys(("*", "edit", "bash", "webfetch", "websearch", "read"), "ask"),
    # Only what it keeps for itself; what these start asks on its own.
    **dict.fromkeys(("glob", "grep", "list", "lsp", "skill", "task", "todowrite"), "allow"),
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the protocol does not tell of an agent."""

    asks: tuple[str, ...] = ()
    """Modes in which it asks before it changes anything, best first; none: it has no such mode."""
    free: tuple[str, ...] = ()
    """Modes for a policy without rules, under which all that is usual is allowed."""
    env: Mapping[str, str] = field(default_factory=dict)
    login: tuple[str, ...] = ()
    """What variables begin with that its login needs."""
    own_sandbox: bool = False
    """It puts what it runs into a box of its own, which cannot be made inside ours."""
    counts_all: bool = True
    """What it says that a turn used is all that the turn used."""

    def modes(self, policy: Policy) -> tuple[str, ...]:
        return self.asks if policy.needs_asking else self.free


UNKNOWN = Known(asks=("default", "ask", "manual", "read-only"))
_KNOWN = {
    "claude-agent-acp": Known(
        ("default",),
        ("default",),
        # It would ask the model what the person may want next, and not count that.
        env={**claude.SHAPE.env, "CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION": "false"},
        login=claude.SHAPE.login,
    ),
    # It asks for what its sandbox forbids, and for nothing else.
    "codex-acp": Known(
        ("read-only",), ("workspace-write",), login=codex.SHAPE.login, own_sandbox=True
    ),
    "gemini": Known(
        ("default",),
        ("default",),
        env={**gemini.SHAPE.env, "GEMINI_CLI_TRUST_WORKSPACE": "true"},
        login=gemini.SHAPE.login,
    ),
    "opencode": Known(
        env={**opencode.SHAPE.env, "OPENCODE_PERMISSION": json.dumps(_OPENCODE_ASKS)},
        login=opencode.SHAPE.login,
        counts_all=False,  # the last call to the model
    ),
}


def known(argv: Sequence[str]) -> Known:
    """By the name of the program, which may stand behind a runner: `npx -y @x/codex-acp@2`."""
    names = (PurePath(word).name.partition("@")[0] for word in argv)
    return next((_KNOWN[name] for name in names if name in _KNOWN), UNKNOWN)


@dataclass(frozen=True, slots=True)
class Offer:
    """A choice that a session gives, and the request that makes it."""

    current: str
    values: tuple[str, ...]
    method: str
    params: Mapping[str, JSON]
    value_key: str

    def choose(self, value: str) -> dict[str, JSON]:
        return {**self.params, self.value_key: value}


def offers(session: Event, what: str) -> Iterator[Offer]:
    """Choices of a `mode` or a `model`, in the older and in the newer form of the protocol."""
    older = table(session.get(f"{what}s"))
    if older:
        key = "id" if what == "mode" else f"{what}Id"
        entries = map(table, _list(older.get(f"available{what.title()}s")))
        values = tuple(str(entry.get(key)) for entry in entries)
        current = str(older.get(f"current{what.title()}Id"))
        yield Offer(current, values, f"session/set_{what}", {}, f"{what}Id")
    for option in map(table, _list(session.get("configOptions"))):
        if what in (option.get("category"), option.get("id")):
            values = tuple(str(each.get("value")) for each in _flat(option.get("options")))
            current = str(option.get("currentValue"))
            chosen: dict[str, JSON] = {"configId": option.get("id")}
            yield Offer(current, values, "session/set_config_option", chosen, "value")


def _flat(options: JSON) -> Iterator[Event]:
    """Values, of which some may stand in groups."""
    for option in map(table, _list(options)):
        if "options" in option:
            yield from map(table, _list(option["options"]))
        else:
            yield option


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
