"""The wire of OpenAI's Chat Completions, which many others speak as well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tests.models.wire import JSON, Answer, Event, Headers, Request, new_id, text_of

PATH = re.compile(r"/chat/completions$")
_ERRORS = {
    400: "invalid_request_error",
    401: "invalid_api_key",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}


def read(path: str, body: JSON) -> Request:
    said = tuple(text_of(message.get("content")) for message in body.get("messages", []))
    offered = [tool["function"] for tool in body.get("tools") or []]
    tools = {tool["name"]: tool.get("parameters") or {} for tool in offered}
    return Request("chat", body.get("model", ""), bool(body.get("stream")), body, tools, said)


def whole(request: Request, answer: Answer) -> JSON:
    message: JSON = {"role": "assistant", "content": answer.text or None}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.calls:
        message["tool_calls"] = _calls(answer)
    choice = {"index": 0, "message": message, "finish_reason": _reason(answer)}
    head = _head(request, "chat.completion")
    return head | {"choices": [choice], "usage": _usage(answer)}


def events(request: Request, answer: Answer) -> Iterator[Event]:
    head = _head(request, "chat.completion.chunk")

    def chunk(delta: JSON, reason: str | None = None) -> Event:
        return "", head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    if answer.thinking:
        yield chunk({"reasoning_content": answer.thinking})
    for piece in answer.pieces:
        yield chunk({"content": piece})
    for index, call in enumerate(_calls(answer)):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, _reason(answer))
    yield "", head | {"choices": [], "usage": _usage(answer)}
    yield "", "[DONE]"


def _head(request: Request, kind: str) -> JSON:
    made = {"id": new_id("chatcmpl"), "object": kind, "created": 1_700_000_000}
    return {**made, "model": request.model}


def _calls(answer: Answer) -> list[JSON]:
    return [
        {
            "id": new_id("call"),
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.input)},
        }
        for call in answer.calls
    ]


def _reason(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _usage(answer: Answer) -> JSON:
    given, made, cached = answer.used
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def error(status: int, message: str, wait: int | None) -> tuple[JSON, Headers]:
    kind = _ERRORS.get(status, "server_error")
    headers = {} if wait is None else {"retry-after": str(wait)}
    return {"error": {"message": message, "type": kind, "code": kind, "param": None}}, headers
