"""The terminal goes away without a word: the app ends by itself, and what it showed goes on."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from directory import Directory

OPEN = "import sys; from smithers.cli.app import main; sys.exit(main(['tui']))"


@pytest.mark.slow
def test_a_terminal_that_vanishes_without_a_hangup_ends_the_app(
    there: Directory, root: Path
) -> None:
    there.run("driven", status="running")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    # Not its controlling terminal: nobody is sent a signal.
    app = subprocess.Popen(
        [sys.executable, "-c", OPEN],
        cwd=root,
        env={**os.environ, "TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    while b"driven" not in shown:
        shown += os.read(master, 65536)
    os.close(master)
    try:
        # Two seconds, and as many more as a busy machine may need.
        assert app.wait(10) == 0
    finally:
        app.kill()
        app.wait()
    assert there.db.execute("SELECT intent FROM runs").fetchone() == ("go",)
