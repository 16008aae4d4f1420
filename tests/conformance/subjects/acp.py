"""Agents of the Agent Client Protocol: two adapters of other CLIs, and two that speak it themselves."""

from collections.abc import Callable, Mapping
from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Limit, Subject
from tests.conformance.subjects import claude, codex, gemini, opencode
from tests.models import FakeModel


def _acp(
    command: str,
    env: Callable[[Path, FakeModel], Mapping[str, str]],
    *,
    memory: str,
    package: str,
    quiet: float,
    limits: Mapping[str, Limit],
) -> Subject:
    def point(home: Path, model: FakeModel) -> AgentSpec:
        return AgentSpec("acp", command=command, env=dict(env(home, model)))

    return Subject(
        f"acp:{command}",
        programs=(command.split(maxsplit=1)[0],),
        point=point,
        memory=memory,
        quiet=quiet,
        package=package,
        limits=limits,
    )


_WAIT = Limit("the protocol has no place for the wait that a provider names")
_ITSELF = Limit("it waits by itself, and says nothing", untested="minutes of silence")

ALL = (
    _acp(
        "claude-agent-acp",
        # As root it refuses to start without.
        lambda _, model: {**claude.subscribed(model), "IS_SANDBOX": "1"},
        memory=".claude/projects/**/*",
        package="claude-acp",
        quiet=15,
        limits={"limited": _WAIT},
    ),
    _acp(
        "codex-acp",
        codex.environ,
        memory=".codex/sessions/**/*",
        package="codex-acp",
        quiet=15,
        limits={"limited": _ITSELF},
    ),
    _acp(
        "gemini --acp -m gemini-2.5-pro",
        gemini.environ,
        memory=".gemini/tmp/**/*",
        package="gemini",
        quiet=20,
        limits={
            **dict.fromkeys(("events", "odd"), Limit("it tells no results of commands")),
            "dropped": Limit("half an answer stays before the whole one: its words have no ids"),
            "usage": Limit("it does not tell what came from a cache"),
            **dict.fromkeys(
                ("asks", "repaired", "resumed"),
                Limit(
                    "`session/load` finds some conversations and not others: a fresh one begins",
                    untested="now it is so, now not",
                ),
            ),
            **dict.fromkeys(("broken", "limited", "limited_unnamed"), _ITSELF),
        },
    ),
    _acp(
        "opencode acp",
        opencode.environ,
        memory=".local/share/opencode/**/*",
        package="opencode",
        quiet=30,
        limits={
            "auth": Limit("the protocol's error names no status"),
            "dropped": Limit(
                "now and then half an answer stays before the whole one",
                untested="now it is so, now not",
            ),
            "usage": Limit("it tells the tokens of its last call, so none are taken"),
            "asks": Limit("it tells the tokens of its last call; the question itself is heeded"),
            **dict.fromkeys(("limited", "limited_unnamed"), _ITSELF),
        },
    ),
)
