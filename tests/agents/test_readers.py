"""All that read an agent's lines, fed with what nobody expects in the place of each value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smithers.agents.acp.events import Updates
from smithers.agents.base import Failed, FailureKind
from smithers.agents.clis import codex, gemini, opencode, pi
from smithers.agents.clis.claude_asking import Asking
from smithers.agents.clis.claude_stream import Stream as Claude
from smithers.agents.lines import UNREADABLE, amount, number
from smithers.agents.models.reader import Reader
from smithers.agents.permissions import Policy
from smithers.model.step import MOST, Usage
from tests.agents.streams import TRANSCRIPTS, spoilt, turn

UPDATES = [
    {"sessionUpdate": "agent_message_chunk", "messageId": "m", "content": {"text": "x"}},
    {"sessionUpdate": "agent_thought_chunk", "content": {"text": "x"}},
    {
        "sessionUpdate": "tool_call_update",
        "toolCallId": "1",
        "kind": "execute",
        "title": "t",
        "status": "completed",
        "rawInput": {"command": "ls"},
        "rawOutput": "x",
        "content": [{"type": "content", "content": {"text": "x"}}],
        "_meta": {"terminal_output": {"data": "x"}},
    },
    {"sessionUpdate": "plan", "entries": [{"status": "pending", "content": "x"}]},
    {"sessionUpdate": "usage_update", "used": 1, "cost": {"amount": 1, "currency": "USD"}},
    {
        "sessionUpdate": "session_info_update",
        "_meta": {
            "codex": {
                "threadStatus": {"type": "systemError"},
                "error": {"message": "x", "willRetry": True, "additionalDetails": "x"},
            }
        },
    },
]
TOLD = [
    {"type": "text", "text": "x"},
    {"type": "tool_call", "name": "shell", "input": {"command": "ls"}},
    {"type": "tool_result", "text": "x", "failed": False},
    {"type": "permission", "tool": "shell", "name": "x", "subject": "x", "ruling": "ask"},
    {"type": "usage", "input": 1, "output": 1, "cached": 1},
    {"type": "failed", "kind": "rate_limited", "text": "x", "retry_after": 1.0},
    {"type": "done", "text": "x", "value": {"a": 1}},
]


def recorded(folder):
    """The first event of each type and form in all transcripts of a program."""
    found = {}
    for file in sorted((TRANSCRIPTS / folder).glob("*.jsonl")):
        for line in file.read_text().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                found.setdefault(_form(event), line)
    return list(found.values())


def _form(value):
    if isinstance(value, dict):
        kinds = {key: value[key] for key in ("type", "subtype", "role") if key in value}
        return str(kinds) + str({key: _form(each) for key, each in value.items()})
    return str({_form(each) for each in value}) if isinstance(value, list) else ""


def claude(_turn):
    return Claude(Asking(Policy(), Path("/repo")), resumed=False)


def acp(_turn):
    return Updates(resumed=False, counts_all=True)


def model(asked):
    return Reader(asked, "log in")


READERS = {
    "claude": (claude, recorded("")),
    "codex": (codex.Stream, recorded("codex")),
    "gemini": (gemini.Stream, recorded("gemini")),
    "opencode": (opencode.Stream, recorded("opencode")),
    "pi": (pi.Stream, recorded("pi")),
    "acp": (
        acp,
        [json.dumps({"method": "session/update", "params": {"update": each}}) for each in UPDATES],
    ),
    "model": (model, [json.dumps(each) for each in TOLD]),
}


@pytest.mark.parametrize("name", READERS)
def test_no_value_that_is_not_what_it_should_be_breaks_a_reader(name, tmp_path):
    make, lines = READERS[name]
    stream = make(turn(tmp_path, schema={}))
    for line in spoilt(lines):
        events = stream.feed(line)
        assert not [event.text for event in events if UNREADABLE in event.text], line
        assert all(_storable(event.used) for event in events if event.used), line
        if name == "acp":
            stream.end(json.loads(line))
            continue
        verdict = stream.verdict(1, "", "asked")
        assert _storable(verdict.usage)
    if name == "acp":
        return
    stream.verdict(0, "", "asked")


def _storable(used):
    counts = (used.input_tokens, used.output_tokens, used.cached_tokens)
    return all(0 <= (each or 0) < 2**63 for each in (*counts, used.cost_usd))


def test_a_reader_that_is_at_its_wits_end_keeps_the_line_as_a_notice(tmp_path):
    class Broken(pi.Stream):
        def read(self, event):
            yield from super().read(event)
            raise TypeError("unhashable")

    [told, kept] = Broken(turn(tmp_path)).feed('{"type": "news"}')
    assert told.text == "unknown event, kept: news"
    assert (kept.text, kept.raw) == (f"{UNREADABLE}: TypeError: unhashable", '{"type": "news"}')


@pytest.mark.parametrize(
    ("given", "count", "sum_"),
    [
        (7, 7, 7.0),
        (10**400, MOST, float(MOST)),
        (-(10**400), 0, 0.0),
        (1e300, 0, float(MOST)),
        (float("inf"), 0, None),
        (float("nan"), 0, None),
        ("7", 0, None),
        ([], 0, None),
    ],
)
def test_numbers_are_taken_within_bounds(given, count, sum_):
    assert (number(given), amount(given)) == (count, sum_)
    assert Usage(MOST, MOST, float(MOST)) + Usage(MOST, 1, 1.0) == Usage(MOST, MOST, float(MOST))


CLAUDE_SAYS = json.dumps(
    {"type": "assistant", "message": {"content": [{"type": "text", "text": "{}"}]}}
)
PI_ERROR = json.dumps(
    {"type": "message_end", "message": {"role": "assistant", "stopReason": "error", "errorMessage": "{}"}}
)  # fmt: skip
CODEX_ERROR = json.dumps({"type": "turn.failed", "error": {"message": "{}"}})


@pytest.mark.parametrize(
    ("name", "line", "text", "code", "stderr"),
    [
        ("claude", CLAUDE_SAYS, "Port 3000 is already in use", -9, ""),
        ("claude", CLAUDE_SAYS, "It answers 'Invalid API key'", 1, ""),
        ("claude", CLAUDE_SAYS, "Please run /login", 137, ""),
        ("claude", CLAUDE_SAYS, "x", -9, "the port is already in use"),
        ("pi", PI_ERROR, "502 upstream host not found", 0, ""),
        ("codex", CODEX_ERROR, "unexpected status 503 Unavailable: at billing-proxy", 1, ""),
        ("codex", "", "", -9, "cat: x: does not exist"),
        ("codex", "", "", None, "no rollout found"),
        ("opencode", "", "", -15, "Model not found"),
    ],
)
def test_what_stands_by_the_way_is_no_reason_to_give_up(name, line, text, code, stderr, tmp_path):
    stream = READERS[name][0](turn(tmp_path))
    stream.feed(line.replace("{}", text) if text else "")
    verdict = stream.verdict(code, stderr, "asked")
    assert isinstance(verdict, Failed)
    assert verdict.kind is FailureKind.ERROR
