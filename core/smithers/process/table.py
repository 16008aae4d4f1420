"""The table of processes as the system shows it: from `/proc`, and from psutil where there is none.

Every answer is a moment old. Whoever acts on one compares the start time after taking hold.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smithers.process.cgroup import tokens_of_path
from smithers.process.marks import VARIABLE, token_of_limit, token_of_variable

if sys.platform != "linux":
    import psutil

_PROC = Path("/proc")
_PART = 1 << 14  # bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One process."""

    pid: int
    parent: int
    session: int
    state: str
    """Letter of `ps`: `Z` and `X` are dead, `T` is stopped."""
    start_time: int
    """Linux: clock ticks since boot. Elsewhere: milliseconds since 1970."""

    @property
    def dead(self) -> bool:
        return self.state in {"Z", "X"}


def parse_stat(pid: int, stat: bytes) -> Entry:
    """Read `/proc/PID/stat`. The name may hold spaces and brackets: fields start after the last."""
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Entry(
        pid=pid,
        state=fields[0].decode("ascii"),
        parent=int(fields[1]),
        session=int(fields[3]),
        start_time=int(fields[19]),
    )


def everything() -> dict[int, Entry]:
    """All processes that can be seen, by pid; those that end meanwhile are left out."""
    return {pid: entry for pid in pids() if (entry := read(pid)) is not None}


if sys.platform == "linux":

    def pids() -> Iterator[int]:
        """Ids of all processes."""
        return (int(name) for name in os.listdir(_PROC) if name.isdigit())  # noqa: PTH208

    def exists(pid: int) -> bool:
        """Whether there is such a process, dead ones included."""
        return os.path.exists(f"/proc/{pid}")  # noqa: PTH110

    def read(pid: int) -> Entry | None:
        """One process, or None if it is gone."""
        stat = _bytes(pid, "stat")
        return parse_stat(pid, stat) if stat else None

    def tokens(pid: int) -> set[int]:
        """Tokens of the marks that a process carries; none if it may not be looked at."""
        found = {_token_of_limits(_bytes(pid, "limits")), _token_of_environ(_bytes(pid, "environ"))}
        own = {token for token in found if token is not None}
        return own | tokens_of_path(_bytes(pid, "cgroup"))

    def children(pid: int) -> set[int]:
        """Direct children of a process, dead ones included."""
        found: set[int] = set()
        try:
            threads = os.listdir(_PROC / str(pid) / "task")  # noqa: PTH208
        except OSError:
            return found
        for thread in threads:
            found.update(map(int, _bytes(pid, f"task/{thread}/children").split()))
        return found

    def innermost(pid: int) -> Entry | None:
        """The program in the pid namespace that `pid` made: there the first is its warden."""
        for warden in children(pid):
            for inner in children(warden):
                _, found, rest = _bytes(inner, "status").partition(b"\nNSpid:")
                if found and rest.split(b"\n", 1)[0].split()[-1] == b"2":
                    return read(inner)
        return None

    def _bytes(pid: int, name: str) -> bytes:
        # A sweep reads a thousand of these: file objects would cost twice as much.
        found = b""
        try:
            file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return found
        try:
            while part := os.read(file, _PART):
                found += part
        except OSError:
            return b""
        finally:
            os.close(file)
        return found

    def _token_of_limits(limits: bytes) -> int | None:
        _, found, rest = limits.partition(b"Max realtime timeout")
        soft = rest.split(maxsplit=1)[0] if found else b""
        return token_of_limit(int(soft)) if soft.isdigit() else None

    def _token_of_environ(environ: bytes) -> int | None:
        prefix = f"{VARIABLE}=".encode()
        for variable in environ.split(b"\0"):
            if variable.startswith(prefix):
                return token_of_variable(variable[len(prefix) :].decode(errors="replace"))
        return None

else:
    _LETTERS = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_DEAD: "X", psutil.STATUS_STOPPED: "T"}

    def pids() -> Iterator[int]:
        """Ids of all processes."""
        return iter(psutil.pids())

    def exists(pid: int) -> bool:
        """Whether there is such a process, dead ones included."""
        return psutil.pid_exists(pid)

    def read(pid: int) -> Entry | None:
        """One process, or None if it is gone."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                return Entry(
                    pid=pid,
                    parent=process.ppid() or 0,
                    session=_session(pid),
                    state=_LETTERS.get(process.status(), "S"),
                    start_time=round(process.create_time() * 1000),
                )
        except psutil.Error:
            return None

    def tokens(pid: int) -> set[int]:
        """Tokens of the marks that a process carries; none if it may not be looked at."""
        try:
            value = psutil.Process(pid).environ().get(VARIABLE, "")
        except (psutil.Error, OSError):
            return set()
        token = token_of_variable(value)
        return set() if token is None else {token}

    def children(pid: int) -> set[int]:
        """Direct children of a process, dead ones included."""
        return {entry.pid for entry in everything().values() if entry.parent == pid}

    def innermost(pid: int) -> Entry | None:  # noqa: ARG001
        """The program in the pid namespace that `pid` made: here there are none."""
        return None

    def _session(pid: int) -> int:
        try:
            return os.getsid(pid)
        except OSError:
            return 0
