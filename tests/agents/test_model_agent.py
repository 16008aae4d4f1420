"""A model without a CLI: its child, on every wire; what its tools may do, and what they may not."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import replace

import pytest

from smithers.agents import registry
from smithers.agents.base import Answered, Asked, Failed, FailureKind
from smithers.agents.models import agent as models
from smithers.agents.models import globbing, tools
from smithers.agents.models.agent import ModelAgent
from smithers.agents.models.place import Place, Refused
from smithers.agents.models.reader import Reader
from smithers.agents.models.request import conversation, read
from smithers.agents.permissions import Policy
from smithers.config import AgentSpec
from smithers.errors import AgentError
from smithers.process.sandbox import Box, Level
from tests.boxes import needs_boxes
from tests.conformance.subjects.model import environ
from tests.models import FakeModel
from tests.running import alive, until

WIRE = "openai-chat"
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


def call(name, **given):
    return {"name": name, "input": given}


def make(model, provider=WIRE, **env):
    return ModelAgent("m", f"{provider}:any", {**environ(provider, model), **env})


@pytest.fixture(autouse=True)
def _nobodys(monkeypatch):
    """No login and no proxy of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "OPENAI_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


# -- the child --


@pytest.mark.slow
@pytest.mark.parametrize("provider", ["anthropic", "openai", "google"])
def test_it_edits_and_answers_on_the_wire_of_each_provider(provider, make_turn, play):
    replies = [
        {
            "text": "I write.",
            "thinking": "Hm.",
            "tools": [call("write_file", path="sub/a.txt", content="one\r\ntwo\n")],
            "usage": [120, 7, 30],
        },
        {"json": {"ok": True}, "usage": [200, 20, 50]},
    ]
    with FakeModel(replies) as model:
        turn = make_turn("Write a.txt", schema=SCHEMA)
        verdict, events = play(make(model, provider), turn)
    assert isinstance(verdict, Answered), (verdict, events)
    assert verdict.value == {"ok": True}
    assert verdict.usage == model.used
    assert (turn.workspace / "sub/a.txt").read_bytes() == b"one\r\ntwo\n"
    # What it thinks is no part of the stream in the scripted Responses.
    assert provider == "openai" or ("thinking", "Hm.") in events
    assert ("text", "I write.") in events
    assert ("tool_call", "write_file sub/a.txt") in events
    assert model.strays == []


@pytest.mark.slow
def test_its_shell_sees_no_key_and_its_workspace_is_nothing_to_import_from(make_turn, play):
    spy = "env; tr '\\0' '\\n' </proc/$PPID/environ; cat /proc/$PPID/fd/0; true"
    with FakeModel([{"tools": [call("shell", command=spy)]}, {"text": "Done."}]) as model:
        turn = make_turn()
        for name in ("json", "pydantic_ai", "smithers"):
            (turn.workspace / f"{name}.py").write_text("raise SystemExit(9)")
        verdict, events = play(make(model, OTHER="named"), turn)
    assert isinstance(verdict, Answered), (verdict, events)
    (seen,) = [text for kind, text in events if kind == "tool_result"]
    assert "OTHER=named" in seen
    assert "sk-none" not in seen
    assert "OPENAI" not in seen
    kept = conversation(turn)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.parent.parent == turn.scratch.parent, "it goes with the scratch folder of the run"


@pytest.mark.slow
def test_nothing_outside_the_workspace_is_read_or_written(make_turn, play, tmp_path):
    (tmp_path / "secret").write_text("the-secret-word")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/the-secret-word").touch()
    tries = [
        call("read_file", path="../secret"),
        call("read_file", path=str(tmp_path / "secret")),
        call("read_file", path="link"),
        call("write_file", path="link", content="x"),
        call("write_file", path="out/new", content="x"),
        call("search", pattern="secret", path=".."),
        call("list_files", pattern="../*"),
        call("list_files", pattern="out/*"),
    ]
    with FakeModel([{"tools": tries}, {"text": "Done."}]) as model:
        turn = make_turn()
        (turn.workspace / "link").symlink_to(tmp_path / "secret")
        (turn.workspace / "out").symlink_to(tmp_path / "outside")
        verdict, events = play(make(model), turn)
    assert isinstance(verdict, Answered), verdict
    results = [text for kind, text in events if kind == "tool_result"]
    assert len(results) == len(tries)
    assert all(text.startswith("failed: ") for text in results[:-1]), results
    assert results[-1] == "nothing fits"
    assert "the-secret-word" not in f"{events}{model.requests}"
    assert (tmp_path / "secret").read_text() == "the-secret-word"
    assert not (tmp_path / "outside/new").exists()


