"""The terminal app over ten thousand runs: first paint, keys, memory, and what idling uses."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median, quantiles

import psutil

from benchmarks import commands
from benchmarks.crowd import crowd
from benchmarks.project import Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings
from benchmarks.terminal import Terminal

KEYS = 60
IDLE_SECONDS = 5.0


def rows(settings: Settings) -> Iterator[Row]:
    known = budgets()
    project = Project(settings.place("app"))
    count = settings.size(10_000)
    title = crowd(project, count)
    paints, floors = [], []
    for _ in range(settings.repeats):
        floors.append(commands.seconds(commands.LIBRARIES, project.root))
        terminal = Terminal(commands.command(), project.root)
        try:
            paints.append(terminal.expect(title))
        finally:
            terminal.close()
    yield Row(
        f"app: first paint, {count:,} runs",
        median(paints),
        "s",
        reference=median(floors),
        beside="import asyncio, sqlite3",
        ratio=median(one / other for one, other in zip(paints, floors, strict=True)),
        budget=known["first_paint"],
        count=len(paints),
    )
    terminal = Terminal(commands.command(), project.root)
    try:
        terminal.expect(title)
        terminal.drain(1.0)
        keys = _keys(terminal)
        idle = _idle(terminal)
        memory = float(psutil.Process(terminal.pid).memory_info().rss) / 2**20
    finally:
        terminal.close()
    yield Row("app: key to paint, p95", keys, "ms", budget=known["key"], count=KEYS)
    yield Row("app: processor while idle", idle, "%", budget=known["idle"])
    yield Row("app: memory", memory, "MB", budget=known["app_memory"])


def _keys(terminal: Terminal) -> float:
    """Milliseconds at p95, going down the list and up again."""
    took = []
    for number in range(KEYS):
        seen = terminal.press("j" if number % 20 < 10 else "k")
        if seen is not None:
            took.append(seen * 1e3)
        terminal.drain(0.15)
    if len(took) < KEYS // 2:
        raise RuntimeError("the app paints nothing after a key")
    return quantiles(took, n=20)[-1]


def _idle(terminal: Terminal) -> float:
    """Percent of one processor."""
    process = psutil.Process(terminal.pid)
    before = process.cpu_times()
    terminal.drain(IDLE_SECONDS)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return float(used) / IDLE_SECONDS * 100
