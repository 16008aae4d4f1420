"""A model on loopback that plays a script, so that the real Claude Code can be tested without one.

`with FakeModel([{"text": "hi"}, ...]) as model:` answers each request that offers tools with the
next reply; the last one repeats. A reply is one of

    {"text": "words"}                                   plain words
    {"tools": [{"name": "Bash", "input": {...}}], ...}  calls of tools, after its text if it has one
    {"json": {...}}                                     a call of the tool StructuredOutput
    {"error": 429, "retry_after": 30, "message": "…"}   an HTTP error

and may hold `usage` (`[input, output]` tokens) and `hang` (an Event that is waited for first).
`{cwd}` in an input is the folder that the agent works in. Requests without tools (titles, quota
probes) are answered "ok" and use up no reply.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Reply = dict[str, Any]
_CWD = re.compile(r"[Ww]orking directory:?\s*`?(/[^\s<`]+)")
_numbers = itertools.count(1)
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class FakeModel:
    """The server. `requests` holds the bodies of all requests that offered tools."""

    def __init__(self, replies: list[Reply]) -> None:
        self.replies = replies
        self.requests: list[dict[str, Any]] = []
        self.strays: list[str] = []
        self.asked = threading.Event()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environ(self) -> dict[str, str]:
        """What points Claude Code here, and keeps it from talking to anybody else."""
        return {
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self._server.server_address[1]}",
            "ANTHROPIC_API_KEY": "sk-ant-none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
        }

    def reply_to(self, body: dict[str, Any]) -> Reply:
        if not body.get("tools"):
            return {"text": "ok"}
        with self._lock:
            reply = self.replies[min(len(self.requests), len(self.replies) - 1)]
            self.requests.append(body)
        self.asked.set()
        return reply


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    model: FakeModel

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, as one that was killed does, is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.model.strays.append(f"{self.command} {self.path}")
        self._send(404, _error(404, {}))

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._send(200, {"input_tokens": 10})
        elif path.endswith("/v1/messages"):
            self._play(body, self.server.model.reply_to(body))
        else:
            self.do_GET()

    def _play(self, body: dict[str, Any], reply: Reply) -> None:
        if "hang" in reply:
            while not (reply["hang"].wait(0.05) or self.server.model.closing.is_set()):
                pass
        if "error" in reply:
            headers = {"retry-after": str(reply["retry_after"])} if "retry_after" in reply else {}
            self._send(reply["error"], _error(reply["error"], reply), headers)
            return
        message = _message(body, reply)
        if not body.get("stream"):
            self._send(200, message)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in _events(message):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        self.close_connection = True

    def _send(self, status: int, data: Any, headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)


def _message(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    calls = [*reply.get("tools", [])]
    if "json" in reply:
        calls.append({"name": "StructuredOutput", "input": reply["json"]})
    content: list[dict[str, Any]] = []
    if text := reply.get("text"):
        content.append({"type": "text", "text": text})
    for call in calls:
        given = json.dumps(call["input"]).replace("{cwd}", _cwd(body))
        block = {"type": "tool_use", "id": f"toolu_{next(_numbers):024}", "name": call["name"]}
        content.append({**block, "input": json.loads(given)})
    used = reply.get("usage", [100, 10])
    return {
        "id": f"msg_{next(_numbers):024}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": content,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": used[0], "output_tokens": used[1]},
    }


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty, delta = {"text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            given = json.dumps(block["input"])
            empty, delta = {"input": {}}, {"type": "input_json_delta", "partial_json": given}
        yield {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _error(status: int, reply: Reply) -> dict[str, Any]:
    kind = _ERRORS.get(status, "api_error")
    message = reply.get("message", "Failed by the script.")
    return {"type": "error", "error": {"type": kind, "message": message}}


def _cwd(body: dict[str, Any]) -> str:
    said = [_text(body.get("system", "")), *(_text(m["content"]) for m in body["messages"])]
    found = [path for text in said for path in _CWD.findall(text)]
    return found[-1] if found else ""


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(_text(block.get("text") or block.get("content") or "") for block in content)
