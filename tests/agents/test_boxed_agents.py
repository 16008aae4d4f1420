"""Agents in a box: the same turn, with the rest of the machine out of reach."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from smithers.agents.base import Answered, Failed, FailureKind
from smithers.agents.cli import CliAgent
from smithers.agents.clis import claude as claude_cli
from smithers.agents.clis import codex
from smithers.agents.command import CommandAgent
from smithers.process import sandbox
from smithers.process.sandbox import Box, Level
from tests.boxes import needs_boxes
from tests.conformance.subjects.claude import environ
from tests.models import FakeModel

SECRET = "the-secret-word"

pytestmark = needs_boxes


@pytest.fixture
def boxed(make_turn):
    """A turn in a box of a level."""

    def make(prompt="Do it", level="workspace", **more):
        turn = make_turn(prompt, **more)
        return replace(turn, box=Box(Level(level), turn.workspace, turn.scratch))

    return make


@pytest.fixture
def house(tmp_path):
    (tmp_path / "home/.ssh").mkdir(parents=True)
    (tmp_path / "home/.ssh/id_ed25519").write_text(SECRET)
    (tmp_path / "home/.claude.json").write_text('{"numStartups": 1}')
    return tmp_path / "home"


@pytest.mark.parametrize("level", ["workspace", "strict"])
def test_a_command_agent_reads_its_prompt_and_writes_its_answer(boxed, play, house, level):
    script = (
        "cat {prompt_file} > seen; cat ~/.ssh/id_ed25519; echo '{\"ok\": true}' > $SMITHERS_OUTPUT"
    )
    agent = CommandAgent("mine", f"sh -c {shlex.quote(script)}", env={"HOME": str(house)})
    turn = boxed("the task", level, schema={"type": "object"})
    verdict, events = play(agent, turn)
    assert isinstance(verdict, Answered), verdict
    assert verdict.value == {"ok": True}
    assert (turn.workspace / "seen").read_text() == "the task"
    assert SECRET not in str(events)


def test_an_answer_is_read_through_no_symlink_and_no_pipe(boxed, play, house):
    (house / ".ssh/id_ed25519").write_text('{"stolen": true}')
    for attack in (f"ln -s {house}/.ssh/id_ed25519", "mkfifo"):
        script = f'{attack} "$SMITHERS_OUTPUT"'
        agent = CommandAgent("mine", f"sh -c {shlex.quote(script)}", env={"HOME": str(house)})
        verdict, _ = play(agent, boxed(schema={"type": "object"}))
        assert isinstance(verdict, Answered), verdict
        assert verdict.value is None


def test_an_agent_with_a_box_of_its_own_does_without_ours_in_no_strict_one(
    boxed, play, monkeypatch
):
    monkeypatch.setattr(sandbox, "nests", lambda: False)
    verdict, _ = play(CliAgent(codex.SHAPE, "codex", command="false"), boxed(level="strict"))
    assert isinstance(verdict, Failed)
    assert verdict.kind is FailureKind.CONFIG
    assert "strict" in verdict.message


def test_a_box_that_cannot_be_made_is_no_failure_of_the_agent(boxed, play, tmp_path):
    turn = boxed(level="strict")
    agent = CommandAgent("mine", "true", env={"HOME": str(tmp_path / "work")})
    (tmp_path / "work/hidden").mkdir()
    box = replace(turn.box, workspace=tmp_path / "gone")
    turn = replace(turn, workspace=tmp_path / "work/hidden", box=box)
    verdict, _ = play(agent, turn)
    assert isinstance(verdict, Failed)
    assert verdict.kind is FailureKind.CONFIG
    assert "bwrap" in verdict.message


@pytest.mark.cli
@pytest.mark.slow
@pytest.mark.parametrize("level", ["workspace", "strict"])
def test_the_real_claude_works_in_a_box_and_remembers(
    claude, boxed, play, house, level, monkeypatch
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    tries = (
        f"echo made > made.txt; cat {house}/.ssh/id_ed25519; echo x > {house}/left; ls -d /proc/1"
    )
    replies = [
        {"tools": [{"name": "Bash", "input": {"command": tries, "description": "try"}}]},
        {"text": "tried"},
        {"text": "again"},
    ]
    with FakeModel(replies) as model:
        agent = CliAgent(
            claude_cli.SHAPE, "claude", command=claude, env={**environ(model), "HOME": str(house)}
        )
        turn = boxed("try it", level)
        verdict, events = play(agent, turn)
        assert isinstance(verdict, Answered), (verdict, events)
        assert (turn.workspace / "made.txt").read_text() == "made\n"
        assert SECRET not in str(events) + str(model.requests)
        assert not (house / "left").exists()
        more, _ = play(agent, replace(turn, resume=True, prompt="and again"))
        assert isinstance(more, Answered), more
        assert "try it" in str(model.requests[-1])
    assert list((house / ".claude/projects").rglob("*.jsonl"))
