"""A directory as after a morning's work, for tests and for the pictures in the documentation."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

from directory import HOUR, MINUTE, NOW, SECOND, Directory, write_log

from smithers.vcs import diffs


def git(folder: Path, *argv: str) -> str:
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_AUTHOR_DATE": "2026-11-18T12:00:00Z",
        "GIT_COMMITTER_NAME": "ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        "GIT_COMMITTER_DATE": "2026-11-18T12:00:00Z",
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *argv], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


SESSION = '''\
"""Sessions of a user."""

import time


class Session:
    def __init__(self, token):
        self._token = token
        self._expires = 0

    def refresh(self):
        token = self._load()
        if token.expired:
            self._renew(token)
        return token

    def logout(self):
        self._drop()
        self._expires = 0
'''

SESSION_AFTER = '''\
"""Sessions of a user."""

import threading
import time


class Session:
    def __init__(self, token):
        self._token = token
        self._lock = threading.Lock()
        self._expires = 0

    def refresh(self):
        with self._lock:
            token = self._load()
        if token.expired:
            self._renew(token)
        return token

    def logout(self):
        with self._lock:
            self._drop()
            self._expires = 0
'''


def repository(root: Path) -> tuple[str, str]:
    """A git repository with two commits: before and after the fix."""
    (root / "src" / "auth").mkdir(parents=True)
    (root / "tests").mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "src" / "auth" / "session.py").write_text(SESSION)
    (root / "tests" / "test_login.py").write_text(
        "def test_refresh(session):\n    assert session.refresh()\n"
    )
    git(root, "add", "src", "tests")
    git(root, "commit", "-q", "-m", "before")
    (root / "src" / "auth" / "session.py").write_text(SESSION_AFTER)
    (root / "tests" / "test_login.py").write_text(
        "def test_refresh(session):\n    assert session.refresh()\n\n\ndef test_logout_while_refreshing(session, race):\n    race(session.refresh, session.logout)\n    assert not session.token\n"
    )
    (root / "docs").mkdir()
    (root / "docs" / "flaky.md").write_text("# Flaky logins\n\nRefresh raced with logout.\n")
    git(root, "add", "src", "tests", "docs")
    git(root, "commit", "-q", "-m", "after")
    before, after = git(root, "rev-parse", "HEAD~1"), git(root, "rev-parse", "HEAD")
    git(root, "checkout", "-q", "HEAD~1")
    return before, after


def shop(root: Path) -> Directory:
    """A directory as after a morning's work: one of each state, and a full run `0hq4k2v9a-ship`."""
    root.mkdir(parents=True, exist_ok=True)
    before, after = repository(root)
    there = Directory(root)
    there.run(
        "0hq31a00c-k2m9", "Fix the typo in README", age=27 * HOUR, recipe="ralph", total=2, done=2
    )
    there.run(
        "0hq31p44b-7ja2", "Add an index for slow order queries", age=26 * HOUR, total=6, done=6
    )
    there.run(
        "0hq32x81n-q0vd",
        "Spike: gRPC between basket and stock",
        status="cancelled",
        age=5 * HOUR,
        status_reason="cancelled by person:ada",
    )
    there.run(
        "0hq38e5ka-m3tw",
        "Move sessions to Redis",
        status="failed",
        age=4 * HOUR,
        error="build[3]/tests failed: exit 1",
        status_reason="build[3]/tests failed: exit 1",
        recipe="refactor",
        total=9,
        done=6,
        failed=1,
    )
    there.step("0hq38e5ka-m3tw", "build[3]/tests", kind="check", status="failed", scope="build[3]")
    there.run(
        "0hq39b7yz-p8rc",
        "Upgrade dependencies and fix what breaks",
        status="paused",
        age=2 * HOUR,
        intent="pause",
        recipe="ralph",
        total=3,
    )
    there.run(
        "0hq3ct2pe-v1xs",
        "Write the public API docs",
        status="running",
        age=25 * MINUTE,
        recipe="docs",
        total=6,
        done=5,
    )
    there.step("0hq3ct2pe-v1xs", "review", status="running")
    there.attempt("0hq3ct2pe-v1xs", "review", status="running", age=2 * MINUTE, cost_usd=0.88)
    there.run(
        "0hq3h0dqw-5n6f",
        "CSV export for the order list",
        status="running",
        age=2 * MINUTE,
        total=4,
        done=1,
    )
    there.step("0hq3h0dqw-5n6f", "plan")
    there.step("0hq3h0dqw-5n6f", "build[1]/code", status="running", scope="build[1]")
    there.attempt("0hq3h0dqw-5n6f", "build[1]/code", status="running", age=MINUTE, cost_usd=0.14)
    there.run(
        "0hq3g9m1t-e4ub",
        "Move the importer to asyncio",
        status="running",
        age=40 * MINUTE,
        engine=False,
        total=7,
        done=3,
    )
    there.step("0hq3g9m1t-e4ub", "implement", status="running")
    there.run(
        "0hq3d8r6x-w9gk",
        "Drop the legacy price column",
        status="waiting",
        age=48 * MINUTE,
        recipe="migrate",
        total=5,
        done=2,
        waiting=1,
    )
    there.step("0hq3d8r6x-w9gk", "apply", kind="approval", status="waiting")
    there.gate(
        "0hq3d8r6x-w9gk",
        "apply",
        title="Run this migration?",
        age=41 * SECOND,
        why="it drops a column; 48,112 rows still hold a value",
        body=MIGRATION,
    )
    login(there, before, after)
    return there


