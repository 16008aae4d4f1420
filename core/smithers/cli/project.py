"""A small project of our own in git: for the demo, and for trying an agent."""

from __future__ import annotations

import os
from pathlib import Path

from smithers.errors import SmithersError
from smithers.process.run import run

_FALLBACK_IDENTITY = {"user.name": "Smithers demo", "user.email": "demo@smithers.invalid"}


def begin(root: Path, message: str) -> None:
    """Make a repository of a folder, and of all that is in it the first commit."""
    _git(root, "-c", "init.defaultBranch=main", "init", "--quiet")
    for name, value in _FALLBACK_IDENTITY.items():
        # `land` signs with the person's own identity; a demo must not ask them for one.
        if not _git(root, "config", "--get", name, may_fail=True):
            _git(root, "config", name, value)
    _git(root, "add", "--all")
    _git(root, "-c", "commit.gpgSign=false", "commit", "--quiet", "-m", message)


def _git(root: Path, *words: str, may_fail: bool = False) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = run(["git", "-c", "core.hooksPath=/dev/null", *words], cwd=root, env=env)
    except FileNotFoundError:
        raise SmithersError("git is not installed", next="smithers doctor") from None
    if done.code != 0 and not may_fail:
        words_of_git = done.err.decode(errors="replace").strip()
        raise SmithersError(f"git {words[-1]} failed: {words_of_git}", kept=f"{root}")
    return done.out.decode(errors="replace").strip()
