"""The files of one workspace through an index of our own; the checkout's own is never written."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from smithers.clock import SYSTEM
from smithers.errors import VcsError
from smithers.process.run import Completed
from smithers.vcs import layout
from smithers.vcs.git import DURABLE, failure, fields, git, last_words, line

_LOCK_WAIT = 120.0
"""Seconds to wait for another snapshot of the same workspace."""

_GITLINK = b"\x00\x00\xe0\x00"
"""Mode 160000 as it stands in an index entry."""
_ENTRY_MODE_AT = 24
_NAME_AT = {False: (62, 74), True: (64, 76)}
"""Where the name of an entry begins, with SHA-1 and SHA-256; one flag word more if extended."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A checkout and the folder in its git directory that is ours."""

    top: Path
    git_dir: Path
    common_dir: Path

    @property
    def own(self) -> Path:
        return self.git_dir / "smithers"

    @property
    def index(self) -> Path:
        return self.own / "index.snapshot"

    @property
    def made_for(self) -> Path:
        """Holds the ref of the run's branch; written last, so it also says that it is complete."""
        return self.own / "branch"


@dataclass(frozen=True, slots=True)
class Tree:
    """The files as they are now, as a tree object."""

    id: str
    incomplete: tuple[str, ...]
    """What is not in it, each with the reason."""


def of(path: Path) -> Workspace:
    """Find the workspace at or around a folder. VcsError if its `.git` is gone."""
    found = layout.find(path)
    # A run's worktree without its `.git` must not be taken for the checkout around it.
    if found is None or _in_state(found.top, Path(os.path.realpath(path))):
        raise VcsError(f"{path} is no git checkout (any more): its .git is missing or broken")
    return Workspace(found.top, found.git_dir, found.common_dir)


def of_run(path: Path) -> Workspace:
    """Find a run's own, completed worktree at exactly this folder, or VcsError."""
    found = layout.at(path)
    if found is not None and found.git_dir != found.common_dir:
        space = Workspace(found.top, found.git_dir, found.common_dir)
        if space.made_for.is_file():
            return space
    raise VcsError(f"{path} is not the worktree of a run (any more)")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder of ours, made if need be, against other processes. VcsError after 2 min."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        until = SYSTEM.monotonic() + _LOCK_WAIT
        while not _try_lock(handle):
            if SYSTEM.monotonic() > until:
                raise VcsError(f"another process holds {folder} for more than {_LOCK_WAIT:.0f} s")
            time.sleep(0.005)
        yield
    finally:
        os.close(handle)


def write_tree(space: Workspace) -> Tree:
    """Store all files but the ignored ones, durably. Call with the workspace locked."""
    done = _add(space)
    if done.code == 128:
        # A damaged index of ours, after a power cut: begin again from the checkout's.
        space.index.unlink(missing_ok=True)
        done = _add(space)
    if done.code not in (0, 1):
        raise failure(space.top, ("add",), done)
    incomplete = _not_added(done) if done.code == 1 else []
    nested = _nested(space)
    incomplete += [f"{path}: a repository of its own" for path in nested]
    tree = line(git(space.top, *DURABLE, "write-tree", index=space.index))
    return Tree(tree, tuple(incomplete))


def commit(space: Workspace, tree: str, parents: Iterable[str], message: str) -> str:
    """Write a durable commit by Smithers that no ref names yet."""
    flags = [part for parent in parents for part in ("-p", parent)]
    text = message.encode("utf-8", "surrogateescape")
    return line(git(space.top, *DURABLE, "commit-tree", *flags, tree, stdin=text))


def move_ref(space: Workspace, ref: str, new: str, old: str) -> bool:
    """Compare-and-set of a ref, durable; `old` empty: it must not exist. False if it differs."""
    if ref.startswith(("refs/smithers/", "refs/heads/smithers/")):
        # Nobody else moves these while the workspace is ours: a lock is what a killed git left.
        (space.common_dir / f"{ref}.lock").unlink(missing_ok=True)
        for place in _written(space, ref):
            unlink_symlink(place)
    zero = "0" * len(new)
    args = ("update-ref", "--no-deref", ref, new, old or zero)
    done = git(space.top, *DURABLE, *args, check=False)
    if done.code == 0:
        return True
    if re.search(rb"but expected|already exists|unable to resolve reference", done.err):
        return False
    raise failure(space.top, ("update-ref",), done)


