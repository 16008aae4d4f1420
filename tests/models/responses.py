"""The wire of OpenAI's Responses."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.models import chat
from tests.models.wire import JSON, Answer, Event, Request, new_id, text_of

PATH = re.compile(r"/responses$")
error = chat.error


def read(path: str, body: JSON) -> Request:
    asked = body.get("input", "")
    said = [text_of(body.get("instructions") or "")]
    said += [asked] if isinstance(asked, str) else [text_of(item) for item in asked]
    tools: dict[str, JSON] = {}
    for tool in body.get("tools") or []:
        if tool["type"] == "function":
            tools[tool["name"]] = tool.get("parameters") or {}
        elif tool["type"] == "custom":
            tools[tool["name"]] = {"type": "text"}
    stream = bool(body.get("stream"))
    return Request("responses", body.get("model", ""), stream, body, tools, tuple(said))


def whole(request: Request, answer: Answer) -> JSON:
    return _response(request) | _completed(_items(answer), answer)


def _response(request: Request) -> JSON:
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": 1_700_000_000,
        "model": request.model,
        "status": "in_progress",
        "output": [],
        "usage": None,
        "error": None,
        "incomplete_details": None,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
    }


def _completed(items: list[JSON], answer: Answer) -> JSON:
    given, made, cached = answer.used
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }
    return {"status": "completed", "output": items, "usage": usage}


def _items(answer: Answer) -> list[JSON]:
    items: list[JSON] = []
    if answer.thinking:
        summary = [{"type": "summary_text", "text": answer.thinking}]
        items.append({"type": "reasoning", "id": new_id("rs"), "summary": summary})
    if answer.text:
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        message = {"type": "message", "id": new_id("msg"), "role": "assistant"}
        items.append({**message, "status": "completed", "content": content})
    for call in answer.calls:
        item: JSON = {"call_id": new_id("call"), "name": call.name, "status": "completed"}
        if call.text:
            item |= {"type": "custom_tool_call", "id": new_id("ctc"), "input": call.input}
        else:
            given = json.dumps(call.input)
            item |= {"type": "function_call", "id": new_id("fc"), "arguments": given}
        items.append(item)
    return items


def events(request: Request, answer: Answer) -> Iterator[Event]:
    numbers = itertools.count()
    for kind, data in _events(request, answer):
        yield kind, {"type": kind, "sequence_number": next(numbers), **data}


def _events(request: Request, answer: Answer) -> Iterator[tuple[str, JSON]]:
    response, items = _response(request), _items(answer)
    yield "response.created", {"response": response}
    for index, item in enumerate(items):
        yield "response.output_item.added", {"output_index": index, "item": _begun(item)}
        at: dict[str, Any] = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            at["content_index"] = 0
            part = item["content"][0]
            yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
            for piece in answer.pieces:
                yield "response.output_text.delta", {**at, "delta": piece}
            yield "response.output_text.done", {**at, "text": answer.text}
            yield "response.content_part.done", {**at, "part": part}
        elif item["type"] == "function_call":
            given = item["arguments"]
            yield "response.function_call_arguments.delta", {**at, "delta": given}
            yield "response.function_call_arguments.done", {**at, "arguments": given}
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield "response.completed", {"response": response | _completed(items, answer)}


def _begun(item: JSON) -> JSON:
    """The item as it looks before anything of it has come."""
    empty: dict[str, Any] = {"content": [], "arguments": "", "input": "", "summary": []}
    begun = {key: empty.get(key, value) for key, value in item.items()}
    return begun | ({"status": "in_progress"} if "status" in item else {})
