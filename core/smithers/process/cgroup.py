"""The third mark: a cgroup of its own for each attempt, where this process may make one.

It is the one that a program cannot wash off by what it sets for itself.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path

_NAME = re.compile(rb"/smithers-([0-9a-f]{12})(?![^/\s])")


class Containment(StrEnum):
    """What holds the processes of attempts that are started from here together."""

    CGROUP = "cgroup"
    """Nothing gets away but what another service starts or what moves itself on purpose."""
    LIMIT = "limit"
    """Linux: what empties its environment and sets `RLIMIT_RTTIME` itself can get away."""
    ENVIRONMENT = "environment"
    """Elsewhere: what empties its environment and leaves its session can get away."""


def containment() -> Containment:
    """Tell what is in force for engines that this process starts."""
    if sys.platform != "linux":
        return Containment.ENVIRONMENT
    return Containment.LIMIT if home() is None else Containment.CGROUP


@cache
def home() -> Path | None:
    """Our own cgroup of version 2, if we may make others in it.

    Empty ones that a dead engine left there are removed.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
        found = locate(mounts, Path("/proc/self/cgroup").read_bytes())
        if found is None or not os.access(found, os.W_OK | os.X_OK):
            return None
        if not os.access(found / "cgroup.procs", os.W_OK):
            return None
        for left in found.glob("smithers-*"):
            with suppress(OSError):
                left.rmdir()
    except OSError:
        return None
    return found


def locate(mounts: bytes, cgroup: bytes) -> Path | None:
    """Find the folder of a process from its `mountinfo` and `cgroup`. Pure."""
    own = next((line[3:] for line in cgroup.splitlines() if line.startswith(b"0::/")), None)
    for line in mounts.splitlines():
        before, _, after = line.partition(b" - ")
        fields = before.split()
        if own is not None and after.startswith(b"cgroup2 ") and fields[3] == b"/":
            return Path(os.fsdecode(fields[4])) / os.fsdecode(own).lstrip("/")
    return None


def join(folder: Path, token: int) -> None:
    """Move the calling process into the attempt's cgroup; meant for a child before exec.

    Quietly not, if that cannot be: two marks are left.
    """
    own = f"{folder}/{_name(token)}"
    for _ in range(2):  # somebody who tidies may take away the empty folder in between
        with suppress(OSError):
            with suppress(FileExistsError):
                os.mkdir(own)  # noqa: PTH102
            with open(f"{own}/cgroup.procs", "wb", buffering=0) as file:  # noqa: PTH123
                file.write(b"0")
            return


def kill(token: int) -> None:
    """Kill all in the attempt's cgroup at once, however fast it forks."""
    folder = home() if sys.platform == "linux" else None
    if folder is not None:
        with suppress(OSError):
            (folder / _name(token) / "cgroup.kill").write_bytes(b"1")


def remove(token: int) -> None:
    """Remove the attempt's cgroup, if all that was in it is dead."""
    folder = home() if sys.platform == "linux" else None
    if folder is not None:
        with suppress(OSError):
            (folder / _name(token)).rmdir()


def tokens_of_path(cgroup: bytes) -> set[int]:
    """Read the tokens in `/proc/PID/cgroup`: one for each attempt around the process."""
    return {int(token, 16) for token in _NAME.findall(cgroup)}


def _name(token: int) -> str:
    return f"smithers-{token:012x}"
