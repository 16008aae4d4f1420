"""What is loaded into agents on Node.js, in a real one: whose limits it tells of."""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from smithers.agents.clis import node

pytestmark = [pytest.mark.cli, pytest.mark.usefixtures("node_program")]


class Limited(BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(429)
        self.send_header("retry-after", "77")
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def limited():
    with ThreadingHTTPServer(("127.0.0.1", 0), Limited) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_only_the_limit_of_a_model_is_told(limited):
    asks = [
        ("POST", "/v1beta/models/g:streamGenerateContent?alt=sse"),
        ("post", "/v1/messages"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/responses"),
        ("GET", "/v1/messages"),
        ("GET", "/page"),
        ("POST", "/telemetry"),
    ]
    calls = "".join(f'await fetch("{limited}{path}", {{method: "{how}"}});\n' for how, path in asks)
    # With a request in the place of an address, too.
    calls += f'await fetch(new Request("{limited}/v1/messages", {{method: "POST"}}));\n'
    env = {"PATH": os.environ["PATH"], "NO_PROXY": "*", **node.ENV}
    argv = ["node", "--input-type=module", "-e", calls]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=True)
    waits = [node.wait_told(line) for line in done.stderr.splitlines()]
    assert [wait for wait in waits if wait is not None] == [77.0] * 5
