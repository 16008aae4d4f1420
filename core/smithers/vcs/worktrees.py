"""A run's own worktree: made once however often it is asked for, locked, on a branch of the run."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smithers.errors import VcsError
from smithers.vcs import layout, snapshots, workspace
from smithers.vcs.git import DURABLE, failure, fields, git, local_filters
from smithers.vcs.repository import Repository, resolve


@dataclass(frozen=True, slots=True)
class Worktree:
    path: Path
    branch: str
    base: str
    """The commit that the run began from."""
    notes: tuple[str, ...]
    """What a person should know is not in it."""


def create(repo: Repository, run: str, path: Path, *, base: str = "") -> Worktree:
    """Have the worktree of a run at a path: as it is if it is there, else made from its branch.

    Without a commit in the repository it begins from a snapshot of the checkout. The first base
    counts for good: it is kept under `refs/smithers/<run>/@base`.
    """
    branch = branch_of(run)
    path = Path(os.path.realpath(path))
    with workspace.locked(repo.common_dir / "smithers" / "making"):
        start, notes = _base(repo, run, base)
        if not _usable(repo, path):
            _make(repo, branch, path, start, run)
            _complete(repo, branch, path, notes)
    return Worktree(path, branch, start, _notes(path))


def exists(path: Path) -> bool:
    """Whether the worktree at a path is there and was completed."""
    try:
        workspace.of_run(path)
    except VcsError:
        return False
    return True


def branch_of(run: str) -> str:
    """The branch of a run. VcsError for a name that git would not take, or take for several."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", run) or re.search(
        r"\.\.|\.$|\.lock$", run
    ):
        raise VcsError(f"{run!r} cannot name a branch of git", next="choose another run id")
    return f"smithers/{run}"


def _base(repo: Repository, run: str, base: str) -> tuple[str, tuple[str, ...]]:
    ref = f"{snapshots.ref(run)}/@base"  # no step of that name: ref() escapes the @
    kept = resolve(repo.top, ref)
    if kept:
        return kept, ()
    wanted = base or "HEAD"
    start = resolve(repo.top, wanted)
    if start:
        git(repo.top, *DURABLE, "update-ref", ref, start)
        return start, _dirty(repo) if start == repo.head else ()
    if base or repo.head:
        raise VcsError(f"there is no commit {wanted} in {repo.top}", next="git log --all --oneline")
    first = snapshots.take(repo.top, ref, message="The files before the first commit")
    left_out = tuple(f"not in it: {reason}" for reason in first.incomplete)
    return first.commit, ("no commit yet: it begins from the files as they are", *left_out)


def _dirty(repo: Repository) -> tuple[str, ...]:
    """Name what of the checkout is not committed, and so not in the worktree."""
    args = ("status", "--porcelain", "-z", "--ignore-submodules=all", "--no-renames")
    names = [entry[3:] for entry in fields(git(repo.top, *args))]
    names = [name for name in names if not name.startswith(".smithers/")]
    if not names:
        return ()
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (f"changes that are not committed are not in it: {', '.join(names[:5])}{more}",)


def _lacking(repo: Repository, path: Path) -> Iterator[str]:
    for name in repo.submodules:
        yield f"submodule {name} is empty in it, and its files are not captured"
    for name in local_filters(path):
        yield f"filter {name} of this repository's own config is off: files are as git stores them"


def _notes(path: Path) -> tuple[str, ...]:
    """Read what was noted when it was made: by now the checkout may be clean."""
    text = (workspace.of_run(path).own / "notes").read_bytes()
    return tuple(os.fsdecode(note) for note in text.split(b"\0") if note)


def _complete(repo: Repository, branch: str, path: Path, notes: tuple[str, ...]) -> None:
    """Mark a worktree as whole; before this a crash has it made again."""
    space = workspace.of(path)
    space.own.mkdir(exist_ok=True)
    text = "\0".join((*notes, *_lacking(repo, path)))
    (space.own / "notes").write_bytes(os.fsencode(text))
    part = space.own / "branch.part"
    part.write_text(f"refs/heads/{branch}\n")
    part.replace(space.made_for)


def _usable(repo: Repository, path: Path) -> bool:
    """Tell whether the worktree is there; one that has only lost its `.git` file gets it back."""
    if exists(path):
        found = layout.at(path)
        if found is None or found.common_dir != repo.common_dir:
            raise VcsError(f"{path} is a worktree of another repository")
        return True
    admin = record_of(repo, path)
    if admin is None or not path.is_dir() or not (admin / "smithers" / "branch").is_file():
        return False
    if os.path.lexists(path / ".git"):
        raise VcsError(f"{path}/.git is not what git wrote there", next=f"look into {path}")
    (path / ".git").write_text(f"gitdir: {admin}\n")
    return True


def _make(repo: Repository, branch: str, path: Path, start: str, run: str) -> None:
    reason = f"smithers run {run}"
    _clear(repo, path, reason)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = resolve(repo.top, f"refs/heads/{branch}")
    what = (os.fspath(path), branch) if known else ("-b", branch, os.fspath(path), start)
    done = git(
        repo.top, "worktree", "add", "--quiet", "--lock", "--reason", reason, *what, check=False
    )
    if done.code != 0:
        if b"already checked out" in done.err or b"already used by" in done.err:
            raise VcsError(
                f"{branch} is checked out elsewhere", next=f"git worktree list | grep {branch}"
            )
        raise failure(repo.top, ("worktree",), done)


def _clear(repo: Repository, path: Path, reason: str) -> None:
    """Remove what a crash left of a worktree that nobody was given, or the record of a lost one."""
    admin = record_of(repo, path)
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        locked = admin / "locked" if admin is not None else path
        if not locked.is_file() or locked.read_text().strip() != reason:
            raise VcsError(f"{path} is in the way", next=f"move {path} away")
        shutil.rmtree(path)
    if admin is not None:
        shutil.rmtree(admin)


def record_of(repo: Repository, path: Path) -> Path | None:
    """Find git's folder for the worktree at a path, whether its files are there or not."""
    path = Path(os.path.realpath(path))
    wanted = os.fspath(path / ".git")
    for entry in sorted((repo.common_dir / "worktrees").glob("*/gitdir")):
        if os.fsdecode(entry.read_bytes().rstrip(b"\r\n")) == wanted:
            return entry.parent
    return None
