"""What the lines of Claude Code mean, and which of its ends is a success."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smithers.agents.base import Answered, EventKind, Failed, FailureKind
from smithers.agents.clis.claude_asking import Asking
from smithers.agents.clis.claude_stream import Stream
from smithers.agents.permissions import Policy
from smithers.clock import Clock
from smithers.model.step import Usage

TRANSCRIPTS = Path(__file__).parent / "transcripts"
SESSION = "11111111-2222-4333-8444-555555555555"


class At(Clock):
    def now(self):
        return 1_800_000_000_000


def stream_of(*, resumed=False, **more):
    return Stream(Asking(Policy(), Path("/repo")), resumed=resumed, **more)


def read(name, code=0, stderr="", **more):
    stream = stream_of(clock=At(), **more)
    events = []
    if name:
        for line in (TRANSCRIPTS / f"{name}.jsonl").read_text().splitlines():
            events += stream.feed(line)
    verdict = stream.verdict(code, stderr, "asked")
    return verdict, [(event.kind.value, event.text) for event in events], stream


def test_an_edit_is_a_call_a_result_words_and_a_bill():
    verdict, events, _ = read("edit")
    assert events == [
        ("notice", "Claude Code 2.1.330, claude-opus-5-5"),
        ("text", "I will write the file."),
        ("tool_call", "Write /repo/hello.txt"),
        ("tool_result", "File created successfully at: /repo/hello.txt"),
        ("text", "Done: hello.txt written."),
        ("usage", "200 in, 20 out, $0.0012"),
    ]
    assert verdict == Answered("Done: hello.txt written.", None, Usage(200, 20, 0.0012, 0), SESSION)


def test_a_structured_answer_is_the_value():
    verdict, events, _ = read("schema")
    assert verdict.value == {"ok": True, "files": ["hello.txt"]}
    assert events[1] == ("tool_call", 'StructuredOutput {"ok": true, "files": ["hello.txt"]}')


def test_a_structured_answer_that_never_came_is_no_value():
    verdict, _, _ = read("schema-never")
    assert isinstance(verdict, Answered)
    assert verdict.value is None


@pytest.mark.parametrize(
    ("name", "code", "kind", "words"),
    [
        ("schema-invalid", 1, FailureKind.ERROR, "after 5 attempts"),
        ("401", 1, FailureKind.AUTH, "401"),
        ("404", 1, FailureKind.CONFIG, "selected model (foo)"),
        ("429", 1, FailureKind.RATE_LIMITED, "No more for now"),
        ("500", 1, FailureKind.ERROR, "Internal error"),
        ("not-logged-in", 1, FailureKind.AUTH, "Please run /login"),
        ("unknown-session", 1, FailureKind.UNKNOWN_SESSION, "No conversation found"),
        ("interrupted", 0, FailureKind.ERROR, "ede_diagnostic"),
        ("killed", -15, FailureKind.ERROR, "ended without a result (exit -15)"),
        ("edit", 1, FailureKind.ERROR, "Done"),
        ("edit", None, FailureKind.ERROR, "Done"),
        (None, 0, FailureKind.ERROR, "no result (exit 0)"),
    ],
)
def test_each_bad_end_is_a_failure_of_its_kind(name, code, kind, words):
    verdict, _, _ = read(name, code)
    assert isinstance(verdict, Failed)
    assert verdict.kind is kind
    assert words in verdict.message
    assert verdict.exit_code == code


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        (f"Error: Session ID {SESSION} is already in use.", FailureKind.UNKNOWN_SESSION),
        (f"No conversation found with session ID: {SESSION}", FailureKind.UNKNOWN_SESSION),
        ("error: unknown option '--json-schema'", FailureKind.CONFIG),
        ("--dangerously-skip-permissions cannot be used with root/sudo", FailureKind.CONFIG),
        ("Segmentation fault", FailureKind.ERROR),
    ],
)
def test_a_start_that_failed_is_explained_by_its_stderr(stderr, kind):
    verdict, _, _ = read(None, 1, stderr)
    assert verdict.kind is kind
    assert stderr in verdict.message


def test_words_of_the_model_about_errors_do_not_make_a_failure():
    stream = stream_of()
    stream.feed(
        json.dumps(
            {
                "type": "result",
                "subtype": "success",
                "is_error": False,
                "result": "Please run /login",
            }
        )
    )
    assert isinstance(stream.verdict(0, "unknown option", "s"), Answered)


def test_a_long_wait_for_a_rate_limit_is_taken_over():
    verdict, events, stream = read("429-long-wait", None)
    assert stream.give_up
    assert (verdict.kind, verdict.retry_after) == (FailureKind.RATE_LIMITED, 30.271)
    assert events[-1] == ("retry", "429 rate_limit: again in 30.3 s")


def test_a_short_wait_is_left_to_the_cli_and_says_nothing_of_the_reset():
    verdict, events, stream = read("429", 1)
    assert not stream.give_up
    assert verdict.retry_after is None
    assert ("retry", "429 rate_limit: again in 1.2 s") in events


def test_the_limit_of_a_plan_says_when_it_ends():
    verdict, _, _ = read("429-limit-of-the-plan", 1)
    assert (verdict.kind, verdict.retry_after) == (FailureKind.RATE_LIMITED, 600.0)


def test_the_cost_of_a_resumed_turn_is_its_own():
    assert read("resumed", resumed=True)[0].usage == Usage(100, 10, 0.0006, 0)


def test_the_cost_of_a_resumed_turn_is_unknown_if_only_the_total_is_told():
    assert read("resumed-by-an-older-cli", resumed=True)[0].usage == Usage(157, 10, None, 50)
    assert read("resumed-by-an-older-cli", resumed=False)[0].usage == Usage(157, 10, 0.0012, 50)


def test_a_failed_request_costs_nothing():
    assert read("500", 1)[0].usage == Usage(0, 0, 0.0, 0)
    assert read("500", 1, resumed=True)[0].usage == Usage(0, 0, 0.0, 0)


def test_a_denied_tool_is_told_and_its_result_marked():
    _, events, _ = read("denied")
    assert events[2][0] == "notice"
    assert "permission_denied: Claude requested permissions" in events[2][1]
    assert events[3] == ("tool_result", "failed: No.\n[image]")


def test_what_was_never_heard_of_is_kept_as_a_notice():
    verdict, events, _ = read("unheard-of")
    assert isinstance(verdict, Answered)
    assert ("notice", "not JSON at all") in events
    assert ("notice", "unknown event, kept: hologram") in events
    assert ("notice", "redacted") in events
    assert ("thinking", "Hm.") in events


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{" * 100_000, id="braces"),
        pytest.param("[" * 100_000, id="brackets"),
        '"',
        "\udcff\udcfe",
        "NaN",
        "{}{}",
    ],
)
def test_garbage_is_a_notice(line):
    [event] = stream_of().feed(line)
    assert event.kind is EventKind.NOTICE


def test_a_huge_line_is_shown_and_kept_in_part():
    line = json.dumps(
        {"type": "assistant", "message": {"content": [{"type": "text", "text": "x" * 10**6}]}}
    )
    [event] = stream_of().feed(line)
    assert len(event.text) < 3000
    assert len(event.raw) <= 1 << 16


def test_answers_of_several_results_are_billed_together():
    stream = stream_of()
    for line in (TRANSCRIPTS / "edit.jsonl").read_text().splitlines() * 2:
        stream.feed(line)
    assert stream.verdict(0, "", "s").usage == Usage(400, 40, 0.0024, 0)
