"""The HTTP face of the notes: routes, status codes, JSON."""

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from notes import Notes

MAX_BODY = 64 * 1024


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address):
        super().__init__(address, Handler)
        self.notes = Notes()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            self.answer(HTTPStatus.OK, {"status": "ok"})
        elif self.path == "/notes":
            self.answer(HTTPStatus.OK, {"notes": self.server.notes.all()})
        elif self.path.startswith("/notes/"):
            self.one_note(self.path.removeprefix("/notes/"))
        else:
            self.refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self):
        if self.path != "/notes":
            self.refuse(HTTPStatus.NOT_FOUND, "no such page")
            return
        try:
            text = self.text_of_body()
        except ValueError as error:
            self.refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self.answer(HTTPStatus.CREATED, self.server.notes.add(text))

    def one_note(self, number):
        note = self.server.notes.get(int(number)) if number.isdecimal() else None
        if note is None:
            self.refuse(HTTPStatus.NOT_FOUND, "no such note")
        else:
            self.answer(HTTPStatus.OK, note)

    def text_of_body(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_BODY:
            raise ValueError("body is too long")
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            raise ValueError("body is not JSON") from None
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise ValueError('body needs a "text" that is not empty')
        return text

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, why):
        self.answer(status, {"error": why})

    def log_message(self, *args):
        """Say nothing: whoever runs the server logs in front of it."""


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1]))).serve_forever()