@pytest.mark.slow
def test_a_question_ends_the_turn_and_what_was_done_before_it_is_remembered(make_turn, play):
    replies = [{"tools": [call("shell", command="echo fi''rst"), call("shell", command="rm x")]}]
    with FakeModel([*replies, {"text": "Done."}]) as model:
        turn = make_turn("Do both", policy=Policy(ask=("shell rm*",)))
        asked, _ = play(make(model), turn)
        assert isinstance(asked, Asked), asked
        assert (asked.question.subject, asked.question.name) == ("rm x", "shell")
        assert asked.usage == model.used
        again = make_turn("Yes", session=asked.session, resume=True)
        verdict, _ = play(make(model), again)
    assert isinstance(verdict, Answered), verdict
    said = model.requests[1].said
    assert said.index("Do both") < said.index("\nfirst") < said.index("Not done yet")
    assert said.index("Not done yet") < said.index("Yes")


@pytest.mark.slow
def test_a_short_limit_is_waited_for_and_a_long_one_is_not(make_turn, play):
    limits = [{"error": 429, "retry_after": 1}, {"error": 429, "retry_after": 60}]
    with FakeModel(limits) as model:
        verdict, events = play(make(model), make_turn())
    assert isinstance(verdict, Failed), verdict
    assert (verdict.kind, verdict.retry_after) == (FailureKind.RATE_LIMITED, 60)
    assert len([text for kind, text in events if kind == "retry"]) == 1
    assert len(model.requests) == 2


@pytest.mark.slow
def test_without_a_key_it_says_which_one_is_missing(make_turn, play):
    verdict, _ = play(ModelAgent("m", f"{WIRE}:any"), make_turn())
    assert isinstance(verdict, Failed), verdict
    assert verdict.kind is FailureKind.AUTH
    assert "set an API key in OPENAI_API_KEY" in verdict.message


@needs_boxes
@pytest.mark.slow
def test_in_a_strict_box_it_works_and_goes_on_in_its_conversation(make_turn, play, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("the-secret-word")
    look = f"cat {home}/secret {tmp_path}/scratch/conversation-other/*; echo made >made.txt"
    replies = [{"tools": [call("shell", command=look)]}, {"text": "One."}, {"text": "Two."}]
    (tmp_path / "scratch/conversation-other").mkdir(parents=True)
    (tmp_path / "scratch/conversation-other/messages.json").write_text("the-secret-word")
    with FakeModel(replies) as model:
        turn = make_turn("Look around")
        turn = replace(turn, box=Box(Level.STRICT, turn.workspace, turn.scratch))
        one, events = play(make(model, HOME=str(home)), turn)
        two, _ = play(make(model, HOME=str(home)), replace(turn, resume=True, prompt="Again"))
    assert isinstance(one, Answered), (one, events)
    assert isinstance(two, Answered), two
    assert (turn.workspace / "made.txt").exists()
    assert "the-secret-word" not in f"{events}{model.requests}"
    assert "Look around" in model.requests[2].said


# -- its tools --


@pytest.fixture
def place(make_turn):
    turn = make_turn()
    return Place(turn.workspace.resolve(), dict(os.environ), turn.mark)


def do(place, name, **given):
    return asyncio.run(tools.TOOLS[name](**given).do(place))


def test_a_file_is_read_in_parts_and_edited_where_it_is_meant(place):
    (place.workspace / "a").write_text("one\ntwo\ntwo\n")
    assert do(place, "read_file", path="a") == "one\ntwo\ntwo\n"
    assert do(place, "read_file", path="a", first_line=2, lines=1).startswith("two\n… cut")
    with pytest.raises(Refused, match="stands 2 times"):
        do(place, "edit_file", path="a", old="two", new="x")
    with pytest.raises(Refused, match="stands 0 times"):
        do(place, "edit_file", path="a", old="", new="x")
    do(place, "edit_file", path="a", old="one\ntwo", new="1")
    assert (place.workspace / "a").read_text() == "1\ntwo\n"


def test_what_is_no_plain_file_is_neither_waited_for_nor_written(place):
    os.mkfifo(place.workspace / "pipe")
    with pytest.raises(Refused, match="is no file"):
        do(place, "read_file", path="pipe")
    with pytest.raises(Refused, match="is no file"):
        do(place, "write_file", path="pipe", content="x")
    for path in (".", "gone", "a\0b"):
        with pytest.raises(Refused):
            do(place, "read_file", path=path)


def test_rules_see_where_a_link_leads(place):
    (place.workspace / ".env").write_text("KEY=1")
    (place.workspace / "plain").symlink_to(".env")
    question = tools.EditFile(path="plain", old="1", new="2").question(place)
    assert question.subject == ".env"
    assert "-KEY=1" not in question.body
    assert "+2" in question.body


def test_files_are_listed_and_searched_but_not_those_of_git(place):
    for name in ("src/a.py", "src/b.txt", ".git/a.py"):
        (place.workspace / name).parent.mkdir(exist_ok=True)
        (place.workspace / name).write_text("needle = 1\n")
    assert do(place, "list_files", pattern="**/*.py") == "src/a.py"
    assert do(place, "list_files") == "src/"
    found = do(place, "search", pattern="need|never", files="*.py")
    assert found == "./src/a.py:1:needle = 1"
    assert do(place, "search", pattern="--include") == "nothing found"


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", ["a/", "top.py"]),
        ("**/*.py", ["a/b/c.py", "a/d.py", "top.py"]),
        ("**/**/b/*", ["a/b/c.py"]),
        ("a/**", ["a/", "a/b/"]),
        ("a/[bd].*", ["a/d.py"]),
        ("a/b/c.py", ["a/b/c.py"]),
        ("top.py/*", []),
        ("a/no", []),
    ],
)
def test_a_pattern_finds_each_that_fits_once(place, pattern, fits):
    (place.workspace / "a/b").mkdir(parents=True)
    (place.workspace / "a/loop").symlink_to(".")
    for name in ("top.py", "a/d.py", "a/b/c.py"):
        (place.workspace / name).touch()
    found = [name for name in place.find(pattern) if "loop" not in name]
    assert found == fits


