"""Which process is this, and does it still live: identity that a reused pid cannot take over."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path

from smithers.model.run import Owner
from smithers.process import table

if sys.platform != "linux":
    import ctypes

    import psutil

# Elsewhere than on Linux the start time is wall clock and moves when that is set.
_TOLERANCE = 0 if sys.platform == "linux" else 2000


class Life(StrEnum):
    ALIVE = "alive"
    SUSPENDED = "suspended"
    """Stopped by a signal: may go on at any time, so it is never replaced."""
    DEAD = "dead"
    ELSEWHERE = "elsewhere"
    """On another machine or in another pid namespace: only the expiry of its lease counts."""


def me() -> Owner:
    """Describe the calling process."""
    pid = os.getpid()
    entry = table.read(pid)
    return Owner(
        host=_host(),
        boot_id=_boot_id(),
        pid_ns=_pid_namespace(),
        pid=pid,
        start_time=entry.start_time if entry else 0,
    )


def life(owner: Owner) -> Life:
    """Whether the process that `owner` describes still lives, as far as can be seen from here."""
    here = Owner(_host(), _boot_id(), _pid_namespace(), os.getpid(), 0)
    return judge(owner, here, table.read(owner.pid))


def judge(owner: Owner, here: Owner, entry: table.Entry | None) -> Life:
    """Judge `owner` from what is seen `here` under its pid. Pure."""
    if owner.boot_id != here.boot_id:
        return Life.DEAD if owner.host == here.host else Life.ELSEWHERE
    if owner.pid_ns != here.pid_ns:
        return Life.ELSEWHERE
    if entry is None or entry.dead or not same_start(entry.start_time, owner.start_time):
        return Life.DEAD
    return Life.SUSPENDED if entry.state in {"T", "t"} else Life.ALIVE


def same_start(seen: int, noted: int) -> bool:
    """Whether two start times are of one process."""
    return abs(seen - noted) <= _TOLERANCE


def signal_owner(owner: Owner, sig: int) -> bool:
    """Send a signal to exactly that process. False if it is dead, elsewhere, or not ours."""
    if life(owner) not in {Life.ALIVE, Life.SUSPENDED}:
        return False
    with held(owner.pid) as handle:
        return send(owner.pid, owner.start_time, sig, handle)


@contextmanager
def held(pid: int) -> Iterator[int | None]:
    """Hold a pidfd, which stays with its process; None where there is none, or the pid is gone."""
    handle = open_handle(pid)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def open_handle(pid: int) -> int | None:
    """Open a pidfd for the caller to close; None where there is none, or the pid is gone."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def send(pid: int, start_time: int, sig: int, handle: int | None) -> bool:
    """Signal `pid` if it is still the process that started then; compared after taking hold."""
    entry = table.read(pid)
    if entry is None or entry.dead or not same_start(entry.start_time, start_time):
        return False
    try:
        if sys.platform == "linux" and handle is not None:
            signal.pidfd_send_signal(handle, sig)
        else:
            os.kill(pid, sig)
    except (ProcessLookupError, PermissionError):
        return False
    return True


@cache
def _host() -> str:
    """Name of this machine, with the start of its machine id where it has one."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip()[:8]
    except OSError:
        machine = ""
    name = os.uname().nodename
    return f"{name}/{machine}" if machine else name


@cache
def _boot_id() -> str:
    if sys.platform == "linux":
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    else:  # noqa: RET505 a type checker for Linux must not look in here
        size = ctypes.c_size_t(64)
        buffer = ctypes.create_string_buffer(size.value)
        name = b"kern.bootsessionuuid"
        libc = ctypes.CDLL(None)
        if libc.sysctlbyname(name, buffer, ctypes.byref(size), None, ctypes.c_size_t(0)) == 0:
            return buffer.value.decode("ascii")
        return str(round(psutil.boot_time()))


@cache
def _pid_namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0
