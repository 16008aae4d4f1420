"""How opencode is started, what its lines mean, and which of its ends is a success."""

from __future__ import annotations

import json

import pytest

from smithers.agents.base import Answered, Failed, FailureKind
from smithers.agents.clis.opencode import SHAPE, Stream
from smithers.model.step import Usage
from tests.agents.streams import play, recorded, session_of, turn

FAILED = (
    'timestamp=2026-11-23T08:33:04Z level=ERROR run=1 message="stream error" providerID=fake '
    'small={} agent=build mode=primary error.error="AI_APICallError: {}"'
)


@pytest.fixture
def read(tmp_path):
    def read(name, code=0, **more):
        lines = recorded("opencode", name) if name else []
        return play(Stream(turn(tmp_path, **more)), lines, code)

    return read


def finished(reason, **tokens):
    part = {"reason": reason, "tokens": tokens, "cost": 0.5}
    return json.dumps({"type": "step_finish", "sessionID": "ses_1", "part": part})


def test_an_edit_is_words_a_call_a_result_and_a_bill_for_each_step(read):
    verdict, events = read("edit")
    assert events == [
        ("notice", "conversation ses_df87aa67cffeUNJpPwdEVAUdAC"),
        ("text", "I will write the file."),
        ("tool_call", "write /repo/hello.txt"),
        ("tool_result", "Wrote file successfully."),
        ("usage", "100 in, 10 out, $0.0001"),
        ("text", "Done."),
        ("usage", "100 in, 10 out, $0.0001"),
    ]
    assert verdict == Answered(
        "Done.", None, Usage(200, 20, 0.00024, 0), "ses_df87aa67cffeUNJpPwdEVAUdAC"
    )


def test_the_conversation_is_told_with_the_first_line(tmp_path):
    found = session_of(Stream(turn(tmp_path)), recorded("opencode", "edit"))
    assert found == ("ses_df87aa67cffeUNJpPwdEVAUdAC", 1)


def test_all_of_the_input_is_billed_and_what_it_thought(tmp_path):
    tokens = {"input": 60, "output": 10, "reasoning": 20, "cache": {"read": 40, "write": 5}}
    verdict, _ = play(Stream(turn(tmp_path)), [finished("stop", **tokens)])
    assert verdict.usage == Usage(105, 30, 0.5, 40)


def test_the_last_object_of_the_last_words_is_the_structured_answer(tmp_path):
    text = json.dumps({"type": "text", "part": {"text": 'So: {"ok": true}'}})
    verdict, _ = play(Stream(turn(tmp_path, schema={})), [text, finished("stop")])
    assert verdict.value == {"ok": True}


@pytest.mark.parametrize(
    ("name", "code", "kind", "words"),
    [
        ("401", 1, FailureKind.AUTH, "opencode auth login"),
        ("429", 1, FailureKind.RATE_LIMITED, "Rate limited"),
        ("garbage", 1, FailureKind.ERROR, "JSON parsing failed"),
        ("rejected", 0, FailureKind.ERROR, "no success (exit 0)"),
        ("killed", -15, FailureKind.ERROR, "no success (exit -15)"),
        ("edit", 1, FailureKind.ERROR, "no success (exit 1)"),
        (None, 0, FailureKind.ERROR, "no success (exit 0)"),
    ],
)
def test_each_bad_end_is_a_failure_of_its_kind(name, code, kind, words, read):
    verdict, _ = read(name, code)
    assert isinstance(verdict, Failed)
    assert verdict.kind is kind
    assert words in verdict.message
    assert verdict.exit_code == code


def test_the_header_of_an_error_tells_when_a_rate_limit_is_lifted(read):
    assert read("429", 1)[0].retry_after == 1


def test_a_refused_tool_is_marked(read):
    _, events = read("rejected")
    assert (
        "tool_result",
        "failed: The user rejected permission to use this specific tool call.",
    ) in (events)


@pytest.mark.parametrize("reason", ["length", "content-filter", "tool-calls", None])
def test_only_a_stop_is_a_success(reason, tmp_path):
    assert isinstance(play(Stream(turn(tmp_path)), [finished(reason)])[0], Failed)


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("\x1b[91mError: \x1b[0mSession not found", FailureKind.UNKNOWN_SESSION),
        ("ProviderModelNotFoundError: fake/nope", FailureKind.CONFIG),
        ("Segmentation fault", FailureKind.ERROR),
    ],
)
def test_a_start_that_failed_is_explained_by_its_stderr(stderr, kind, tmp_path):
    verdict, _ = play(Stream(turn(tmp_path)), [], 1, stderr)
    assert verdict.kind is kind


def test_its_log_tells_what_an_event_calls_an_error_of_the_server(tmp_path):
    stream = Stream(turn(tmp_path))
    told = {"name": "UnknownError", "data": {"message": "Unexpected server error."}}
    stream.feed(json.dumps({"type": "error", "error": told}))
    what = "ProviderModelNotFoundError: Model not found: fake/nope."
    stream.warn(f'level=ERROR message=failed ref=err_1 error="{what}" cause="{what}"')
    verdict = stream.verdict(1, "", "s")
    assert verdict.kind is FailureKind.CONFIG
    assert what in verdict.message


def test_a_rate_limit_is_not_waited_for(tmp_path):
    stream = Stream(turn(tmp_path))
    [event] = stream.warn(FAILED.format("false", "Rate limit reached"))
    assert (event.kind, event.text) == ("retry", "AI_APICallError: Rate limit reached")
    assert stream.give_up
    assert stream.verdict(None, "", "s").kind is FailureKind.RATE_LIMITED


def test_the_third_try_at_a_request_is_the_last(tmp_path):
    stream = Stream(turn(tmp_path))
    given_up = []
    for small in ("true", "false", "false", "false"):
        stream.warn(FAILED.format(small, "Internal error"))
        given_up.append(stream.give_up)
    assert given_up == [False, False, False, True]
    assert stream.verdict(None, "", "s").kind is FailureKind.ERROR


def test_a_conversation_begins_with_a_title_so_that_none_is_asked_for(tmp_path):
    assert SHAPE.argv(turn(tmp_path), "a/b")[-4:] == ["--title", "step", "--model", "a/b"]
    resumed = SHAPE.argv(turn(tmp_path, resume=True), "")
    assert resumed[-2:] == ["--session", "asked"]
    assert "--title" not in resumed
    assert "Do it" not in resumed


def test_a_step_that_begins_after_a_stop_has_to_end_as_well(tmp_path):
    begun = json.dumps({"type": "step_start", "sessionID": "ses_1", "part": {}})
    verdict, _ = play(Stream(turn(tmp_path)), [finished("stop"), begun])
    assert isinstance(verdict, Failed)