@pytest.mark.parametrize("pattern", ["", "/etc/*", "*/" * 300, "a/../../*"])
def test_what_is_no_pattern_is_refused(place, pattern):
    with pytest.raises(Refused):
        place.find(pattern)


def test_a_tree_is_looked_at_within_bounds(place, monkeypatch):
    monkeypatch.setattr(globbing, "LOOKED", 50)
    for n in range(60):
        (place.workspace / f"{n}").mkdir()
    assert place.find("**/nothing") == ["… and more: narrow it down"]
    assert place.find("7") == ["7/"]


@pytest.mark.slow
def test_what_the_system_refuses_is_told_to_the_model_and_the_turn_goes_on(make_turn, play):
    tries = [
        call("write_file", path="n" * 300, content="x"),
        call("edit_file", path="n" * 300, old="x", new="y"),
        call("read_file", path="a/" * 3000),
        call("list_files", pattern="n" * 5000),
        call("list_files", pattern="*/" * 300),
    ]
    with FakeModel([{"tools": tries}, {"text": "Done."}]) as model:
        verdict, events = play(make(model), make_turn())
    assert isinstance(verdict, Answered), verdict
    results = [text for kind, text in events if kind == "tool_result"]
    assert [text.startswith("failed: ") for text in results] == [True, True, True, False, True]
    assert results[3] == "nothing fits"


def test_a_command_has_a_time_limit_and_its_output_an_end(place):
    said = do(place, "shell", command="echo begin; sleep 60 & echo $!; wait", seconds=1)
    assert said.startswith("begin\n")
    assert said.endswith("stopped: it took more than 1 s")
    until(lambda: not alive(int(said.split("\n")[1])))
    said = do(place, "shell", command="seq 100000; echo oops >&2; exit 3")
    assert len(said) < 40_000
    assert said.startswith("1\n2\n")
    assert "lines left out" in said
    assert said.endswith("100000\noops\nexit code 3")


def test_a_command_ends_with_its_process_not_with_its_pipes(place):
    said = do(place, "shell", command="sleep 60 & echo $!")
    os.kill(int(said), 9)


# -- what the library keeps and raises --


