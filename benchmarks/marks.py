"""What the steps of a run wrote down as they began."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Mark(NamedTuple):
    number: int
    at: int
    """Nanoseconds of the monotonic clock, which all processes of a machine share."""
    cpu: int
    """Nanoseconds of processor time of the engine so far."""


def read(path: Path) -> list[Mark]:
    if not path.exists():
        return []
    whole = path.read_text(encoding="ascii").rpartition("\n")[0]
    return [Mark(*map(int, line.split())) for line in whole.splitlines()]


def wait_for(path: Path, count: int, *, within: float = 120.0) -> list[Mark]:
    """The marks, once there are so many. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while len(found := read(path)) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} holds {len(found)} marks, not {count}")
        time.sleep(0.002)
    return found


def wait_for_growth(path: Path, size: int, *, within: float = 120.0) -> None:
    """Until the file is longer. Cheaper than reading all of it again and again."""
    deadline = time.monotonic() + within
    while not path.exists() or path.stat().st_size <= size:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} does not grow")
        time.sleep(0.001)


def pace(marks: Sequence[Mark]) -> tuple[float, float]:
    """Milliseconds a step, of time and of processor."""
    steps = len(marks) - 1
    return (
        (marks[-1].at - marks[0].at) / steps / 1e6,
        (marks[-1].cpu - marks[0].cpu) / steps / 1e6,
    )


def typical(marks: Sequence[Mark]) -> float:
    """Milliseconds of the step in the middle: a stall of the disk does not move it."""
    return median(later.at - earlier.at for earlier, later in pairwise(marks)) / 1e6
