"""How pi is started, what its lines mean, and which of its ends is a success."""

from __future__ import annotations

import json

import pytest

from smithers.agents.base import Answered, EventKind, Failed, FailureKind
from smithers.agents.clis.pi import SHAPE, Stream
from smithers.model.step import Usage
from tests.agents.streams import play, recorded, session_of, turn


@pytest.fixture
def read(tmp_path):
    def read(name, code=0, **more):
        lines = recorded("pi", name) if name else []
        return play(Stream(turn(tmp_path, **more)), lines, code)

    return read


def message(reason, *content, **more):
    whole = {"role": "assistant", "content": content, "stopReason": reason, **more}
    return json.dumps({"type": "message_end", "message": whole})


END = '{"type":"agent_end","messages":[]}'


def test_an_edit_is_words_a_call_a_result_and_a_bill_for_each_message(read):
    verdict, events = read("edit")
    assert events == [
        ("notice", "conversation 01a2078c-c797-7936-bebc-12a5287a29a6"),
        ("text", "I will write the file."),
        ("usage", "100 in, 10 out, $0.0001"),
        ("tool_call", "write /repo/hello.txt"),
        ("tool_result", "Successfully wrote 6 bytes to /repo/hello.txt"),
        ("text", "Done."),
        ("usage", "100 in, 10 out, $0.0001"),
    ]
    assert isinstance(verdict, Answered)
    assert (verdict.text, verdict.usage.input_tokens, verdict.usage.output_tokens) == (
        "Done.",
        200,
        20,
    )
    assert verdict.usage.cost_usd == pytest.approx(0.00024)


def test_the_conversation_is_told_with_the_first_line(tmp_path):
    found = session_of(Stream(turn(tmp_path)), recorded("pi", "edit"))
    assert found == ("01a2078c-c797-7936-bebc-12a5287a29a6", 1)


def test_all_of_the_input_is_billed(tmp_path):
    usage = {"input": 60, "output": 10, "cacheRead": 40, "cacheWrite": 5, "cost": {"total": 0.5}}
    verdict, _ = play(Stream(turn(tmp_path)), [message("stop", usage=usage), END])
    assert verdict.usage == Usage(105, 10, 0.5, 40)


def test_the_last_object_of_the_last_words_is_the_structured_answer(tmp_path):
    text = {"type": "text", "text": 'So: {"ok": true}'}
    verdict, _ = play(Stream(turn(tmp_path, schema={})), [message("stop", text), END])
    assert verdict.value == {"ok": True}


@pytest.mark.parametrize(
    ("name", "code", "kind", "words"),
    [
        ("400", 0, FailureKind.ERROR, "400 Scripted failure."),
        ("500", 0, FailureKind.ERROR, "500 Scripted failure."),
        ("garbage", 0, FailureKind.ERROR, "Unexpected end of JSON input"),
        ("killed", 143, FailureKind.ERROR, "no success (exit 143)"),
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


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("401 No such key", FailureKind.AUTH),
        ("404 The model `nope` does not exist", FailureKind.CONFIG),
        ("429 Slow down", FailureKind.RATE_LIMITED),
    ],
)
def test_the_error_of_a_message_is_a_failure_with_exit_0(error, kind, tmp_path):
    lines = [message("error", errorMessage=error), END]
    assert play(Stream(turn(tmp_path)), lines)[0].kind is kind


@pytest.mark.parametrize("reason", ["length", "aborted", "toolUse", None])
def test_only_a_stop_is_a_success(reason, tmp_path):
    assert isinstance(play(Stream(turn(tmp_path)), [message(reason), END])[0], Failed)


def test_without_its_end_a_last_word_is_no_success(tmp_path):
    assert isinstance(play(Stream(turn(tmp_path)), [message("stop")])[0], Failed)


def test_an_end_too_long_for_a_line_is_one_all_the_same(tmp_path):
    lines = [message("stop"), END[:30], "the rest of it"]
    assert isinstance(play(Stream(turn(tmp_path)), lines)[0], Answered)


def test_a_dropped_stream_that_came_back_is_no_failure(read):
    verdict, events = read("dropped")
    assert isinstance(verdict, Answered)
    assert ("retry", "terminated: again in 2.0 s") in events


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("No session found matching 'ffffffff'", FailureKind.UNKNOWN_SESSION),
        ("No API key found for the selected model.", FailureKind.AUTH),
        ("Segmentation fault", FailureKind.ERROR),
    ],
)
def test_a_start_that_failed_is_explained_by_its_stderr(stderr, kind, tmp_path):
    assert play(Stream(turn(tmp_path)), [], 1, stderr)[0].kind is kind


def test_a_rate_limit_is_lifted_when_the_provider_said(tmp_path):
    stream = Stream(turn(tmp_path))
    [event] = stream.warn("status 429, retry in 3600 s")
    assert (event.kind, stream.give_up) == (EventKind.RETRY, True)
    verdict = stream.verdict(None, "", "s")
    assert (verdict.kind, verdict.retry_after) == (FailureKind.RATE_LIMITED, 3600)


def test_a_rate_limit_that_goes_on_is_not_waited_for(tmp_path):
    stream = Stream(turn(tmp_path))
    stream.warn("status 429, retry in 1 s")
    assert not stream.give_up
    retry = {"type": "auto_retry_start", "delayMs": 2000, "errorMessage": "429 Slow down"}
    stream.feed(json.dumps(retry))
    assert stream.give_up
    assert stream.verdict(None, "", "s").kind is FailureKind.RATE_LIMITED


def test_the_prompt_is_not_in_the_arguments(tmp_path):
    assert SHAPE.argv(turn(tmp_path), "a/b") == ["-p", "--mode", "json", "--model", "a/b"]
    assert SHAPE.argv(turn(tmp_path, resume=True), "")[-2:] == ["--session", "asked"]
    assert SHAPE.stdin(turn(tmp_path)) == "Do it"
