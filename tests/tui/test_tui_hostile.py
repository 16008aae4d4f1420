"""Text of agents reaches a real terminal as text and as nothing else; no colour where none is wanted."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from directory import Directory, write_log

HERE = Path(__file__).parents[2]
EVIL = (
    "\x1b]52;c;aGFja2Vk\x07\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\ \x9d0;owned\x9c \x9b31m "
    "[bold]marked[/bold] [/x] [@click=app.quit]go[/] \u202etxt.exe \u2066 \x1b[2J\x1b[31mred \x08\x08 \x7f \u200b end"
)
FORBIDDEN = {
    "clipboard": b"\x1b]52",
    "title": b"\x1b]0;",
    "title2": b"\x1b]2;",
    "link": b"\x1b]8;",
    "c1 csi": "\x9b".encode(),
    "c1 osc": "\x9d".encode(),
    "bidi": "\u202e".encode(),
    "isolate": "\u2066".encode(),
    "zero width": "\u200b".encode(),
    "del": b"\x7f",
}


def hostile(root: Path) -> Directory:
    root.mkdir()
    there = Directory(root)
    there.run(
        "evil",
        EVIL,
        status="waiting",
        engine=True,
        recipe=EVIL,
        branch=EVIL,
        status_reason=EVIL,
        error=EVIL,
    )
    there.step("evil", "code", title=EVIL, reason=EVIL, status="failed")
    log = there.attempt("evil", "code", status="failed", error=EVIL, model=EVIL, agent=EVIL)
    write_log(log, [("out", EVIL, EVIL), ("agent", "text", EVIL + "\r\n" + EVIL)])
    there.step("evil", "ship", kind="approval", status="waiting")
    there.gate("evil", "ship", title=EVIL, why=EVIL, body=EVIL)
    there.insert(
        "outputs", run=1, key="code", value='{"x": "\\u001b]52;c;aGk=\\u0007\\u202e\\u009b31m"}'
    )
    there.frame("evil", EVIL, age=1000, code="failed")
    return there


class Terminal:
    """The app in a process of its own, behind a pseudo-terminal of 120x36."""

    def __init__(self, root: Path, screen: str = "runs", run: str = "", **env: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        code = (
            "import sys; from pathlib import Path; from smithers_tui.command import run; "
            f"sys.exit(run(Path({str(root)!r}), screen={screen!r}, run={run or None!r}))"
        )
        path = os.pathsep.join([str(HERE / "core"), str(HERE)])
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "LANG": "C.UTF-8",
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "PYTHONPATH": path,
                **env,
            },
        )
        os.close(slave)
        self.written = b""

    def read_until(self, *words: str, within: float = 20.0) -> None:
        end = time.monotonic() + within
        seen = len(self.written)
        while not all(word in self._plain(self.written[seen:]) for word in words):
            assert time.monotonic() < end, self._plain(self.written)[-3000:]
            if select.select([self.master], [], [], 0.1)[0]:
                self.written += os.read(self.master, 65536)

    @staticmethod
    def _plain(data: bytes) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode("utf-8", "replace"))

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def leave(self) -> int:
        self.press("q")
        end = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.written += os.read(self.master, 65536)
                except OSError:
                    break
        if self.process.poll() is None:
            self.process.kill()
        os.close(self.master)
        return self.process.wait()


@pytest.mark.slow
def test_no_byte_of_an_agent_is_obeyed_by_the_terminal(root: Path) -> None:
    there = hostile(root)
    app = Terminal(root.resolve())
    app.read_until("[bold]marked[/bold]", "[/x]", "evil")
    app.press("\r")
    app.read_until("attempts", "engine")
    app.press("k")
    app.read_until("text")
    app.press("o")
    app.read_until('"x"')
    app.press("t")
    app.read_until("STATE")
    app.press("i")
    app.read_until("APPROVE?", "⟨U+202E⟩")
    app.press("?")
    app.read_until("keys · inbox")
    app.press("q")
    app.read_until("approve")
    assert app.leave() == 0
    there.db.close()
    found = {name for name, sequence in FORBIDDEN.items() if sequence in app.written}
    assert not found


@pytest.mark.slow
def test_without_colour_no_hue_leaves_the_process(shop: Directory, root: Path) -> None:
    app = Terminal(root.resolve(), NO_COLOR="1")
    app.read_until("! approve", "~ interrupted", "× failed")
    assert app.leave() == 0
    codes = {code for found in re.findall(rb"\x1b\[([0-9;]*)m", app.written) for code in [found]}
    hues = {
        code
        for code in codes
        if re.search(rb"(^|;)(3[0-7]|4[0-7]|9[0-7]|10[0-7]|[34]8;[25])(;|$)", code)
    }
    assert hues == set()


@pytest.mark.slow
@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_show_it_gets_the_plain_command(
    shop: Directory, root: Path, term: str
) -> None:
    app = Terminal(root.resolve(), TERM=term)
    app.read_until("smithers ps")
    assert app.process.wait(timeout=10) == 2
    os.close(app.master)


@pytest.mark.slow
def test_without_a_terminal_nothing_heavy_is_loaded(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from smithers_tui.command import run; code = run(Path('.')); "
        "assert 'textual' not in sys.modules; sys.exit(code)"
    )
    env = {
        "PATH": os.environ["PATH"],
        "TERM": "xterm",
        "PYTHONPATH": os.pathsep.join([str(HERE / "core"), str(HERE)]),
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert (
        done.stderr
        == "error: the app needs a terminal (input or output is not one). next: smithers ps\n"
    )
