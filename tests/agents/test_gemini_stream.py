"""How gemini is started, what its lines mean, and which of its ends is a success."""

from __future__ import annotations

import json

import pytest

from smithers.agents.base import Answered, Failed, FailureKind
from smithers.agents.clis.gemini import SHAPE, Stream
from smithers.model.step import Usage
from tests.agents.streams import play, recorded, session_of, turn

FAILED = 'Attempt {} failed with status {}. Retrying with backoff... _ApiError: {{"error": 1}}'


@pytest.fixture
def read(tmp_path):
    def read(name, code=0, stderr="", **more):
        lines = recorded("gemini", name) if name else []
        return play(Stream(turn(tmp_path, **more)), lines, code, stderr)

    return read


def said(text):
    return json.dumps({"type": "message", "role": "assistant", "content": text, "delta": True})


def test_an_edit_is_words_a_call_a_result_and_a_bill(read):
    verdict, events = read("edit")
    assert events == [
        ("notice", "Gemini CLI, gemini-2.5-pro"),
        ("text", "I will write the file."),
        ("tool_call", "write_file /repo/hello.txt"),
        ("tool_result", ""),
        ("text", "Done."),
        ("usage", "200 in, 20 out"),
    ]
    assert verdict == Answered(
        "Done.", None, Usage(200, 20, None, 0), "cf0c48a2-1c40-4fb9-a98c-944ad487f4ef"
    )


def test_the_conversation_is_told_with_the_first_line(tmp_path):
    found = session_of(Stream(turn(tmp_path)), recorded("gemini", "edit"))
    assert found == ("cf0c48a2-1c40-4fb9-a98c-944ad487f4ef", 1)


def test_pieces_of_words_are_told_a_line_at_a_time_and_no_piece_is_lost(tmp_path):
    stream = Stream(turn(tmp_path))
    pieces = [said("One li"), said("ne.\nTwo"), said(" lines.\n\nThr"), said("ee.")]
    told = [stream.feed(piece) for piece in pieces]
    assert [[event.text for event in events] for events in told] == [
        [],
        ["One line."],
        ["Two lines.\n"],
        [],
    ]
    assert told[1][0].raw == f"{pieces[0]}\n{pieces[1]}"
    end = json.dumps({"type": "result", "status": "success", "stats": {}})
    last = stream.feed(end)
    assert [event.text for event in last] == ["Three.", "0 in, 0 out"]
    assert last[0].raw == f"{pieces[3]}\n{end}"
    assert stream.verdict(0, "", "s").text == "One line.\nTwo lines.\n\nThree."


def test_the_last_object_of_the_last_words_is_the_structured_answer(tmp_path):
    stream = Stream(turn(tmp_path, schema={}))
    end = json.dumps({"type": "result", "status": "success"})
    verdict, _ = play(stream, [said('So: {"ok"'), said(": true}"), end])
    assert verdict.value == {"ok": True}


def test_what_it_thought_is_billed(tmp_path):
    stats = {"total_tokens": 150, "input_tokens": 100, "output_tokens": 10, "cached": 40}
    end = json.dumps({"type": "result", "status": "success", "stats": stats})
    assert play(Stream(turn(tmp_path)), [end])[0].usage == Usage(100, 50, None, 40)


@pytest.mark.parametrize(
    ("name", "code", "kind", "words"),
    [
        ("403", 147, FailureKind.AUTH, "GEMINI_API_KEY"),
        ("404", 1, FailureKind.ERROR, "Scripted failure."),
        ("garbage", 1, FailureKind.ERROR, "Unexpected end of JSON input"),
        ("interrupted", 0, FailureKind.ERROR, "no success (exit 0)"),
        ("429", None, FailureKind.ERROR, "no success"),
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
    ("name", "code", "stderr", "kind"),
    [
        ("404", 1, "report at: /tmp/x ModelNotFoundError: no", FailureKind.CONFIG),
        (None, 42, 'Error resuming session: Invalid session identifier "0".', "unknown_session"),
        (None, 41, "Please set an Auth method in your settings.json", FailureKind.AUTH),
        (None, 55, "Gemini CLI is not running in a trusted directory", FailureKind.CONFIG),
    ],
)
def test_stderr_tells_what_the_stream_does_not(name, code, stderr, kind, tmp_path):
    stream = Stream(turn(tmp_path))
    for line in stderr.splitlines():
        stream.warn(line)
    lines = recorded("gemini", name) if name else []
    assert play(stream, lines, code, stderr)[0].kind == kind


def test_a_rate_limit_is_not_waited_for(tmp_path):
    stream = Stream(turn(tmp_path))
    [event] = stream.warn(FAILED.format(1, 429))
    assert (event.kind, stream.give_up) == ("retry", True)
    verdict = stream.verdict(None, "", "s")
    assert (verdict.kind, verdict.retry_after) == (FailureKind.RATE_LIMITED, None)


def test_a_rate_limit_is_lifted_when_the_provider_said(tmp_path):
    stream = Stream(turn(tmp_path))
    stream.warn("status 429, retry in 3600 s")
    assert stream.give_up
    assert stream.verdict(None, "", "s").retry_after == 3600


@pytest.mark.parametrize(
    "line", ["status 429, retry in 3600 s", FAILED.format(3, 500), "ModelNotFoundError: x"]
)
def test_what_is_told_after_its_end_does_not_undo_it(line, tmp_path):
    stream = Stream(turn(tmp_path))
    stream.feed(json.dumps({"type": "result", "status": "success"}))
    stream.warn(line)
    assert not stream.give_up
    assert isinstance(stream.verdict(0, line, "s"), Answered)


def test_a_short_wait_is_left_to_the_cli(tmp_path):
    stream = Stream(turn(tmp_path))
    stream.warn("status 429, retry in 2 s")
    stream.warn(FAILED.format(1, 429))
    assert not stream.give_up


def test_the_third_try_at_a_request_is_the_last(tmp_path):
    stream = Stream(turn(tmp_path))
    given_up = []
    for n in (1, 2, 3):
        stream.warn(FAILED.format(n, 500))
        given_up.append(stream.give_up)
    assert given_up == [False, False, True]
    assert stream.verdict(None, "", "s").kind is FailureKind.ERROR


def test_prompt_and_schema_go_to_stdin(tmp_path):
    asked = turn(tmp_path, schema={"title": "Wanted"})
    assert SHAPE.stdin(asked).startswith("Do it\n")
    assert '{"title": "Wanted"}' in SHAPE.stdin(asked)
    assert SHAPE.stdin(turn(tmp_path)) == "Do it"
    assert SHAPE.argv(asked, "")[-2:] == ["--session-id", "asked"]
    assert SHAPE.argv(turn(tmp_path, resume=True), "m")[-4:] == ["--resume", "asked", "-m", "m"]
