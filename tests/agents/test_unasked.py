"""An agent that asks nobody never runs under rules that it cannot keep."""

from __future__ import annotations

import pytest

from smithers.agents import registry
from smithers.agents.base import Answered, Failed, FailureKind
from smithers.agents.cli import CliAgent
from smithers.agents.command import CommandAgent
from smithers.agents.permissions import Policy, Remembered, Ruling, Tool

UNASKED = ("codex", "gemini", "opencode", "pi")
DENIED = Remembered(Ruling.DENY, Tool.SHELL, "rm -rf /")
ALLOWED = Remembered(Ruling.ALLOW, Tool.SHELL, "make")


@pytest.mark.parametrize("kind", UNASKED)
@pytest.mark.parametrize(
    "policy",
    [Policy(ask=("shell git push*",)), Policy(deny=("fetch",)), Policy(remembered=(DENIED,))],
    ids=["ask", "deny", "denied by a person"],
)
def test_rules_to_ask_or_deny_end_it_before_it_starts(kind, policy, make_turn, play):
    agent = CliAgent(registry.SHAPES[kind], "mine", command="/no/such/program")
    verdict, events = play(agent, make_turn(policy=policy))
    assert isinstance(verdict, Failed)
    assert verdict.kind is FailureKind.CONFIG
    assert f"use {registry.SHAPES[kind].asks_as} in its place" in verdict.message
    assert events == []


@pytest.mark.parametrize("kind", UNASKED)
@pytest.mark.parametrize(
    "policy",
    [Policy(), Policy(allow=("*",)), Policy(remembered=(ALLOWED,))],
    ids=["none", "allow", "allowed by a person"],
)
def test_rules_that_only_allow_let_it_start(kind, policy, make_turn, play):
    agent = CliAgent(registry.SHAPES[kind], "mine", command="/no/such/program")
    assert "cannot be started" in play(agent, make_turn(policy=policy))[0].message


def test_a_command_asks_nobody_either(make_turn, play):
    agent = CommandAgent("mine", "touch {prompt_file}.ran")
    for policy in (Policy(ask=("shell",)), Policy(deny=("edit x",))):
        turn = make_turn(policy=policy)
        verdict, events = play(agent, turn)
        assert isinstance(verdict, Failed)
        assert verdict.kind is FailureKind.CONFIG
        assert "mine asks nobody" in verdict.message
        assert not turn.scratch.exists()
        assert events == []
    assert isinstance(play(agent, make_turn(policy=Policy(allow=("*",))))[0], Answered)


def test_claude_asks_by_itself(make_turn, play):
    agent = CliAgent(registry.SHAPES["claude"], "mine", command="/no/such/program")
    verdict, _ = play(agent, make_turn(policy=Policy(ask=("shell",))))
    assert "cannot be started" in verdict.message
