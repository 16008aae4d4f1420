"""What a folder belongs to: its repository, branch and commit, and what cannot be worked on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from smithers.errors import VcsError
from smithers.vcs import layout
from smithers.vcs.git import failure, fields, git, last_words, line


@dataclass(frozen=True, slots=True)
class Repository:
    """A checkout as it was when asked."""

    top: Path
    git_dir: Path
    """Of this checkout alone."""
    common_dir: Path
    """Shared by all worktrees."""
    head: str
    """The commit checked out; empty before the first one."""
    branch: str
    """Without `refs/heads/`; empty if detached."""
    submodules: tuple[str, ...]
    """Paths from `top`."""


def discover(path: Path) -> Repository | None:
    """Find the repository that holds a folder. VcsError if it is bare, broken or not trusted."""
    start = _outside_state(path)
    done = git(start, "rev-parse", "--show-toplevel", check=False)
    if done.code != 0:
        if b"not a git repository (or any" in done.err:
            return None
        if b"must be run in a work tree" in done.err:
            raise VcsError(
                f"{path} is in a bare repository or in git's own folder: no files to work on",
                next="go to a checkout of it, or clone it",
            )
        raise failure(start, ("rev-parse",), done)
    top = Path(line(done))
    found = layout.at(top)
    if found is None:
        raise VcsError(f"{top}/.git cannot be read")
    return Repository(
        top, found.git_dir, found.common_dir, resolve(top, "HEAD"), _branch(top), submodules(top)
    )


def main_checkout(path: Path) -> Path | None:
    """Find the top of the main checkout that a folder belongs to, through a worktree, or None.

    Runs git only for a worktree of a bare repository or of a submodule.
    """
    found = layout.find(path)
    if found is None:
        return None
    if found.git_dir == found.common_dir:
        return found.top
    if found.common_dir.name == ".git":
        return found.common_dir.parent
    first = fields(git(path, "worktree", "list", "--porcelain", "-z"))
    if not first or "bare" in first[:2]:
        return None
    top = Path(first[0].removeprefix("worktree "))
    return top if layout.at(top) is not None else None


def resolve(folder: Path, revision: str) -> str:
    """Find the commit that a revision names; empty if there is none."""
    done = git(
        folder,
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{revision}^{{commit}}",
        check=False,
    )
    return line(done) if done.code == 0 else ""


def submodules(top: Path) -> tuple[str, ...]:
    """Read the paths that `.gitmodules` names."""
    listing = top / ".gitmodules"
    if not listing.is_file():
        return ()
    done = git(
        top, "config", "--file", os.fspath(listing), "-z", "--get-regexp", r"\.path$", check=False
    )
    if done.code not in (0, 1):
        raise VcsError(f"{listing} cannot be read: {last_words(done)}")
    return tuple(sorted(entry.partition("\n")[2] for entry in fields(done)))


def _branch(top: Path) -> str:
    done = git(top, "symbolic-ref", "--quiet", "HEAD", check=False)
    return line(done).removeprefix("refs/heads/") if done.code == 0 else ""


def _outside_state(path: Path) -> Path:
    """`.smithers/state` is an empty repository of its own; what is meant is the one around it."""
    real = Path(os.path.realpath(path))
    for folder in (real, *real.parents):
        if (folder / ".git").exists():
            inside = folder.parts[-2:] == (".smithers", "state")
            return folder.parent.parent if inside else real
    return real
