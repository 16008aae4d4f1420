"""Is there a person at the terminal? Keeps out agents that do not attack it, and no others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

_MARK = b"SMITHERS_RUN="
_RLIMIT = "Max realtime timeout"
_RLIMIT_MARK = 2**62
_PROC = Path("/proc")


def doubt() -> str:
    """Why nobody can be taken for a person here; empty where one can."""
    return _no_terminal() or _inside_a_run()


def _no_terminal() -> str:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return "standard input and error are no terminal"
    try:
        tty = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return "there is no controlling terminal"
    try:
        if os.tcgetpgrp(tty) != os.getpgrp():
            return "this is not the terminal's foreground process"
    except OSError:
        return "the terminal does not say who is in its foreground"
    finally:
        os.close(tty)
    return ""


def _inside_a_run() -> str:
    if "SMITHERS_RUN" in os.environ:
        return "this process belongs to a run"
    if not _PROC.joinpath("self", "stat").exists():
        return _inside_by_psutil()
    if _limit_is_marked():
        return "this process belongs to a run"
    for pid in _lineage():
        found = _suspicion(pid)
        if found:
            return found
    return ""


def _limit_is_marked() -> bool:
    """The mark of an attempt that an emptied environment does not wash off: a limit."""
    for line in _PROC.joinpath("self", "limits").read_text().splitlines():
        if line.startswith(_RLIMIT):
            soft = line[len(_RLIMIT) :].split()[0]
            return soft.isdecimal() and int(soft) >= _RLIMIT_MARK
    return False


def _lineage() -> Iterator[int]:
    """Ids of our process and its ancestors, nearest first."""
    pid = os.getpid()
    while pid > 0:
        yield pid
        try:
            stat = _PROC.joinpath(str(pid), "stat").read_bytes()
        except OSError:
            return
        # The name in parentheses may hold anything; the parent is the second field after it.
        pid = int(stat.rpartition(b")")[2].split()[1])


def _suspicion(pid: int) -> str:
    folder = _PROC / str(pid)
    try:
        environ = folder.joinpath("environ").read_bytes()
    except FileNotFoundError:
        return ""
    except OSError:
        # The first process of a container may hold more rights than we do, and is no attempt's.
        own = pid != 1 and folder.stat().st_uid == os.getuid()
        return f"process {pid} above this one cannot be looked into" if own else ""
    marked = any(entry.startswith(_MARK) for entry in environ.split(b"\0"))
    return "this process was started from inside a run" if marked else ""


def _inside_by_psutil() -> str:
    import psutil  # noqa: PLC0415

    own = os.getuid()
    for process in [psutil.Process(), *psutil.Process().parents()]:
        try:
            if process.uids().real == own and "SMITHERS_RUN" in process.environ():
                return "this process was started from inside a run"
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            return f"process {process.pid} above this one cannot be looked into"
    return ""
