"""Where the run directory is, or would be; and how it is made."""

from __future__ import annotations

import os
import re
from pathlib import Path

from smithers.clock import SYSTEM
from smithers.errors import StoreError
from smithers.service.safe import line
from smithers.store import database
from smithers.vcs import layout

NAME = ".smithers"
OVERRIDE = "SMITHERS_DIR"

_WAY_OUT = f"set {OVERRIDE} to a folder on a local disk that you can write to"
_NETWORK = frozenset(
    {"nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "fuse.sshfs", "9p", "virtiofs"}
)
"""No shared memory between the hosts that mount it: SQLite's WAL would be torn."""


def find_root(start: Path) -> Path:
    """The folder that holds `.smithers`: `$SMITHERS_DIR`, else upwards from `start`.

    Seen from inside a worktree, its main checkout counts. Where there is none: the top of the git
    work tree, else `start`; `exists` tells the two apart.
    """
    override = os.environ.get(OVERRIDE)
    if override:
        path = Path(override).expanduser().absolute()
        return path.parent if path.name == NAME else path
    start = Path(os.path.realpath(start))
    checkout = layout.find(start)
    top = checkout.top if checkout else start
    if checkout and checkout.git_dir != checkout.common_dir and checkout.common_dir.name == ".git":
        main = checkout.common_dir.parent
        start, top = main / start.relative_to(top), main
    for folder in (start, *start.parents):
        if (folder / NAME).is_dir():
            return folder
    return top


def state_dir(root: Path) -> Path:
    """Where database, logs, locks and worktrees are."""
    return root / NAME / "state"


def exists(root: Path) -> bool:
    """Whether a run directory with a database is there."""
    return (state_dir(root) / database.NAME).is_file()


def ensure(root: Path) -> None:
    """Make what is missing of the run directory; harmless if nothing is.

    Raises StoreError where it cannot be written, or lies on a network file system.
    """
    state = state_dir(root)
    refuse_network(state)
    try:
        _make(root / NAME, state)
    except OSError as error:
        raise StoreError(
            f"cannot make {line(str(state))} ({error.strerror})",
            kept="everything as it was",
            next=_WAY_OUT,
        ) from error
    database.create(state, store_id=f"{SYSTEM.token():012x}")


def _make(home: Path, state: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    _ignore_state(home / ".gitignore")
    state.mkdir(mode=0o700, exist_ok=True)
    if state.stat().st_mode & 0o077:
        state.chmod(0o700)
    for name in ("logs", "engines", "worktrees"):
        (state / name).mkdir(exist_ok=True)
    _shield(state / ".git")
    if not os.access(state, os.W_OK | os.X_OK):
        raise PermissionError(13, "Permission denied", str(state))


def _ignore_state(path: Path) -> None:
    """Keep the state out of the user's commits, whatever else the file says."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    if "state/" not in text.split("\n"):
        joint = "" if not text or text.endswith("\n") else "\n"
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{joint}state/\n")


def _shield(git: Path) -> None:
    """Make the state a repository of its own, which `git clean -fdx` in the checkout passes by.

    Written by hand, exactly what git asks of a repository: needs no git, runs no template or hook.
    """
    for name in ("objects", "refs"):
        (git / name).mkdir(parents=True, exist_ok=True)
    head = git / "HEAD"
    if not head.exists():
        head.write_text("ref: refs/heads/none\n", encoding="ascii")


def refuse_network(state: Path) -> None:
    """Raises StoreError where the database would lie on a network or shared file system."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    kind = file_system(state.resolve(), mounts)
    if kind in _NETWORK:
        raise StoreError(
            f"{line(str(state))} lies on a network or shared file system ({kind}), "
            "where SQLite can lose data",
            kept="nothing was written",
            next=_WAY_OUT,
        )


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system under `path`, by the text of `/proc/mounts`; empty if unknown."""
    best, kind = -1, ""
    for entry in mounts.splitlines():
        fields = entry.split(" ")
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[1]))
        # Of mounts on one point the last covers the others.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind
