"""The wire of Anthropic's Messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from smithers.clock import SYSTEM
from tests.models.wire import JSON, Answer, Event, Headers, Request, new_id, text_of

PATH = re.compile(r"/v1/messages$")
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def read(path: str, body: JSON) -> Request:
    said = [text_of(body.get("system", ""))]
    said += [text_of(message["content"]) for message in body.get("messages", [])]
    tools = {tool["name"]: tool.get("input_schema") or {} for tool in body.get("tools") or []}
    stream = bool(body.get("stream"))
    return Request("anthropic", body.get("model", ""), stream, body, tools, tuple(said))


def whole(request: Request, answer: Answer) -> JSON:
    content: list[JSON] = []
    if answer.thinking:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": "c2lnbmVk"})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    content += [
        {"type": "tool_use", "id": new_id("toolu"), "name": call.name, "input": call.input}
        for call in answer.calls
    ]
    given, made, cached = answer.used
    return {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": "tool_use" if answer.calls else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": given - cached,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": 0,
            "output_tokens": made,
        },
    }


def events(request: Request, answer: Answer) -> Iterator[Event]:
    for data in _events(whole(request, answer), answer):
        yield data["type"], data


def _events(message: JSON, answer: Answer) -> Iterator[JSON]:
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        empty, deltas = _block(block, answer)
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _block(block: JSON, answer: Answer) -> tuple[JSON, list[JSON]]:
    """How it begins, and what follows."""
    if block["type"] == "text":
        return {"text": ""}, [{"type": "text_delta", "text": piece} for piece in answer.pieces]
    if block["type"] == "thinking":
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
        return {"thinking": "", "signature": ""}, deltas
    return {"input": {}}, [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]


def error(status: int, message: str, wait: int | None) -> tuple[JSON, Headers]:
    kind = _ERRORS.get(status, "api_error")
    headers: Headers = {}
    if wait is not None:
        # What a login with a subscription is told, too.
        limit = "anthropic-ratelimit-unified"
        headers = {
            "retry-after": str(wait),
            f"{limit}-status": "rejected",
            f"{limit}-reset": str(SYSTEM.now() // 1000 + wait),
            f"{limit}-representative-claim": "five_hour",
        }
    return {"type": "error", "error": {"type": kind, "message": message}}, headers
