"""Where git keeps its things for a folder, read from the files alone: no process, any state."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one checkout, symlinks resolved."""

    top: Path
    """The folder that holds `.git`."""
    git_dir: Path
    """HEAD and index of this checkout."""
    common_dir: Path
    """Objects, refs and config, shared by all worktrees; `git_dir` itself in a main checkout."""


def at(top: Path) -> Layout | None:
    """Find the checkout whose top is exactly this folder; None also for a dangling `.git`."""
    top = Path(os.path.realpath(top))
    git_dir = _git_dir(top / ".git")
    if git_dir is None:
        return None
    # What git would believe of a `.git` folder itself is not true: see `git.expel`.
    own = git_dir == top / ".git"
    return Layout(top, git_dir, git_dir if own else _common_dir(git_dir))


def find(start: Path) -> Layout | None:
    """Find the checkout that holds a folder. The empty repository in `.smithers/state` is none."""
    start = Path(os.path.realpath(start))
    for folder in (start, *start.parents):
        if folder.parts[-2:] == (".smithers", "state"):
            continue
        found = at(folder)
        if found is not None:
            return found
    return None


def _git_dir(dot_git: Path) -> Path | None:
    """Find what `.git` is or points to, if there is a repository."""
    target = dot_git
    try:
        if dot_git.is_file():
            text = dot_git.read_bytes()[:8192]
            if not text.startswith(b"gitdir: "):
                return None
            target = dot_git.parent / os.fsdecode(text[8:].rstrip(b"\r\n"))
        if not (target / "HEAD").is_file():
            return None
    except OSError:
        return None
    return Path(os.path.realpath(target))


def _common_dir(git_dir: Path) -> Path:
    try:
        text = (git_dir / "commondir").read_bytes()
    except OSError:
        return git_dir
    return Path(os.path.realpath(git_dir / os.fsdecode(text.rstrip(b"\r\n"))))
