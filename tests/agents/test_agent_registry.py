"""A name becomes an agent, or an error that says what to do."""

from __future__ import annotations

import pytest

from smithers.agents import registry
from smithers.agents.cli import CliAgent
from smithers.agents.clis import claude
from smithers.agents.command import CommandAgent
from smithers.agents.scripted import ScriptedAgent
from smithers.config import AgentSpec
from smithers.errors import AgentError


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH with a command `claude` alone."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").write_text("#!/bin/sh\n")
    (folder / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_claude_needs_no_config(path, tmp_path):
    assert registry.make("claude", None, root=tmp_path) == CliAgent(
        claude.SHAPE, "claude", "claude"
    )
    assert registry.make("claude", AgentSpec(kind=""), root=tmp_path) == CliAgent(
        claude.SHAPE, "claude", "claude"
    )
    assert registry.installed() == ["claude"]


def test_claude_that_is_missing_is_told_with_the_way_to_get_it(path, tmp_path):
    (path / "claude").unlink()
    with pytest.raises(AgentError, match="claude is not installed") as raised:
        registry.make("claude", None, root=tmp_path)
    assert raised.value.next == "npm install -g @anthropic-ai/claude-code"
    assert registry.installed() == []


def test_a_spec_decides_model_arguments_and_environment(path, tmp_path):
    spec = AgentSpec(kind="claude", model="opus", args=("--max-turns", "5"), env={"A": "b"})
    agent = registry.make("fast", spec, root=tmp_path)
    assert agent == CliAgent(
        claude.SHAPE, "fast", "claude", "opus", ("--max-turns", "5"), {"A": "b"}
    )
    assert agent.label == "opus"


def test_a_command_stands_in_the_name_or_in_the_spec(path, tmp_path):
    by_name = registry.make("command:claude -x {prompt_file}", None, root=tmp_path)
    assert isinstance(by_name, CommandAgent)
    assert by_name.template == "claude -x {prompt_file}"
    by_spec = registry.make("mine", AgentSpec(kind="command", command="claude -x"), root=tmp_path)
    assert by_spec.label == "claude"


def test_a_script_is_found_from_the_root(tmp_path):
    (tmp_path / "demo.json").write_text("{}")
    agent = registry.make("scripted:demo.json", None, root=tmp_path)
    assert isinstance(agent, ScriptedAgent)
    assert agent.script == tmp_path / "demo.json"


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("nobody", None, "no agent is called 'nobody'"),
        ("scripted:none.json", None, "there is no script"),
        ("command:", None, "its command is empty"),
        ("command:a 'b", None, "is no command"),
        ("command:no-such-program --x", None, "no-such-program is not installed"),
        ("aider", None, "no agent is called 'aider'"),
    ],
)
def test_what_cannot_be_made_says_why(name, spec, words, tmp_path):
    with pytest.raises(AgentError, match=words):
        registry.make(name, spec, root=tmp_path)


def test_a_name_of_config_can_take_another_model():
    agents = {"fast": AgentSpec(kind="claude", model="haiku", args=("--x",))}
    assert registry.resolve("fast", agents).model == "haiku"
    assert registry.resolve("fast:opus", agents) == AgentSpec(
        kind="claude", model="opus", args=("--x",)
    )
    assert registry.resolve("claude:opus", agents) == AgentSpec(kind="claude", model="opus")