def unlink_symlink(place: Path) -> None:
    """Take away what git would write through, into a file that is no part of the repository."""
    if place.is_symlink():
        place.unlink()


def seed(space: Workspace) -> None:
    """Have an index of ours: the kept one, else a copy of the checkout's, so as to hash little."""
    (space.own / f"{space.index.name}.lock").unlink(missing_ok=True)
    if space.index.exists():
        return
    part = space.own / "index.part"
    try:
        # The time of the file decides which entries git has to look at again.
        shutil.copy2(space.git_dir / "index", part)
    except FileNotFoundError:
        return
    part.replace(space.index)


def _written(space: Workspace, ref: str) -> Iterator[Path]:
    """What git writes of a ref of ours in folders that attempts can write, but for the ref itself.

    From above; what is around these folders can be symlinks of the person's.
    """
    if space.git_dir != space.common_dir:
        yield space.git_dir / "logs"
    yield space.git_dir / "logs/HEAD"
    parts = ref.split("/")
    for end in range(parts.index("smithers") + 1, len(parts)):
        yield space.common_dir.joinpath(*parts[:end])
        yield space.common_dir.joinpath("logs", *parts[:end])
    yield space.common_dir / "logs" / ref


def _in_state(top: Path, path: Path) -> bool:
    inside = path.relative_to(top).parts
    return inside[:2] == (".smithers", "state") or (top / "smithers.db").exists()


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _add(space: Workspace) -> Completed:
    seed(space)
    args = ["add", "--all", "--ignore-errors"]
    env = {}
    nested = _nested(space)
    if nested:
        # Git would run `status` in each, with the config that it finds there.
        args += ["--", ":/", *(f":(top,exclude,literal){path}" for path in nested)]
        env = {"GIT_LITERAL_PATHSPECS": "0"}
    return git(space.top, *DURABLE, *args, index=space.index, env=env, check=False)


def _not_added(done: Completed) -> list[str]:
    """Names that git complained about; its words, where it names none."""
    reasons = []
    for text in os.fsdecode(done.err).splitlines():
        empty = re.fullmatch(r"error: '(.+?)/?' does not have a commit checked out", text)
        if empty:
            reasons.append(f"{empty[1]}: a repository of its own without commits")
            continue
        unread = re.fullmatch(r'error: open\("(.+)"\): (.+)', text)
        if unread:
            reasons.append(f"{unread[1]}: {unread[2].lower()}")
    return reasons or [last_words(done)]


def _nested(space: Workspace) -> list[str]:
    """Repositories inside that git stores as a bare commit id, if there are files in them."""
    try:
        content = space.index.read_bytes()
    except FileNotFoundError:
        return []
    if _GITLINK not in content:
        return []
    if content[4:8] == b"\0\0\0\4":
        listing = fields(git(space.top, "ls-files", "--stage", "-z", index=space.index))
        names = {entry.partition("\t")[2] for entry in listing if entry.startswith("160000 ")}
    else:
        names = set(_gitlinks(content))
    return sorted(name for name in names if os.path.lexists(space.top / name / ".git"))


def _gitlinks(content: bytes) -> Iterator[str]:
    """Candidates from an index of version 2 or 3; a chance match gives a name that is no folder."""
    at = content.find(_GITLINK)
    while at >= 0:
        start = at - _ENTRY_MODE_AT
        for name_at in _NAME_AT[False] + _NAME_AT[True]:
            end = content.find(b"\0", start + name_at)
            if start + name_at < end:
                yield os.fsdecode(content[start + name_at : end])
        at = content.find(_GITLINK, at + 1)
