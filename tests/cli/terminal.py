"""A real terminal for a child process: what it shows is read, what a person types is sent."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time


def _take_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    def __init__(self, argv, *, cwd, env=None):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        base = {**os.environ, "TERM": "xterm-256color", "SMITHERS_DIR": ""}
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**base, **(env or {})},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509
        )
        os.close(slave)
        self.shown = ""
        self._seen = 0

    def expect(self, text, timeout=60):
        """Read until the text appears after what was expected last."""
        deadline = time.monotonic() + timeout
        while (place := self.shown.find(text, self._seen)) < 0:
            assert self._read(deadline), f"{text!r} did not appear in:\n{self.shown}"
        self._seen = place + len(text)

    def send(self, text):
        os.write(self._master, text.encode())

    def interrupt(self):
        self.send("\x03")

    def end(self, timeout=60):
        """Read to the end; the exit code."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        return self._process.wait(max(1, deadline - time.monotonic()))

    def close(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        os.close(self._master)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read(self, deadline):
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