MIGRATION = """\
BEGIN;
ALTER TABLE product ADD COLUMN price_cents BIGINT;
UPDATE product SET price_cents = round(price * 100);
ALTER TABLE product ALTER COLUMN price_cents SET NOT NULL;
ALTER TABLE product DROP COLUMN price;
COMMIT;
"""

LOGIN = "0hq3k2v9a-x7f2"


def login(there: Directory, before: str, after: str) -> None:
    """The run that pictures show: three turns of a loop, then an approval with a diff."""
    there.run(
        LOGIN,
        "Login e2e is flaky on CI: find out why and fix it",
        status="waiting",
        age=22 * MINUTE,
        branch=f"smithers/{LOGIN}",
        base=before,
        total=9,
        done=8,
        waiting=1,
        agents='{"coder": "claude"}',
    )
    there.step(LOGIN, "plan")
    there.attempt(
        LOGIN,
        "plan",
        age=22 * MINUTE,
        took=72 * SECOND,
        input_tokens=18_200,
        output_tokens=1_900,
        cost_usd=0.21,
        agent="claude",
        model="opus-5",
    )
    there.step(LOGIN, "build", kind="loop")
    for turn, passed in ((1, False), (2, True)):
        scope = f"build[{turn}]"
        begun = (20 - 9 * (turn - 1)) * MINUTE
        there.step(LOGIN, f"{scope}/code", scope=scope)
        if turn == 2:
            there.attempt(
                LOGIN,
                f"{scope}/code",
                1,
                age=begun,
                took=41 * SECOND,
                status="rate_limited",
                error="rate limit; resets at 11:57",
            )
        log = there.attempt(
            LOGIN,
            f"{scope}/code",
            turn,
            age=begun - 2 * MINUTE,
            took=190 * SECOND,
            input_tokens=96_000,
            output_tokens=7_400,
            cost_usd=0.84,
            session="5f0c",
        )
        write_log(log, CODE_LOG, age=begun - 2 * MINUTE)
        there.step(
            LOGIN,
            f"{scope}/tests",
            kind="check",
            status="succeeded" if passed else "failed",
            scope=scope,
            reason="" if passed else "exit 1",
        )
        log = there.attempt(
            LOGIN,
            f"{scope}/tests",
            age=begun - 6 * MINUTE,
            took=32_100,
            status="succeeded" if passed else "failed",
            exit_code=0 if passed else 1,
            agent="",
            model="",
            error="" if passed else "exit 1: 1 failed, 41 passed",
        )
        write_log(
            log,
            [
                (
                    "out",
                    "",
                    "41 passed in 31.20s"
                    if passed
                    else "FAILED tests/test_login.py::test_logout_while_refreshing",
                )
            ],
        )
        there.step(
            LOGIN, f"{scope}/review", status="succeeded" if passed else "skipped", scope=scope
        )
        if passed:
            there.attempt(
                LOGIN,
                f"{scope}/review",
                age=4 * MINUTE,
                took=48 * SECOND,
                input_tokens=31_000,
                output_tokens=900,
                cost_usd=0.31,
                model="opus-5",
            )
    there.step(LOGIN, "ship", kind="approval", status="waiting")
    seq = there.seq(LOGIN)
    for side, commit, at in (
        ("before", before, NOW - 20 * MINUTE),
        ("after", after, NOW - 5 * MINUTE),
    ):
        there.insert(
            "snapshots",
            run=seq,
            key="build[2]/code",
            attempt=2,
            side=side,
            commit_id=commit,
            taken_at=at,
        )
    there.insert(
        "outputs",
        run=seq,
        key="build[2]/review",
        value=json.dumps(
            {"approved": True, "feedback": "The lock is per session, which is right. Ship it."}
        ),
    )
    there.gate(
        LOGIN,
        "ship",
        title="Merge this change?",
        show="diff",
        body=f"{before}..{after}",
        age=3 * MINUTE + 12 * SECOND,
        why="the reviewer signed off in turn 2: “The lock is per session, which is right. Ship it.”",
        digest=hashlib.sha256(diffs.patch(there.root, before, after).encode()).hexdigest(),
    )
    there.frame(LOGIN, "started", age=22 * MINUTE, plan="ready")
    there.frame(LOGIN, "plan started", age=22 * MINUTE - 500, plan="running")
    there.frame(LOGIN, "plan finished → build[1]/code started", age=20 * MINUTE, plan="succeeded")
    there.frame(LOGIN, "build[1]/code finished → build[1]/tests started", age=15 * MINUTE)
    there.frame(LOGIN, "build[1]/tests failed: exit 1 → build[2]/code started", age=14 * MINUTE)
    there.frame(LOGIN, "build[2]/code rate limited; waits until 11:57", age=11 * MINUTE)
    there.frame(LOGIN, "build[2]/code started, attempt 2", age=9 * MINUTE)
    there.frame(LOGIN, "build[2]/code finished → build[2]/tests started", age=5 * MINUTE)
    there.frame(LOGIN, "build[2]/tests passed → build[2]/review started", age=4 * MINUTE)
    there.frame(
        LOGIN,
        "build[2]/review finished → ship waits for a person",
        age=3 * MINUTE + 12 * SECOND,
        ship="waiting",
    )


