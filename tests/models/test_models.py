"""The scripted model answers on each wire, calls what is offered, goes wrong as told, and counts."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request

import pytest

from smithers.model.step import Usage
from tests.models import FakeModel

PATHS = {
    "anthropic": "/v1/messages",
    "responses": "/v1/responses",
    "chat": "/v1/chat/completions",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
}
FIELDS = {"file_path": {"type": "string"}, "content": {"type": "string"}}
WRITE = {"write": "a.txt", "text": "in {cwd}"}
wires = pytest.mark.parametrize("wire", PATHS)


def body(wire, tool="Write", schema=None, *, stream=True):
    text = "Working directory: /w\nGo."
    schema = schema or {"type": "object", "properties": FIELDS}
    said = [{"role": "user", "content": text}]
    if wire == "gemini":
        offered = [{"functionDeclarations": [{"name": tool, "parameters": schema}]}]
        asked = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    elif wire == "responses":
        offered = [{"type": "function", "name": tool, "parameters": schema}]
        asked = {"model": "m", "stream": stream, "input": said}
    elif wire == "chat":
        offered = [{"type": "function", "function": {"name": tool, "parameters": schema}}]
        asked = {"model": "m", "stream": stream, "messages": said}
    else:
        offered = [{"name": tool, "input_schema": schema}]
        asked = {"model": "m", "stream": stream, "messages": said}
    return asked | ({"tools": offered} if tool else {})


def post(model, wire, *args, stream=True, **more):
    path = PATHS[wire]
    if wire == "gemini" and not stream:
        path = "/v1beta/models/m:generateContent"
    data = json.dumps(body(wire, *args, stream=stream, **more)).encode()
    with urllib.request.urlopen(urllib.request.Request(model.url + path, data), timeout=10) as got:
        return got.read().decode()


def events(stream):
    lines = [line[6:] for line in stream.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def words(wire, event):
    """What an event of a stream adds to the text."""
    if wire == "chat":
        return "".join(each["delta"].get("content") or "" for each in event["choices"])
    if wire == "gemini":
        return event["candidates"][0]["content"]["parts"][0].get("text", "")
    if wire == "responses":
        return event["delta"] if event["type"] == "response.output_text.delta" else ""
    return event.get("delta", {}).get("text", "")


@wires
def test_words_come_in_pieces_and_whole(wire):
    with FakeModel([{"text": "one two three"}]) as model:
        stream = events(post(model, wire))
        whole = post(model, wire, stream=False)
    told = [text for event in stream if (text := words(wire, event))]
    assert "".join(told) == "one two three"
    assert len(told) > 1
    assert "one two three" in whole
    assert [request.stream for request in model.requests] == [True, False]


@wires
def test_what_is_to_be_done_becomes_a_call_of_the_offered_tool(wire):
    with FakeModel([{"tools": [WRITE]}]) as model:
        told = post(model, wire).replace("\\", "")
    assert '"file_path": "/w/a.txt"' in told
    assert '"content": "in /w"' in told


@wires
def test_without_a_tool_for_files_the_shell_writes_them(wire):
    schema = {"properties": {"cmd": {"type": "array"}}, "required": ["cmd", "why"]}
    with FakeModel([{"tools": [WRITE]}]) as model:
        told = post(model, wire, "exec_command", schema).replace("\\", "")
    assert "printf %s 'in /w' > a.txt" in told
    assert '"why"' in told


@wires
def test_a_structured_answer_takes_its_tool_or_is_text(wire):
    with FakeModel([{"json": {"ok": 1}}]) as model:
        assert "StructuredOutput" in post(model, wire, "StructuredOutput", {"type": "object"})
        assert "StructuredOutput" not in post(model, wire)


@wires
def test_errors_have_their_status_and_say_when_to_come_back(wire):
    with FakeModel([{"error": 429, "retry_after": 7, "message": "no"}]) as model:
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(model, wire)
        with caught.value as told:
            assert (told.code, told.headers["retry-after"]) == (429, "7")
            assert json.load(told)["error"]["message"] == "no"
    assert model.used == Usage(0, 0, None, 0)


@wires
def test_a_dropped_stream_is_reset_and_counts_nothing(wire):
    with FakeModel([{"text": "one two three", "drop": 2}]) as model:
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            post(model, wire)
        assert model.used.input_tokens == 0


@wires
def test_garbage_stands_in_mid_stream(wire):
    with FakeModel([{"text": "one two three", "garbage": True}]) as model:
        told = post(model, wire)
    with pytest.raises(json.JSONDecodeError):
        events(told)


@wires
def test_a_stalled_stream_goes_on_when_it_may(wire):
    go = threading.Event()
    with FakeModel([{"text": "one two three", "stall": go}]) as model:
        threading.Timer(0.1, go.set).start()
        told = events(post(model, wire))
    assert go.is_set()
    assert "".join(words(wire, event) for event in told) == "one two three"


@wires
def test_what_was_told_is_counted(wire):
    with FakeModel([{"text": "hi", "usage": [50, 5, 20]}, {"text": "ho"}]) as model:
        told = post(model, wire)
        post(model, wire)
        post(model, wire, None)
    assert model.used == Usage(250, 25, None, 20)
    assert len(model.requests) == 2, "the last one offered no tools"
    told = told.replace(" ", "")
    assert any(f'"{name}":20' in told for name in CACHED), told


CACHED = ("cached_tokens", "cache_read_input_tokens", "cachedContentTokenCount")


def test_what_no_wire_speaks_is_a_stray():
    with FakeModel([{"text": "hi"}]) as model:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{model.url}/telemetry", b"{}")
        caught.value.close()
    assert model.strays == ["POST /telemetry"]
