"""What nasty programs have left behind, for the tests and for the storm."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection
from pathlib import Path

from smithers.process import cgroup, sweep, table
from smithers.process.cgroup import Containment
from smithers.store import runs
from tests.running import Workshop

PROGRAM = Path(__file__).with_name("nasty.py")
TRICKS = (
    "deaf", "child", "daemon", "pipes", "emptied", "renamed", "flood", "garbage", "bomb", "chain",
    "short",
)  # fmt: skip


def all_tricks() -> tuple[str, ...]:
    """Those from which the system we run on lets nobody get away."""
    held = cgroup.containment() is Containment.CGROUP
    return (*TRICKS, "unlimited") if held else TRICKS


def nasty(out: Path, name: str, ending: str, tricks: Collection[str]) -> str:
    """A command line that plays these tricks."""
    pids = out / f"{name}.pids"
    return shlex.join([sys.executable, "-S", str(PROGRAM), str(pids), ending, *tricks])


def noted(out: Path, name: str) -> set[tuple[int, int]]:
    """Processes that the program has had: pid and start time."""
    path = out / f"{name}.pids"
    lines = path.read_text().splitlines() if path.exists() else []
    return {(int(pid), int(start)) for pid, start in (line.split() for line in lines)}


def living(processes: Collection[tuple[int, int]]) -> list[str]:
    """Those that are still there, as text."""
    found = []
    for pid, start in processes:
        entry = table.read(pid)
        if entry is not None and not entry.dead and entry.start_time == start:
            found.append(f"{pid} {command(pid)}")
    return found


def survivors(workshop: Workshop, name: str, run: str) -> list[str]:
    """Processes of the run's attempts: by what they noted, and by their marks."""
    tokens = {
        attempt.token
        for attempts in runs.facts(workshop.db.reader, run).attempts.values()
        for attempt in attempts
    }
    marked = [f"{pid} {command(pid)} (marked)" for pid in sweep.find(tokens)]
    return living(noted(workshop.out, name)) + marked


def zombies(pid: int) -> list[int]:
    """Dead children that nobody has collected."""
    entries = [table.read(child) for child in table.children(pid)]
    return [entry.pid for entry in entries if entry is not None and entry.dead]


def memory(pid: int) -> float:
    """Most megabytes that a process has had in memory; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return float(status.partition("VmHWM:")[2].split()[0]) / 1000 if "VmHWM:" in status else 0.0


def command(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace")[:200]
