"""Every place as a picture, wide and narrow. After a change that is meant: pytest --snapshot-update."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from directory import Directory
from driving import NARROW, WIDE, make, shows, until
from sample import LOGIN

SIZES = [pytest.param(WIDE, id="120x36"), pytest.param(NARROW, id="80x24")]

pytestmark = pytest.mark.slow


@pytest.fixture
def picture(snap_compare) -> Callable[..., None]:
    """Take it once the screen says these words, after these keys."""

    def take(
        app,
        size,
        *words: str,
        keys: tuple[str, ...] = (),
        armed: bool = False,
        then: tuple[str, ...] = (),
    ) -> None:
        async def before(pilot) -> None:
            await shows(pilot, "● live")
            await until(
                pilot, lambda: app.overview.summary is not None and app.overview.gates is not None
            )
            await pilot.press(*keys)
            await shows(pilot, *words)
            if armed:
                await until(pilot, lambda: app.screen.panel.armed)
            if then:
                await pilot.press(*then)
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=before)

    return take


@pytest.mark.parametrize("size", SIZES)
def test_runs(shop: Directory, root: Path, picture, size) -> None:
    words = ("STATE", "turn 2", "$2.20") if size is WIDE else ("STATE", "$2.20")
    picture(make(root), size, *words)


@pytest.mark.parametrize("size", SIZES)
def test_run(shop: Directory, root: Path, picture, size) -> None:
    keys = ("k", "k", "k") if size is WIDE else ("k", "k", "k", "l")
    words = ("200 of 200", "17 lines", *(("review finished",) if size is WIDE else ()))
    picture(make(root, screen="run", run=LOGIN), size, *words, keys=keys)


@pytest.mark.parametrize("size", SIZES)
def test_attempts(shop: Directory, root: Path, picture, size) -> None:
    picture(make(root, screen="run", run=LOGIN), size, "resets at 11:57", keys=("k", "k", "k", "t"))


@pytest.mark.parametrize("size", SIZES)
def test_diff(shop: Directory, root: Path, picture, size) -> None:
    picture(make(root, screen="diff", run=LOGIN), size, "3 files", "import threading")


@pytest.mark.parametrize("size", SIZES)
def test_approval_of_a_diff(shop: Directory, root: Path, picture, size) -> None:
    picture(
        make(root, screen="inbox"),
        size,
        "Merge this change?",
        "exactly this diff",
        armed=True,
        then=("space", "space", "space"),
    )


@pytest.mark.parametrize("size", SIZES)
def test_approval_of_text(shop: Directory, root: Path, picture, size) -> None:
    picture(
        make(root, screen="inbox"),
        size,
        "Run this migration?",
        "ALTER TABLE",
        keys=("n",),
        armed=True,
    )


COMMAND = "rm -rf build && make e2e"
CHANGE = """\
--- src/auth/session.py
+++ src/auth/session.py
@@ -13,4 +13,5 @@
     def refresh(self):
-        token = self._load()
+        with self._lock:
+            token = self._load()
         if token.expired:
             self._renew(token)"""


def asks(there: Directory, tool: str, subject: str, body: str, show: str) -> None:
    """An agent that wants to do what no rule decides about."""
    there.run("0hq3k9", "Login e2e is flaky on CI", status="waiting", engine=True)
    there.step("0hq3k9", "build[2]/code", status="waiting")
    there.gate(
        "0hq3k9",
        "build[2]/code",
        kind="permission",
        title=f"claude wants to {'run' if tool == 'shell' else tool} {subject}",
        why="no rule of [permissions] decides about it; its process has ended and costs nothing",
        body=body,
        show=show,
    )
    about = {"tool": tool, "subject": subject, "digest": "d" * 64, "attempt": 2}
    there.db.execute("UPDATE gates SET about = ?", (json.dumps(about),))


@pytest.mark.parametrize("size", SIZES)
def test_permission_of_a_command(there: Directory, root: Path, picture, size) -> None:
    asks(there, "shell", COMMAND, COMMAND, "text")
    picture(make(root, screen="inbox"), size, "wants to run", "[once]", armed=True)


@pytest.mark.parametrize("size", SIZES)
def test_permission_of_a_change(there: Directory, root: Path, picture, size) -> None:
    asks(there, "edit", "src/auth/session.py", CHANGE, "patch")
    words = ("wants to edit", "exactly this diff")
    picture(make(root, screen="inbox"), size, *words, armed=True, then=("A", "A"))


@pytest.mark.parametrize("size", SIZES)
def test_decided_elsewhere(shop: Directory, root: Path, snap_compare, size) -> None:
    app = make(root, screen="inbox")

    async def before(pilot) -> None:
        await until(pilot, lambda: app.screen.panel.armed)
        shop.decide(LOGIN, "ship#1", "deny", actor="person:bob", note="not on a Friday")
        await shows(pilot, "by person:bob", "1 of 2")
        await until(pilot, lambda: len(app.overview.gates) == 1 and len(app.overview.lost) == 2)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES)
def test_keys(shop: Directory, root: Path, picture, size) -> None:
    picture(make(root), size, "keys · runs", "moving", keys=("question_mark",))


@pytest.mark.parametrize("size", SIZES)
def test_no_runs(there: Directory, root: Path, picture, size) -> None:
    picture(make(root), size, "No runs here yet")


@pytest.mark.parametrize("size", SIZES)
def test_cancel_asks(shop: Directory, root: Path, picture, size) -> None:
    picture(make(root), size, "Cancel this run?", keys=("X",))


def test_too_small(shop: Directory, root: Path, snap_compare) -> None:
    async def before(pilot) -> None:
        await shows(pilot, "60×15 needed", "3 need you")

    assert snap_compare(make(root), terminal_size=(56, 12), run_before=before)
