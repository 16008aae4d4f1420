"""The wire of Gemini's generateContent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.models.wire import JSON, Answer, Event, Headers, Request, new_id, text_of

PATH = re.compile(r"/models/(?P<model>[^/:]+):(?P<verb>streamGenerateContent|generateContent)$")
_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def read(path: str, body: JSON) -> Request:
    found = PATH.search(path)
    assert found is not None, path
    said = [_words(body.get("systemInstruction") or {})]
    said += [_words(content) for content in body.get("contents", [])]
    tools = {
        tool["name"]: _small(
            tool.get("parametersJsonSchema")
            or tool.get("parameters_json_schema")
            or tool.get("parameters")
            or {}
        )
        for group in body.get("tools") or []
        for tool in group.get("functionDeclarations") or []
    }
    stream = found["verb"] == "streamGenerateContent"
    return Request("gemini", found["model"], stream, body, tools, tuple(said))


def whole(request: Request, answer: Answer) -> JSON:
    return _response(request, answer, _parts(answer, [answer.text]), last=True)


def events(request: Request, answer: Answer) -> Iterator[Event]:
    *first, last = _parts(answer, answer.pieces)
    for part in first:
        yield "", _response(request, answer, [part], last=False)
    yield "", _response(request, answer, [last], last=True)


def _parts(answer: Answer, texts: list[str]) -> list[JSON]:
    parts: list[JSON] = []
    if answer.thinking:
        parts.append({"text": answer.thinking, "thought": True})
    parts += [{"text": text} for text in texts if text]
    for call in answer.calls:
        made = {"id": new_id("call"), "name": call.name, "args": call.input}
        parts.append({"functionCall": made})
    return parts or [{"text": ""}]


def _response(request: Request, answer: Answer, parts: list[JSON], *, last: bool) -> JSON:
    candidate: JSON = {"index": 0, "content": {"role": "model", "parts": parts}}
    if last:
        candidate["finishReason"] = "STOP"
    given, made, cached = answer.used
    usage = {
        "promptTokenCount": given,
        "candidatesTokenCount": made,
        "cachedContentTokenCount": cached,
        "totalTokenCount": given + made,
    }
    response = {"candidates": [candidate], "modelVersion": request.model}
    return response | ({"usageMetadata": usage} if last else {})


def _words(content: JSON) -> str:
    said: list[str] = []
    for part in content.get("parts") or []:
        said.append(part.get("text") or "")
        said.append(text_of((part.get("functionResponse") or {}).get("response")))
    return "\n".join(said)


def _small(schema: Any) -> Any:
    """Its types as everybody else writes them."""
    if isinstance(schema, dict):
        return {
            key: value.lower() if key == "type" and isinstance(value, str) else _small(value)
            for key, value in schema.items()
        }
    return [_small(each) for each in schema] if isinstance(schema, list) else schema


def error(status: int, message: str, wait: int | None) -> tuple[JSON, Headers]:
    told: JSON = {"code": status, "message": message, "status": _ERRORS.get(status, "INTERNAL")}
    if wait is None:
        return {"error": told}, {}
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait}s"}
    return {"error": told | {"details": [delay]}}, {"retry-after": str(wait)}
