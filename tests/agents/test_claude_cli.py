"""The real Claude Code with an API key: what the cases of all agents (tests/conformance) leave out."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from smithers.agents.base import Answered, FailureKind
from smithers.agents.cli import CliAgent
from smithers.agents.clis import claude as claude_cli
from smithers.agents.permissions import Policy
from smithers.process import sweep
from tests.conformance.subjects.claude import environ
from tests.models import FakeModel

pytestmark = [pytest.mark.cli, pytest.mark.slow]

SCHEMA = {
    "type": "object",
    "properties": {
        "ok": {"type": "boolean"},
        "files": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["ok", "files"],
    "additionalProperties": False,
}
WRITE = {
    "text": "I write.",
    "tools": [{"name": "Write", "input": {"file_path": "{cwd}/hello.txt", "content": "hello\n"}}],
}


@pytest.fixture
def agent(claude, tmp_path, monkeypatch):
    """Makes an agent that talks to a model, in a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "CLAUDE_CONFIG_DIR",
    ):
        monkeypatch.delenv(name, raising=False)

    def make(model, **more):
        return CliAgent(
            claude_cli.SHAPE,
            "claude",
            command=claude,
            env={**environ(model), "HOME": str(home), **more},
        )

    return make


def test_it_edits_a_file_and_gives_a_structured_answer(agent, make_turn, play):
    with FakeModel([WRITE, {"json": {"ok": True, "files": ["hello.txt"]}}]) as model:
        turn = make_turn("/compact is no command here: write hello.txt", schema=SCHEMA)
        verdict, events = play(agent(model), turn)
    assert isinstance(verdict, Answered), verdict
    assert verdict.value == {"ok": True, "files": ["hello.txt"]}
    assert verdict.session == turn.session
    assert (verdict.usage.input_tokens, verdict.usage.output_tokens) == (200, 20)
    assert (turn.workspace / "hello.txt").read_text() == "hello\n"
    assert ("tool_call", f"Write {turn.workspace}/hello.txt") in events
    assert "/compact is no command here" in model.requests[0].said
    assert model.strays == []


def test_it_goes_on_in_the_same_conversation_and_bills_each_turn_alone(agent, make_turn, play):
    with FakeModel([{"text": "I will remember 42."}, {"text": "42"}]) as model:
        first = make_turn("The secret is 42")
        one, _ = play(agent(model), first)
        again = make_turn("What is the secret?", session=first.session, resume=True)
        two, _ = play(agent(model), again)
    assert isinstance(two, Answered), two
    assert (two.text, two.session) == ("42", first.session)
    assert "The secret is 42" in model.requests[1].said
    assert one.usage.cost_usd
    assert one.usage.cost_usd == pytest.approx(two.usage.cost_usd)


def test_a_conversation_cannot_be_started_twice(agent, make_turn, play):
    with FakeModel([{"text": "hi"}]) as model:
        first = make_turn()
        play(agent(model), first)
        verdict, _ = play(agent(model), make_turn(session=first.session))
    assert verdict.kind is FailureKind.UNKNOWN_SESSION
    assert len(model.requests) == 1


def test_rules_stand_over_what_a_persons_own_settings_allow(agent, make_turn, play, tmp_path):
    settings = tmp_path / "home" / ".claude" / "settings.json"
    settings.parent.mkdir()
    allow = {"allow": ["Bash", "Read", "Write"], "defaultMode": "acceptEdits"}
    settings.write_text(json.dumps({"permissions": allow}))
    deny = ("shell touch *", "shell git status", "read secret", "edit made")
    turn = make_turn(policy=Policy(deny=deny))
    (turn.workspace / "secret").write_text("sesame-7")
    uses = [
        {"name": "Bash", "input": {"command": "touch made", "description": "make"}},
        {"name": "Bash", "input": {"command": "git status", "description": "look"}},
        {"name": "Read", "input": {"file_path": "{cwd}/secret"}},
        {"name": "Write", "input": {"file_path": "{cwd}/made", "content": "x"}},
    ]
    replies = [{"text": "I try.", "tools": [use]} for use in uses]
    with FakeModel([*replies, {"text": "Done."}]) as model:
        verdict, events = play(agent(model), turn)
    assert isinstance(verdict, Answered), verdict
    said = "".join(text for kind, text in events if kind == "permission")
    assert [rule for rule in deny if f"[permissions] deny: {rule}" not in said] == [], events
    assert not (turn.workspace / "made").exists()
    assert "sesame-7" not in model.requests[-1].said


def test_a_rate_limit_is_waited_for_outside_of_the_cli(agent, make_turn, play):
    with FakeModel([{"error": 429, "retry_after": 40}]) as model:
        verdict, _ = play(agent(model), make_turn())
    assert verdict.kind is FailureKind.RATE_LIMITED
    assert 30 <= verdict.retry_after <= 60, "the CLI waits a little longer than it was told"
    assert len(model.requests) == 1


def cancel_after(play, event):
    """Cancels a turn once a blocking call has returned."""

    async def go():
        task = asyncio.create_task(play)
        await asyncio.to_thread(event)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_cancelling_ends_a_cli_that_waits_for_its_model(agent, make_turn):
    turn = make_turn()
    with FakeModel([{"text": "late", "hang": threading.Event()}]) as model:
        cancel_after(agent(model).play(turn, lambda _: None), model.asked.wait)
    assert sweep.find({turn.mark.token}) == set()
