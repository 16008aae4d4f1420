"""A server on a free loopback port, and a client that speaks to it."""

import http.client
import json
import threading
import unittest

from api import Server


class ServerCase(unittest.TestCase):
    def setUp(self):
        self.server = Server(("127.0.0.1", 0))
        self.addCleanup(self.server.server_close)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    def ask(self, method, path, body=None):
        """The status and the decoded JSON of one request."""
        status, value, _ = self.ask_fully(method, path, body)
        return status, value

    def ask_fully(self, method, path, body=None):
        connection = http.client.HTTPConnection(*self.server.server_address, timeout=5)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, json.loads(response.read()), response.headers
        finally:
            connection.close()
