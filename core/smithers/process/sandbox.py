"""A box around a process, made by bubblewrap: what it may see, what it may write, and no more.

Of two mounts the deeper one wins, so that a worktree shows through the run directory around it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from smithers.errors import ConfigError
from smithers.process import home
from smithers.process.run import run

_PROGRAM = "bwrap"
_LOCK = "--disable-userns"
_PROBE = 10.0  # seconds
# Others have none. With that one left, root too can make a box inside the box.
_CAPABILITIES = ("--cap-drop", "ALL", "--cap-add", "CAP_SETFCAP") if os.getuid() == 0 else ()
_BASE = (
    # What holds it dies with the engine, and all that is in it dies with what holds it.
    "--die-with-parent",
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-cgroup-try"),
    *_CAPABILITIES,
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    # Docker, the system bus, agents of keys: a socket can be spoken to on any mount.
    *("--tmpfs", "/run"),
)
_DAEMONS = tuple(
    map(Path, ("/var/lib/incus", "/var/lib/lxd", "/var/snap/lxd/common/lxd")),
)
"""Whoever speaks to their sockets is as good as root."""
_KEPT_OF_RUN = ("/run/current-system", "/run/opengl-driver", "/run/nscd")
_RESOLVER = "/etc/resolv.conf"
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108
ONLY_ITS_OWN = "in its own sandbox alone, which hides nothing: it cannot be made inside ours here"
OUT = "out"
"""In the scratch folder of an attempt: where what is in the box may write."""
_SET = {"TMPDIR": "/tmp"}  # noqa: S108
_NO_GC = {
    # It would fail at what is read-only, with a complaint after each commit.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "gc.auto",
    "GIT_CONFIG_VALUE_0": "0",
}


class Level(StrEnum):
    """From the laxest to the strictest."""

    OFF = "off"
    WORKSPACE = "workspace"
    """Writes in its workspace and in caches; reads all but secrets and other runs."""
    STRICT = "strict"
    """The home is not there, but for programs and the state of the agent itself."""


_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True)
class Box:
    """What one attempt may see and change. Paths may begin with `~`: the home of its process."""

    level: Level
    """Never `off`: that is no box at all."""
    workspace: Path
    scratch: Path
    """A private folder of the attempt, read-only inside but for its `out`.

    Its `tmp` is `/tmp` inside, its `home` a strict one's: so nothing inside can put another folder
    in the place of one that the next turn will have.
    """
    write: tuple[str, ...] = ()
    """Beside the workspace and the caches."""
    read: tuple[str, ...] = ()
    """Shown although what is around it is hidden, and kept read-only in what can be written."""
    hide: tuple[str, ...] = ()
    network: bool = True
    """Without: nothing but a loopback of its own."""


@cache
def unavailable() -> str:
    """Why no box can be made here, for a person; empty if one can."""
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    if shutil.which(_PROGRAM) is None:
        return "bubblewrap (bwrap) is not installed"
    said = _probe(_PROGRAM, *_BASE)
    return f"this system does not let bwrap make one: {said}" if said else ""


@cache
def nests() -> bool:
    """Whether a program in a box can make a box of its own."""
    return not _probe(_PROGRAM, *_BASE, _PROGRAM, *_BASE)


@cache
def _locks() -> bool:
    """Whether bwrap can (0.8) forbid namespaces inside, in which mounts could be taken away."""
    return not _probe(_PROGRAM, *_BASE, _LOCK)


def around(box: Box | None, *, own: bool) -> Box | None:
    """The box, but for a program with one of its `own` where that cannot be made inside ours.

    Raises ConfigError where that would be less than the `strict` that was asked for.
    """
    if box is None or not own or nests():
        return box
    if box.level is Level.STRICT:
        what = "it makes a box of its own, which cannot be made inside a strict one here"
        cure = "use another agent, or level = 'workspace' where it works in its own box alone"
        raise ConfigError(what, kept="the files as they are", next=cure)
    return None


def _probe(*argv: str) -> str:
    """What goes wrong; empty if nothing does."""
    try:
        done = run([*argv, "/bin/sh", "-c", ":"], timeout=_PROBE)
    except (OSError, TimeoutError) as error:
        return str(error)
    said = os.fsdecode(done.err).strip().rpartition("\n")[2].removeprefix("bwrap: ")
    return "" if done.code == 0 else said or f"exit {done.code}"


def strictest(*levels: str) -> str:
    """Of the levels that are named, the strictest; empty if none is."""
    named = [level for level in levels if level]
    return max(named, key=lambda level: _ORDER.index(Level(level)), default="")


def enclose(box: Box, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> list[str]:
    """Make the folders that the box needs, and the command line that runs `argv` in it.

    FileNotFoundError if there is no such program: later it could not be told from its own failure.
    """
    program = _program(argv[0], cwd, env)
    house = home.House.of(env)
    for folder in (*(box.scratch / name for name in ("tmp", "home", OUT)), *house.to_make(argv)):
        folder.mkdir(parents=True, exist_ok=True)
    flags = [*_BASE, *([] if box.network else ["--unshare-net"])]
    flags += [] if house.makes_boxes(argv) or not _locks() else [_LOCK]
    for mount in _mounts(box, argv, program, house):
        flags += mount.flags()
    for name, value in (_SET if "GIT_CONFIG_COUNT" in env else {**_SET, **_NO_GC}).items():
        flags += ["--setenv", name, value]
    # Ours, not one that the PATH of the program leads to.
    warden = shutil.which(_PROGRAM) or _PROGRAM
    return [warden, *flags, "--chdir", os.path.realpath(cwd), "--", *argv]


def refusal(code: int | None, last_words: str) -> str:
    """What bwrap said if it never came to start the program; empty otherwise."""
    words = last_words.strip().rpartition("\n")[2]
    return words if code == 1 and words.startswith(f"{_PROGRAM}: ") else ""


@dataclass(frozen=True, slots=True, order=True)
class _Mount:
    """Sorted, the shallower come first, and on one path what takes most away comes last."""

    depth: int
    rank: int
    path: str
    source: str

    def flags(self) -> list[str]:
        if self.rank == _HIDE:
            return (
                ["--tmpfs", self.path] if not self.source else ["--ro-bind", self.source, self.path]
            )
        return ["--ro-bind" if self.rank == _READ else "--bind", self.source, self.path]


_READ, _WRITE, _HIDE = range(3)


def _mounts(box: Box, argv: Sequence[str], program: Path, house: home.House) -> list[_Mount]:
    strict = box.level is Level.STRICT
    own, caches = house.state(argv), house.caches()
    write = [box.workspace, *house.paths(box.write), *own]
    areas = [*write, *caches]
    write += [] if strict else caches
    read = [*house.paths(box.read), *house.settings(argv), *_of_run()]
    read += _roots(box, program, house, own)
    read += house.tools() if strict else [house.path]
    hide = [*house.paths(box.hide), *house.secrets(argv), *_DAEMONS]
    found = {_mount(path, _WRITE, path) for path in _unmoved(write, areas)}
    found |= {_mount(path, _READ, path) for path in _unmoved(read, areas)}
    found |= {_mount(path, _HIDE, _nothing(path)) for path in _there(hide)}
    found |= {_mount(path, _WRITE, box.scratch / "tmp") for path in _there(_TEMPORARY)}
    found |= {_mount(path, _READ, path) for path in _there([box.scratch])}
    found |= {_mount(path, _WRITE, path) for path in _there([box.scratch / OUT])}
    if strict:
        found.add(_mount(house.path, _WRITE, box.scratch / "home"))
    return sorted({*found, *_pins(found)})


def _roots(box: Box, program: Path, house: home.House, own: list[Path]) -> list[Path]:
    """What the program needs to run, where something hides it or the program could change it."""
    hidden = [*_TEMPORARY, house.path] if box.level is Level.STRICT else _TEMPORARY
    roots = list(home.roots(program))
    shown = [
        root
        for root in roots
        if any(map(root.is_relative_to, hidden)) and not root.is_relative_to(box.workspace)
    ]
    return shown + [root for root in (*roots, program) if any(it in root.parents for it in own)]


def _unmoved(paths: Iterable[Path], areas: Iterable[Path]) -> Iterator[Path]:
    """Those there, resolved, but none that a symlink leads to in what attempts can write.

    An earlier one may have put it there, to be shown what it is to lead to.
    """
    real = {area: Path(os.path.realpath(area)) for area in areas}
    real |= {area: area for area in real.values()}
    for path in paths:
        around = [area for area in real if area in path.parents]
        for found in _there([path]):
            if all(found == real[area] / path.relative_to(area) for area in around):
                yield found


def _pins(mounts: Iterable[_Mount]) -> Iterator[_Mount]:
    """What lies between a mount and the written one around it, mounted on itself.

    What is mounted cannot be renamed: no other folder takes the place of one that holds a mount.
    Raises OSError if an earlier turn has left a symlink where something is to be mounted.
    """
    at = {mount.path: mount for mount in sorted(mounts)}
    for path in map(Path, at):
        holder = next((each for each in path.parents if os.fspath(each) in at), None)
        if holder is None or at[os.fspath(holder)].rank != _WRITE:
            continue
        source = Path(at[os.fspath(holder)].source)
        inner = path.relative_to(holder)
        if source != holder:
            _prepare(source, inner)
        for folder in inner.parents[:-1]:
            yield _mount(holder / folder, _WRITE, source / folder)


def _prepare(source: Path, inner: Path) -> None:
    """Have the folders in which something will be mounted, in a folder that turns write."""
    place = source / inner
    if os.path.realpath(place) != os.path.join(os.path.realpath(source), inner):  # noqa: PTH118
        raise OSError(errno.ELOOP, "a symlink lies where its sandbox mounts something", str(place))
    place.parent.mkdir(parents=True, exist_ok=True)


def _mount(path: Path, rank: int, source: Path | str) -> _Mount:
    return _Mount(len(path.parts), rank, os.fspath(path), os.fspath(source))


def _nothing(path: Path) -> str:
    return "" if os.path.isdir(path) else os.devnull  # noqa: PTH112 - never an error


def _there(paths: Iterable[Path]) -> Iterator[Path]:
    """Those that exist, with symlinks resolved: bwrap mounts on no symlink."""
    for path in paths:
        if os.path.exists(path):  # noqa: PTH110 - False where it may not be looked at
            yield Path(os.path.realpath(path))


def _of_run() -> list[Path]:
    """What programs need of `/run`, which is hidden: names, and libraries of NixOS."""
    resolver = Path(os.path.realpath(_RESOLVER))
    kept = [Path(path) for path in _KEPT_OF_RUN]
    return [*kept, resolver.parent] if resolver.is_relative_to("/run") else kept


def _program(name: str, cwd: Path, env: Mapping[str, str]) -> Path:
    where = os.fspath(cwd / name) if "/" in name else name
    found = shutil.which(where, path=env.get("PATH", os.defpath))
    if found is None:
        raise FileNotFoundError(2, "no such program", name)
    return Path(found)