def test_a_conversation_is_whole_on_disk_after_each_step(tmp_path):
    from pydantic_ai.messages import ModelResponse, ToolCallPart

    from smithers.agents.models.history import Gone, History

    path = tmp_path / "messages.json"
    with pytest.raises(Gone):
        History(path).load()
    history = History(path)
    history.prompt("Do it")
    calls = [ToolCallPart("shell", {}, "1"), ToolCallPart("shell", {}, "2")]
    history.respond(ModelResponse(calls))
    history.give(calls[0], "made", failed=False)
    later = History(path)
    later.load()
    assert later.messages[-1].parts[0].content == "made"
    assert "interrupted" in later.messages[-1].parts[1].content
    later.prompt("Go on")
    assert len(later.messages) == 3, "results and words are one message"
    path.write_text("[{")
    with pytest.raises(Gone):
        later.load()


def test_trouble_is_told_apart():
    from pydantic_ai import exceptions

    from smithers.agents.models import trouble

    def http(category, status, **more):
        return exceptions.ModelHTTPError.for_category(
            category, status_code=status, model_name="m", **more
        )

    key = http(exceptions.ModelAuthenticationError, 400, body={"error": {"message": "bad key"}})
    assert trouble.failure(key) == Failed(FailureKind.AUTH, "400 m: bad key")
    quota = http(exceptions.ModelQuotaExceededError, 429)
    assert trouble.failure(quota).kind is FailureKind.RATE_LIMITED
    down = http(exceptions.ModelOverloadedError, 529)
    assert [trouble.pause(down, tries) for tries in range(3)] == [*trouble.PAUSES, None]
    assert trouble.pause(http(exceptions.ModelRequestRejectedError, 400), 0) is None
    assert trouble.pause(trouble.CutOff("length"), 0) is None
    assert trouble.pause(trouble.CutOff(None), 0) == trouble.PAUSES[0]


# -- this side of it --


def test_success_takes_its_last_word_and_its_exit(make_turn):
    done = '{"type": "done", "text": "x", "value": {"ok": true}}'
    for lines, code in (([], 0), ([done], 1), ([done], -15), ([done[:-1]], 0)):
        reader = Reader(make_turn(), "cure")
        for line in lines:
            reader.feed(line)
        verdict = reader.verdict(code, "", "s")
        assert isinstance(verdict, Failed), (lines, code)
        assert verdict.kind is FailureKind.ERROR


def test_what_it_does_not_know_is_kept(make_turn):
    reader = Reader(make_turn(), "cure")
    (event,) = reader.feed('{"type": "novel"}')
    assert event.text == "unknown event, kept: novel"
    for line in ('{"type": "permission"}', '{"type": "failed", "kind": 3}', "{", '{"type": []}'):
        assert reader.feed(line)


def test_a_request_is_read_as_it_was_written(make_turn):
    turn = make_turn("żółć \udcff \x00", schema=SCHEMA, policy=Policy(deny=("edit *",)))
    agent = ModelAgent("m", "google:g", {"GEMINI_API_KEY": "k", "OTHER": "x"})
    request = read(agent._request(turn, conversation(turn)).line().encode())
    assert (request.prompt, request.schema) == ("żółć ? \x00", SCHEMA)
    assert (request.policy, request.mark) == (turn.policy, turn.mark)
    assert request.login == {"GEMINI_API_KEY": "k"}


def test_a_provider_gets_its_own_login_and_no_other():
    assert models.logins("openai-responses:x") == models.logins("openai:x")
    assert "ANTHROPIC_API_KEY" not in models.logins("openai:x")
    assert models.logins("some-one:x") == ("SOME_ONE_API_KEY", "SOME_ONE_BASE_URL")


def test_a_name_is_enough_and_half_a_name_is_not(tmp_path, monkeypatch):
    agent = registry.make("model:openai:gpt-5:free", None, root=tmp_path)
    assert agent == ModelAgent("model:openai:gpt-5:free", "openai:gpt-5:free")
    assert agent.label == "openai:gpt-5:free"
    for model, args in (("openai", ()), ("openai:", ()), ("openai:x", ("--y",))):
        with pytest.raises(AgentError):
            registry.make("m", AgentSpec("model", model=model, args=args), root=tmp_path)
    monkeypatch.setattr(models, "LIBRARY", "no_such_library")
    with pytest.raises(AgentError) as caught:
        registry.make("m", AgentSpec("model", model="openai:x"), root=tmp_path)
    assert "smithers-tui[models]" in caught.value.next
