"""A terminal for a program: what it paints is seen as it comes, keys are sent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

ROWS, COLUMNS = 36, 120
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-B]|.)")


def _take() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    def __init__(self, argv: Sequence[str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.shown = ""
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take,  # noqa: PLW1509
        )
        os.close(slave)

    @property
    def pid(self) -> int:
        return self._process.pid

    def expect(self, text: str, *, within: float = 30.0) -> float:
        """Seconds from the start until the text was painted. Raises TimeoutError."""
        deadline = time.monotonic() + within
        while text not in _SEQUENCE.sub("", self.shown):
            if not self._read(deadline):
                raise TimeoutError(f"{text!r} was not painted in {self.shown[-2000:]!r}")
        return time.monotonic() - self.began

    def press(self, key: str) -> float | None:
        """Seconds until something is painted after a key; None if nothing is within a second."""
        began = time.monotonic()
        os.write(self._master, key.encode())
        return time.monotonic() - began if self._read(began + 1.0) else None

    def drain(self, seconds: float) -> None:
        """See what is painted for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._read(deadline)

    def _read(self, deadline: float) -> bool:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([self._master], [], [], left)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._master)
