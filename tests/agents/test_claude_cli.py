"""The real Claude Code, driven against a model of our own on loopback."""

from __future__ import annotations

import asyncio
import os
import threading
import uuid

import pytest

from smithers.agents.base import Answered, Failed, FailureKind
from smithers.agents.claude import ClaudeAgent
from smithers.model.step import Usage
from smithers.process import sweep
from tests.fakemodel import FakeModel

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
        return ClaudeAgent(command=claude, env={**model.environ, "HOME": str(home), **more})

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
    assert "/compact is no command here" in str(model.requests[0]["messages"])
    assert model.strays == []


def test_it_runs_commands_without_asking(agent, make_turn, play):
    run = {"tools": [{"name": "Bash", "input": {"command": "echo $SMITHERS_STEP > step.txt"}}]}
    with FakeModel([run, {"text": "Done."}]) as model:
        turn = make_turn()
        verdict, _ = play(agent(model), turn)
    assert isinstance(verdict, Answered), verdict
    assert (turn.workspace / "step.txt").read_text() == "build[2]/code\n"


def test_it_edits_in_place(agent, make_turn, play):
    turn = make_turn()
    (turn.workspace / "a.txt").write_text("one two\n")
    path = "{cwd}/a.txt"
    read = {"tools": [{"name": "Read", "input": {"file_path": path}}]}
    edit = {
        "tools": [
            {
                "name": "Edit",
                "input": {"file_path": path, "old_string": "two", "new_string": "three"},
            }
        ]
    }
    with FakeModel([read, edit, {"text": "Done."}]) as model:
        assert isinstance(play(agent(model), turn)[0], Answered)
    assert (turn.workspace / "a.txt").read_text() == "one three\n"


def test_it_goes_on_in_the_same_conversation_and_bills_each_turn_alone(agent, make_turn, play):
    with FakeModel([{"text": "I will remember 42."}, {"text": "42"}]) as model:
        first = make_turn("The secret is 42")
        one, _ = play(agent(model), first)
        again = make_turn("What is the secret?", session=first.session, resume=True)
        two, _ = play(agent(model), again)
    assert isinstance(two, Answered), two
    assert (two.text, two.session) == ("42", first.session)
    assert any("The secret is 42" in str(message) for message in model.requests[1]["messages"])
    assert one.usage.cost_usd
    assert one.usage.cost_usd == pytest.approx(two.usage.cost_usd)


def test_a_conversation_that_is_not_there_is_told_from_other_failures(agent, make_turn, play):
    with FakeModel([{"text": "hi"}]) as model:
        verdict, _ = play(agent(model), make_turn(session=str(uuid.uuid4()), resume=True))
    assert isinstance(verdict, Failed)
    assert verdict.kind is FailureKind.UNKNOWN_SESSION
    assert model.requests == []


def test_a_conversation_cannot_be_started_twice(agent, make_turn, play):
    with FakeModel([{"text": "hi"}]) as model:
        first = make_turn()
        play(agent(model), first)
        verdict, _ = play(agent(model), make_turn(session=first.session))
    assert verdict.kind is FailureKind.UNKNOWN_SESSION
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"error": 401, "message": "No such key"}, FailureKind.AUTH),
        ({"error": 404, "message": "model: none"}, FailureKind.CONFIG),
        ({"error": 500}, FailureKind.ERROR),
        ({"error": 429, "retry_after": 3600}, FailureKind.RATE_LIMITED),
    ],
)
def test_an_error_of_the_service_is_a_failure_of_its_kind(reply, kind, agent, make_turn, play):
    with FakeModel([reply]) as model:
        verdict, _ = play(agent(model, CLAUDE_CODE_MAX_RETRIES="0"), make_turn(model="some-model"))
    assert isinstance(verdict, Failed)
    assert verdict.kind is kind
    assert verdict.usage == Usage(0, 0, 0.0)


def test_a_rate_limit_is_waited_for_outside_of_the_cli(agent, make_turn, play):
    with FakeModel([{"error": 429, "retry_after": 40}]) as model:
        verdict, _ = play(agent(model), make_turn())
    assert verdict.kind is FailureKind.RATE_LIMITED
    assert 30 <= verdict.retry_after <= 60, "the CLI waits a little longer than it was told"
    assert len(model.requests) == 1


def test_an_answer_that_never_fits_the_schema_is_no_success(agent, make_turn, play):
    with FakeModel([{"text": "I would rather not."}]) as model:
        verdict, _ = play(agent(model), make_turn(schema=SCHEMA))
    assert isinstance(verdict, Answered)
    assert verdict.value is None


def cancel_after(play, event):
    """Cancels a turn once a blocking call has returned."""

    async def go():
        task = asyncio.create_task(play)
        await asyncio.to_thread(event)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_cancelling_ends_the_cli_and_the_commands_it_runs(agent, make_turn):
    turn = make_turn()
    up = turn.workspace / "up"
    os.mkfifo(up)
    command = "setsid env -i /bin/sleep 100 & echo up > up; sleep 100"
    with FakeModel([{"tools": [{"name": "Bash", "input": {"command": command}}]}]) as model:
        cancel_after(agent(model).play(turn, lambda _: None), up.read_text)
    assert sweep.find({turn.mark.token}) == set()


def test_cancelling_ends_a_cli_that_waits_for_its_model(agent, make_turn):
    turn = make_turn()
    with FakeModel([{"text": "late", "hang": threading.Event()}]) as model:
        cancel_after(agent(model).play(turn, lambda _: None), model.asked.wait)
    assert sweep.find({turn.mark.token}) == set()