CODE_LOG = [
    ("engine", "start", "claude sonnet-5, session 5f0c, in the run's worktree"),
    ("agent", "text", "I'll look at how the session refreshes its token first."),
    ("agent", "tool", "Read src/auth/session.py"),
    ("agent", "tool", "Grep  _renew|_drop  src/"),
    (
        "agent",
        "text",
        "refresh() loads the token and renews it without a lock; logout() can drop it in between.",
    ),
    ("agent", "tool", "Bash  pytest -q tests/test_login.py --count 50"),
    (
        "out",
        "",
        "FAILED tests/test_login.py::test_refresh - AttributeError: 'NoneType' has no attribute 'expired'",
    ),
    ("out", "", "3 failed, 47 passed in 12.40s"),
    ("agent", "text", "Reproduced: 3 of 50. A lock per session closes the window."),
    ("agent", "tool", "Edit  src/auth/session.py  +7 −3"),
    ("agent", "tool", "Write  tests/test_login.py  +5"),
    ("agent", "tool", "Bash  pytest -q tests/test_login.py --count 200"),
    ("out", "", "200 passed in 48.11s"),
    ("err", "", "warning: unused import time in src/auth/session.py"),
    ("agent", "text", "200 of 200. I also wrote down in docs/flaky.md why it failed."),
    ("agent", "usage", "96k in, 7.4k out, $0.84"),
    ("engine", "verdict", "succeeded"),
]
