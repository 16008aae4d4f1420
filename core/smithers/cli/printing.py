"""Text for people: columns, signs, times, colour, and the only way out to stdout and stderr."""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

from smithers.cli.screen import screen_width
from smithers.clock import SYSTEM
from smithers.model.run import RunStatus
from smithers.model.step import StepStatus

RUN_SIGNS = {
    RunStatus.QUEUED: "○",
    RunStatus.RUNNING: "●",
    RunStatus.WAITING: "!",
    RunStatus.PAUSED: "‖",
    RunStatus.INTERRUPTED: "~",
    RunStatus.SUCCEEDED: "✓",
    RunStatus.FAILED: "×",
    RunStatus.CANCELLED: "⊘",
    RunStatus.SUPERSEDED: "⊘",
}
STEP_SIGNS = {
    StepStatus.PENDING: "·",
    StepStatus.READY: "○",
    StepStatus.RUNNING: "●",
    StepStatus.WAITING: "!",
    StepStatus.RETRYING: "↻",
    StepStatus.SUCCEEDED: "✓",
    StepStatus.FAILED: "×",
    StepStatus.SKIPPED: "–",
    StepStatus.CANCELLED: "⊘",
}
# Colour only repeats what sign and word say already.
_COLOURS = {"✓": "32", "×": "31", "!": "33", "●": "36", "~": "35", "+": "32", "-": "31", "@": "36"}
_DIM = "2"


def out(text: str) -> None:
    """A line of result."""
    _write(sys.stdout, text)


def note(text: str) -> None:
    """A line of progress or prose: never mixed into results."""
    _write(sys.stderr, text)


def ask(question: str) -> str:
    """What a person types at the terminal, stripped; nothing when they end the input."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


def stop_writing() -> None:
    """Nobody reads any more. Python would complain once more when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
    os.close(nowhere)


def tint(text: str, sign: str, stream: TextIO | None = None) -> str:
    """The text in the colour of a sign, where the stream is a terminal that shows colour."""
    code = _COLOURS.get(sign, _DIM if sign == "dim" else "")
    return f"\x1b[{code}m{text}\x1b[0m" if code and colourful(stream or sys.stdout) else text


def colourful(stream: TextIO) -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and stream.isatty()


def run_state(status: RunStatus, width: int = 0) -> str:
    """`● running`, padded to a width."""
    sign = RUN_SIGNS[status]
    return tint(f"{sign} {status}".ljust(width), sign)


def step_state(status: StepStatus, width: int = 0) -> str:
    sign = STEP_SIGNS[status]
    return tint(f"{sign} {status}".ljust(width), sign)


def cells(text: str) -> int:
    """Columns that a terminal gives to a text."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(sign) for sign in text)


def _cells_of(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def fit(text: str, width: int) -> str:
    """The text in exactly so many columns: padded, or cut with `…`."""
    used = cells(text)
    if used <= width:
        return text + " " * (width - used)
    kept, used = "", 1
    for sign in text:
        used += _cells_of(sign)
        if used > width:
            break
        kept += sign
    return f"{kept}…" + " " * (width - 1 - cells(kept))


def wrapped(text: str, *, indent: int = 0, hang: int = 0) -> list[str]:
    """Lines no wider than the screen and set in; those that a break makes, by `hang` more."""
    from textwrap import wrap  # noqa: PLC0415

    first, later = " " * indent, " " * (indent + hang)
    lines: list[str] = []
    for each in text.split("\n"):
        begin = later if lines else first
        lines += wrap(each, screen_width(), initial_indent=begin, subsequent_indent=later) or [""]
    return lines


def table(rows: Sequence[Sequence[str]], *, least: Sequence[int], width: int) -> list[str]:
    """Columns two spaces apart, as wide as they need; the widest give way down to `least`."""
    sizes = [max((cells(row[i]) for row in rows), default=0) for i in range(len(least))]
    over = sum(sizes) + 2 * (len(sizes) - 1) - width
    while over > 0:
        room = [size - small for size, small in zip(sizes, least, strict=True)]
        widest = max(range(len(sizes)), key=room.__getitem__)
        if room[widest] <= 0:
            break
        sizes[widest] -= 1
        over -= 1
    return ["  ".join(map(fit, row, sizes)).rstrip() for row in rows]


def duration(seconds: float) -> str:
    """`4s`, `2m04s`, `1h03m`, `3d04h`."""
    whole = max(0, int(seconds))
    for unit, small, size, part in (
        ("d", "h", 86400, 3600),
        ("h", "m", 3600, 60),
        ("m", "s", 60, 1),
    ):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // part:02d}{small}"
    return f"{whole}s"


def age(ms: int) -> str:
    """How long ago, in one unit: `4s`, `2m`, `3h`, `5d`."""
    seconds = max(0, SYSTEM.now() - ms) // 1000
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def took(started: int | None, finished: int | None) -> str:
    """Length of what began then; until now where it has not ended."""
    if started is None:
        return ""
    return duration(((finished or SYSTEM.now()) - started) / 1000)


def clock_time(ms: int) -> str:
    """`10:02:11`, in the time of this machine."""
    return time.strftime("%H:%M:%S", time.localtime(ms / 1000))


def day_and_time(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000))


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def coloured_patch(patch: str, stream: TextIO | None = None) -> Iterable[str]:
    """The lines of a patch, each in the colour of what it says."""
    for line in patch.split("\n"):
        head = line.startswith(("+++", "---", "diff ", "index "))
        yield tint(line, "dim" if head else line[:1], stream)
