"""The server: which reply a request gets, how it travels, what was counted."""

from __future__ import annotations

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from smithers.model.step import Usage
from tests.models import anthropic, chat, gemini, responses, tools
from tests.models.wire import JSON, Answer, Event, Request, Wire

Reply = dict[str, Any]
WIRES: tuple[Wire, ...] = (anthropic, responses, chat, gemini)
_MIDDLE = 2
"""Events of a stream before what goes wrong in its middle does."""


class FakeModel:
    """The server. `requests` holds all that offered tools, `strays` what no wire speaks."""

    def __init__(self, replies: list[Reply]) -> None:
        self.replies = replies
        self.requests: list[Request] = []
        self.strays: list[str] = []
        self.used = Usage(0, 0, None, 0)
        """The tokens of all answers that were given to their end."""
        self.asked = threading.Event()
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.model = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

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

    def reply_to(self, request: Request) -> Reply:
        if not request.tools:
            return {"text": "ok"}
        with self._lock:
            reply = self.replies[min(len(self.requests), len(self.replies) - 1)]
            self.requests.append(request)
        self.asked.set()
        return reply

    def count(self, used: tuple[int, int, int]) -> None:
        given, made, cached = used
        with self._lock:
            self.used += Usage(given, made, None, cached)

    def wait(self, event: threading.Event | None) -> None:
        while not (event is None or event.wait(0.05) or self.closing.is_set()):
            pass


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
        self._send(404, chat.error(404, "no such page", None)[0])

    do_HEAD = do_CONNECT = do_PUT = do_DELETE = do_GET  # noqa: N815

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        if path.endswith(("/count_tokens", ":countTokens")):
            self._send(200, {"input_tokens": 10, "totalTokens": 10})
            return
        wire = next((wire for wire in WIRES if wire.PATH.search(path)), None)
        if wire is None:
            self.do_GET()
            return
        request = wire.read(path, json.loads(raw))
        reply = self.server.model.reply_to(request)
        self.server.model.wait(reply.get("hang"))
        if "error" in reply:
            message = reply.get("message", "Failed by the script.")
            told, headers = wire.error(reply["error"], message, reply.get("retry_after"))
            self._send(reply["error"], told, headers)
            return
        answer = _answer(reply, request)
        if request.stream:
            self._stream(list(wire.events(request, answer)), reply, answer)
        elif "drop" in reply:
            self._reset()
        else:
            self.server.model.wait(reply.get("stall"))
            self.server.model.count(answer.used)
            self._send(200, wire.whole(request, answer))

    def _stream(self, events: list[Event], reply: Reply, answer: Answer) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        last = len(events) - 1
        for at, (name, data) in enumerate(events):
            if at == min(_MIDDLE, last):
                self.server.model.wait(reply.get("stall"))
                if reply.get("garbage"):
                    self._chunk('data: {"it ends in": \n\n')
            if at == min(reply.get("drop", len(events)), last):
                if "drop" in reply:
                    self._reset()
                    return
                # Whoever has read the last event may be asked at once what was counted.
                self.server.model.count(answer.used)
            head = f"event: {name}\n" if name else ""
            self._chunk(f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n")
        self._chunk("")

    def _chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _reset(self) -> None:
        """End the connection as a crash does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, data: JSON, headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)


def _answer(reply: Reply, request: Request) -> Answer:
    text = reply.get("text", "")
    calls = [tools.call(wanted, request) for wanted in reply.get("tools", [])]
    if "json" in reply:
        if name := tools.structured(request):
            calls.append(tools.Call(name, reply["json"]))
        else:
            text += json.dumps(reply["json"])
    given, made, cached = (*reply.get("usage", (100, 10)), 0)[:3]
    return Answer(text, reply.get("thinking", ""), tuple(calls), (given, made, cached))
