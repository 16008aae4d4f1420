"""A program that leaves behind all it can: `nasty.py PIDS ENDING TRICK…`, run as an agent or a check.

Writes `pid start-time` of each of its processes to the file PIDS, makes PIDS.ready, and then ends
with the code ENDING, or stays if that is `stay`. All that it starts ends by itself after a while.
As ENDING, `look` plays no tricks: it prints those processes in PIDS that live.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

LIFE = 90.0
BOMB = 40
FLOOD = 30_000_000
PIDS = Path(sys.argv[1])


def note(*, leader: bool = False) -> None:
    start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    line = f"{os.getpid()} {start}\n".encode()
    file = os.open(PIDS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)
    os.close(file)
    if leader:
        fresh = PIDS.with_suffix(".new")
        fresh.write_bytes(line)
        fresh.replace(PIDS.with_suffix(".leader"))


def look() -> None:
    for noted in PIDS.read_text().splitlines():
        pid, start = noted.split()
        try:
            state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if rest[18] == start and state not in "ZX":
            sys.stdout.write(f"{noted} {state} {Path(f'/proc/{pid}/status').read_text()}\n")
    sys.stdout.flush()


def sleep() -> None:
    time.sleep(LIFE)


def away(work: Callable[[], None]) -> None:
    """Double fork and a session of its own; returns once the orphan has noted itself."""
    read, write = os.pipe()
    first = os.fork()
    if first:
        os.close(write)
        os.waitpid(first, 0)
        os.read(read, 1)
        os.close(read)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    note()
    os.write(write, b".")
    os.close(write)
    with contextlib.suppress(BaseException):
        work()
    os._exit(0)


def child() -> None:
    if not os.fork():
        note()
        sleep()
        os._exit(0)


def quiet() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    sleep()


def emptied() -> None:
    os.execve("/bin/sleep", ["sleep", f"{LIFE:g}"], {})


def unlimited() -> None:
    """Wash off the limit that marks it, too."""
    resource.setrlimit(resource.RLIMIT_RTTIME, (10**9, resource.RLIM_INFINITY))
    emptied()


def renamed() -> None:
    """Overwrite the memory of the environment, as a program does that sets its title."""
    places = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    for place in places:
        if not place:
            break
        ctypes.memset(place, 0, len(ctypes.string_at(place)))
    sleep()


def flood() -> None:
    block = (b"x" * 999 + b"\n") * 64
    with contextlib.suppress(OSError):
        for _ in range(FLOOD // len(block)):
            os.write(1, block)
    sleep()


def garbage() -> None:
    os.write(1, bytes(range(256)) * 40 + b"\xff\xfe\xc3")
    sleep()


def bomb() -> None:
    for _ in range(BOMB):
        if not os.fork():
            os.setsid()
            note()
            sleep()
            os._exit(0)
    sleep()


def chain() -> None:
    """Never the same process for long: each begins the next one in a new session, and ends."""
    end = time.monotonic() + LIFE
    while time.monotonic() < end:
        time.sleep(0.01)
        if os.fork():
            os._exit(0)
        os.setsid()
        note()


def short() -> None:
    """Leave orphans that end at once."""


TRICKS: dict[str, Callable[[], None]] = {
    "daemon": quiet, "pipes": sleep, "emptied": emptied, "renamed": renamed, "flood": flood,
    "garbage": garbage, "bomb": bomb, "chain": chain, "unlimited": unlimited, "short": short,
}  # fmt: skip


def main(ending: str, tricks: list[str]) -> int:
    if ending == "look":
        look()
        return 0
    note(leader=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if "deaf" in tricks else ():
        signal.signal(number, signal.SIG_IGN)
    if "child" in tricks:
        child()
    for trick in tricks:
        if trick in TRICKS:
            away(TRICKS[trick])
    PIDS.with_suffix(".ready").touch()
    if ending in {"stay", "late"}:
        sleep()
        return 9
    return int(ending)


if __name__ == "__main__":
    # Not by the interpreter's own end: that would wait for nobody, but it would flush and clean up.
    os._exit(main(sys.argv[2], sys.argv[3:]))
