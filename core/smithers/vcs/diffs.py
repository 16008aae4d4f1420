"""What differs between two commits, as stored: no attribute of the checkout can hide a line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from smithers.errors import VcsError
from smithers.process.run import Completed
from smithers.vcs import layout
from smithers.vcs.git import git, line

_FLAGS = (
    "-r",
    "--find-renames",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


@dataclass(frozen=True, slots=True)
class Changed:
    """One file; lines are 0 if it is binary."""

    path: str
    status: str
    """`A` added, `D` deleted, `M` modified, `R` renamed, `T` another type."""
    added: int
    removed: int
    binary: bool
    old: str = ""
    """The path before, if renamed."""


def files(repo_dir: Path, left: str, right: str) -> list[Changed]:
    """List the files that differ, in git's order. An empty `left` is no files at all."""
    out = _diff(repo_dir, ("--raw", "--numstat", "-z"), left, right).out
    words = iter(os.fsdecode(out).split("\0"))
    states: dict[str, tuple[str, str]] = {}
    changed = []
    for word in words:
        if word.startswith(":"):
            status = word.rpartition(" ")[2][:1]
            old = next(words) if status == "R" else ""
            states[next(words)] = (status, old)
        elif word:
            added, removed, path = word.split("\t", 2)
            if not path:
                next(words)
                path = next(words)
            status, old = states[path]
            counts = (0, 0) if added == "-" else (int(added), int(removed))
            changed.append(Changed(path, status, *counts, added == "-", old))
    return changed


def patch(repo_dir: Path, left: str, right: str, *, path: str = "") -> str:
    """Show the difference of all files or one; bytes that are no UTF-8 are surrogates.

    Binary files stand as the full ids of both sides, so that any change of theirs shows.
    """
    paths: list[str] = []
    if path:
        renamed = [item.old for item in files(repo_dir, left, right) if item.path == path]
        paths = [path, *filter(None, renamed)]
    done = _diff(repo_dir, ("--patch", "--full-index"), left, right, paths)
    return done.out.decode("utf-8", "surrogateescape")


def _diff(
    repo_dir: Path, form: tuple[str, ...], left: str, right: str, paths: list[str] | None = None
) -> Completed:
    found = layout.find(repo_dir)
    if found is None:
        raise VcsError(f"{repo_dir} is no git checkout")
    # From git's own folder with no index there is no .gitattributes to say "-diff".
    inside = found.common_dir
    nothing = inside / "smithers" / "no-index"
    env = {"GIT_DIR": os.fspath(inside)}
    for side in (left, right):
        if side.startswith("-"):
            raise VcsError(f"{side!r} is no commit")
    if not left:
        left = line(git(inside, "hash-object", "-t", "tree", "--stdin", env=env))
    args = ("diff-tree", *_FLAGS, *form, left, right, "--", *(paths or ()))
    return git(inside, *args, index=nothing, env=env)
