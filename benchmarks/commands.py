"""Whole commands, timed from outside."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil

import smithers
import smithers_recipes
import smithers_tui

REPOSITORY = Path(__file__).parents[1]
PYTHON = sys.executable
FLOOR = (PYTHON, "-c", "pass")
LIBRARIES = (PYTHON, "-c", "import asyncio, sqlite3")
"""What any program of this kind has to load."""


class Pair(NamedTuple):
    """Medians in milliseconds, and the median of the ratios of neighbours."""

    measured: float
    reference: float
    ratio: float


def command(*words: str) -> tuple[str, ...]:
    """The installed command if there is one, else the module."""
    installed = Path(PYTHON).with_name("smithers")
    start = (str(installed),) if installed.exists() else (PYTHON, "-m", "smithers.cli")
    return (*start, *words)


def seconds(argv: Sequence[str], cwd: Path) -> float:
    """From its start to its end. Raises CalledProcessError."""
    began = time.monotonic()
    subprocess.run(argv, cwd=cwd, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - began


def side_by_side(argv: Sequence[str], reference: Sequence[str], cwd: Path, times: int) -> Pair:
    """Both, in turn."""
    pairs = [(seconds(argv, cwd) * 1e3, seconds(reference, cwd) * 1e3) for _ in range(times)]
    return Pair(
        median(ours for ours, _ in pairs),
        median(theirs for _, theirs in pairs),
        median(ours / theirs for ours, theirs in pairs),
    )


def printed(argv: Sequence[str]) -> int:
    """The number that a program of this package prints."""
    done = subprocess.run(argv, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return int(done.stdout)


def megabytes(pid: int) -> float:
    """The most that the process has held in memory, or holds where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def as_installed() -> None:
    """Start everything as a user's would be: outside any run, and from compiled modules."""
    for name in list(os.environ):
        # Inside an attempt no engine is started; without bytecode each start compiles what changed.
        if name.startswith("SMITHERS_") or name == "PYTHONDONTWRITEBYTECODE":
            del os.environ[name]
    for package in (smithers, smithers_recipes, smithers_tui):
        for folder in package.__path__:
            compileall.compile_dir(folder, quiet=2)
