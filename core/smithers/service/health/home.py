"""The run directory as a folder: there, private, shielded, on a disk that SQLite can trust."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from smithers import config
from smithers.engine import room
from smithers.errors import ConfigError, StoreError, StoreFull
from smithers.service import locate
from smithers.service.health.finding import FIX, Finding, shown
from smithers.service.safe import line
from smithers.store.database import NAME
from smithers.store.upkeep import FILES

_LEAST_FREE = 200 * 1024 * 1024


def folder(root: Path) -> Iterator[Finding]:
    """Whether it is there, can be written, and by nobody else."""
    name = "run directory"
    if not locate.exists(root):
        yield Finding(name, "warning", line(f"none in {shown(root)} yet"), "smithers init")
        return
    state = locate.state_dir(root)
    quoted = shlex.quote(str(state))
    open_to_others = [path for path in _private(state) if path.stat().st_mode & 0o077]
    if not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        detail = line(f"{shown(state)} cannot be written")
        yield Finding(name, "failed", detail, f"chmod -R u+rwX {quoted}")
    elif open_to_others:
        detail = line(f"{shown(open_to_others[0])} is open to others")
        # Whoever opens the database makes its other files as open as it is itself.
        cure = f"chmod go-rwx {quoted} {quoted}/{NAME}*"
        yield Finding(name, "warning", detail, cure, lambda: _close(_private(state)))
    else:
        yield Finding(name, "ok", shown(state))
    yield _shield(root, state)


def _private(state: Path) -> list[Path]:
    files = (state / name for name in FILES)
    return [state, *(path for path in files if path.exists())]


def _close(paths: list[Path]) -> None:
    for path in paths:
        path.chmod(path.stat().st_mode & 0o700)


def _shield(root: Path, state: Path) -> Finding:
    """Against the `git clean` of an agent, and against being committed."""
    git = state / ".git"
    ignored = root / locate.NAME / ".gitignore"
    whole = (git / "HEAD").is_file() and all((git / each).is_dir() for each in ("objects", "refs"))
    if whole and ignored.is_file() and "state/" in ignored.read_text(errors="replace").split("\n"):
        return Finding("shield", "ok", line("git clean and git add pass the state by"))
    detail = line("a git clean or git add in the checkout would take the state with it")
    return Finding("shield", "warning", detail, "smithers init", lambda: locate.ensure(root))


def network(root: Path) -> Iterator[Finding]:
    """A file system without shared memory between its hosts."""
    try:
        locate.refuse_network(locate.state_dir(root))
    except StoreError as error:
        yield Finding("file system", "failed", line(error.what), error.next)


def configuration(root: Path) -> Iterator[Finding]:
    """Whether config.toml says what can be."""
    try:
        config.load(root)
    except ConfigError as error:
        yield Finding("config", "failed", line(error.what), str(line(error.next)))


def sandbox_level(root: Path) -> str:
    """What config asks of the sandbox; empty if it says nothing that can be read."""
    try:
        return config.load(root).sandbox.level
    except ConfigError:
        return ""


def disk(root: Path, *, least: int = _LEAST_FREE) -> Iterator[Finding]:
    """Room for what engines write; `least` bytes."""
    free = shutil.disk_usage(locate.state_dir(root)).free
    detail = line(f"{free // 2**20:,} MB free")
    if free < least:
        yield Finding("disk", "warning", detail, "smithers gc")
    else:
        yield Finding("disk", "ok", detail)


def reserve(root: Path) -> Iterator[Finding]:
    """What an engine sets aside at its start: room for saying that the disk is full."""
    state = locate.state_dir(root)
    if any((state / "engines").glob("*.lock")) and room.lacks_reserve(state):
        detail = line(f"{room.RESERVE} is missing or short: a full disk could not be recorded")
        yield Finding("reserve", "warning", detail, FIX, lambda: _set_aside(state))


def _set_aside(state: Path) -> None:
    if not room.have_reserve(state):
        raise StoreFull("there is no room for it", next="smithers gc")
