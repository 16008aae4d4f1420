"""How codex is started, what its lines mean, and which of its ends is a success."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smithers.agents.base import Answered, EventKind, Failed, FailureKind
from smithers.agents.clis.codex import SHAPE, Stream
from smithers.model.step import Usage
from tests.agents.streams import play, recorded, session_of, turn

WAIT = (
    "2026-11-24T14:01:45Z  WARN codex_core::responses_retry: stream disconnected - retrying "
    "sampling request (1/5 in {})... retries=1 max_retries=5 sampling_error={}"
)
LIMITED = "exceeded retry limit, last status: 429 Too Many Requests"


@pytest.fixture
def read(tmp_path):
    def read(name, code=0, stderr="", **more):
        return play(Stream(turn(tmp_path, **more)), recorded("codex", name) if name else [], code)

    return read


def test_an_edit_is_words_a_call_a_result_and_a_bill(read):
    verdict, events = read("edit")
    assert [kind for kind, _ in events] == [
        *("notice", "notice", "notice"),
        *("text", "tool_call", "tool_result", "text", "usage"),
    ]
    assert events[4][1].startswith("shell /bin/bash -lc 'mkdir -p")
    assert verdict == Answered(
        "Done.", None, Usage(200, 20, None, 0), "01a20783-ad7b-7972-8280-e9962595afb0"
    )


def test_the_conversation_is_told_with_the_first_line(tmp_path):
    found = session_of(Stream(turn(tmp_path)), recorded("codex", "edit"))
    assert found == ("01a20783-ad7b-7972-8280-e9962595afb0", 1)


def test_each_turn_of_a_conversation_is_billed_alone(read):
    assert read("first")[0].usage == Usage(100, 10, None, 0)
    assert read("resumed")[0].usage == Usage(100, 10, None, 0), "the CLI says 200 and 20"
    assert read("edit")[0].usage == Usage(200, 20, None, 0), "another conversation"


def test_what_a_lost_turn_used_is_in_the_bill_of_the_next(read):
    assert read("resumed")[0].usage == Usage(200, 20, None, 0)


def test_the_last_message_is_the_structured_answer(read):
    assert read("schema", schema={})[0].value == {"ok": True, "files": ["hello.txt"]}
    assert read("schema")[0].value is None


def test_an_answer_that_is_no_json_is_no_value(read):
    verdict, _ = read("schema-invalid", schema={})
    assert isinstance(verdict, Answered)
    assert (verdict.text, verdict.value) == ("{not json", None)


def test_a_command_that_fails_is_marked(read):
    assert ("tool_result", "failed (exit 3): oops\n") in read("shell-fails")[1]


def test_a_dropped_stream_that_came_back_is_no_failure(read):
    verdict, events = read("dropped")
    assert isinstance(verdict, Answered)
    assert events[3][0] == "retry"


@pytest.mark.parametrize(
    ("name", "code", "kind", "words"),
    [
        ("401", 1, FailureKind.AUTH, "codex login"),
        ("429", 1, FailureKind.RATE_LIMITED, "429 Too Many Requests"),
        ("500", 1, FailureKind.ERROR, "high demand"),
        ("400", 1, FailureKind.ERROR, "Scripted failure. (invalid_request_error)"),
        ("killed", -15, FailureKind.ERROR, "no success (exit -15)"),
        ("killed", 0, FailureKind.ERROR, "no success (exit 0)"),
        ("edit", 1, FailureKind.ERROR, "no success (exit 1)"),
        ("edit", None, FailureKind.ERROR, "no success"),
        (None, 0, FailureKind.ERROR, "no success (exit 0)"),
    ],
)
def test_each_bad_end_is_a_failure_of_its_kind(name, code, kind, words, read):
    verdict, _ = read(name, code)
    assert isinstance(verdict, Failed)
    assert verdict.kind is kind
    assert words in verdict.message
    assert verdict.exit_code == code


@pytest.mark.parametrize(
    ("error", "kind", "wait"),
    [
        ("unexpected status 404 Not Found: no model", FailureKind.CONFIG, None),
        ("You've hit your usage limit. Try again in 2 hours 5 m.", FailureKind.RATE_LIMITED, 7500),
        ("rate limit exceeded: try again in 1m3.5s.", FailureKind.RATE_LIMITED, 63.5),
        ("Quota exceeded. Check your plan and billing details.", FailureKind.AUTH, None),
        ('{"error": {"message": "Invalid schema for x", "code": "c"}}', FailureKind.CONFIG, None),
        ("stream disconnected before completion", FailureKind.ERROR, None),
    ],
)
def test_the_words_of_an_error_tell_its_kind(error, kind, wait, tmp_path):
    line = json.dumps({"type": "turn.failed", "error": {"message": error}})
    verdict, _ = play(Stream(turn(tmp_path)), [line], 1)
    assert (verdict.kind, verdict.retry_after) == (kind, wait)


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("thread/resume failed: no rollout found for thread id 0", FailureKind.UNKNOWN_SESSION),
        ("error: unexpected argument '--x' found", FailureKind.CONFIG),
        ("Error: turn/start failed: Input exceeds the maximum length", FailureKind.CONFIG),
        ("Segmentation fault", FailureKind.ERROR),
    ],
)
def test_a_start_that_failed_is_explained_by_its_stderr(stderr, kind, tmp_path):
    verdict, _ = play(Stream(turn(tmp_path, resume=True)), [], 1, stderr)
    assert verdict.kind is kind
    assert stderr in verdict.message


def test_a_long_wait_for_a_rate_limit_is_taken_over(tmp_path):
    stream = Stream(turn(tmp_path))
    stream.warn(WAIT.format("3600.5s", LIMITED))
    assert stream.give_up
    verdict = stream.verdict(None, "", "asked")
    assert (verdict.kind, verdict.retry_after) == (FailureKind.RATE_LIMITED, 3600.5)


@pytest.mark.parametrize(
    ("wait", "error"), [("186.3ms", LIMITED), ("2s", LIMITED), ("12s", "connection reset")]
)
def test_other_waits_are_left_to_the_cli(wait, error, tmp_path):
    stream = Stream(turn(tmp_path))
    stream.warn(WAIT.format(wait, error))
    assert not stream.give_up


def test_a_wait_that_is_no_number_and_an_id_that_is_no_name_do_no_harm(tmp_path):
    stream = Stream(turn(tmp_path))
    assert stream.warn(WAIT.format("1.2.3s", LIMITED)) == []
    assert not stream.give_up
    started = json.dumps({"type": "thread.started", "thread_id": "a\0b"})
    done = json.dumps({"type": "turn.completed", "usage": {"input_tokens": 7, "output_tokens": 3}})
    _, events = play(stream, [started, done])
    assert events[-1] == ("usage", "7 in, 3 out")


def test_a_network_that_is_gone_is_not_waited_for(tmp_path):
    stream = Stream(turn(tmp_path))
    waits = "Reconnecting... waiting for network (Connection failed: error sending request)"
    [event] = stream.feed(json.dumps({"type": "error", "message": waits}))
    assert (event.kind, stream.give_up) == (EventKind.RETRY, True)
    assert stream.verdict(None, "", "asked").kind is FailureKind.ERROR


def test_every_kind_of_item_is_told(tmp_path):
    items = [
        {"id": "1", "type": "file_change", "changes": [{"path": "a", "kind": "add"}]},
        {"id": "2", "type": "mcp_tool_call", "server": "s", "tool": "t", "arguments": {"q": 1}},
        {"id": "3", "type": "web_search", "query": "news"},
        {"id": "4", "type": "reasoning", "text": "Hm."},
        {"id": "5", "type": "hologram", "x": 1},
    ]
    lines = [json.dumps({"type": "item.completed", "item": item}) for item in items]
    _, events = play(Stream(turn(tmp_path)), [*lines, '{"type": "new.thing"}', "no JSON"])
    assert events == [
        ("tool_call", "edit add a"),
        ("tool_result", ""),
        ("tool_call", 's.t {"arguments": {"q": 1}}'),
        ("tool_result", ""),
        ("tool_call", "web_search news"),
        ("tool_result", ""),
        ("thinking", "Hm."),
        ("notice", 'hologram: {"id": "5", "type": "hologram", "x": 1}'),
        ("notice", "unknown event, kept: new.thing"),
        ("notice", "no JSON"),
    ]


def test_the_prompt_goes_to_stdin_and_the_schema_into_a_file(tmp_path):
    schema = {
        "$defs": {"In": {"type": "object", "properties": {"default": {"type": "string"}}}},
        "type": "object",
        "properties": {"ok": {"type": "boolean", "default": False}, "in": {"$ref": "#/$defs/In"}},
    }
    asked = turn(tmp_path, session="abc", resume=True, schema=schema)
    argv = SHAPE.argv(asked, "gpt-5")
    SHAPE.prepare(asked)
    assert argv[:2] == ["exec", "resume"]
    assert argv[-2:] == ["abc", "-"]
    assert argv[argv.index("-m") + 1] == "gpt-5"
    assert 'sandbox_mode="workspace-write"' in argv
    assert SHAPE.stdin(asked) == "Do it"
    strict = json.loads(Path(argv[argv.index("--output-schema") + 1]).read_text())
    assert (strict["required"], strict["additionalProperties"]) == (["ok", "in"], False)
    assert strict["properties"]["ok"] == {"type": "boolean"}
    assert strict["$defs"]["In"]["required"] == ["default"]
    assert SHAPE.argv(turn(tmp_path), "")[:2] == ["exec", "--json"]
