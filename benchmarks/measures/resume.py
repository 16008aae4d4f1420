"""Kill an engine after many finished steps: from the start of the next to its first new step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from benchmarks import commands, marks, raw
from benchmarks.project import Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings


def rows(settings: Settings) -> Iterator[Row]:
    for full in (1_000, 10_000):
        yield _row(settings, settings.size(full))


def _row(settings: Settings, steps: int) -> Row:
    folder = settings.place("resume")
    project = Project(folder)
    run = project.create("sequence", steps=steps, held=True)
    project.spawn(run)
    marks.wait_for(project.marks(run), steps + 1)
    raw.commits(folder / "raw.db", steps)
    ours, theirs = [], []
    for _ in range(settings.repeats):
        project.kill(run)
        theirs.append(_raw(project))
        ours.append(_resume(project, run))
    numbers = [mark.number for mark in marks.read(project.marks(run))]
    if numbers[:steps] != list(range(1, steps + 1)) or set(numbers[steps:]) != {steps + 1}:
        raise RuntimeError("a finished step ran again")
    project.hold(run).unlink()
    project.rest(run)
    return Row(
        f"resume after {steps:,} steps",
        median(ours),
        "s",
        reference=median(theirs),
        beside="raw",
        ratio=median(one / other for one, other in zip(ours, theirs, strict=True)),
        budget=budgets()["resume"],
        count=len(ours),
    )


def _resume(project: Project, run: str) -> float:
    path = project.marks(run)
    before = path.stat().st_size
    began = time.monotonic_ns()
    project.spawn(run)
    marks.wait_for_growth(path, before)
    return (marks.read(path)[-1].at - began) / 1e9


def _raw(project: Project) -> float:
    began = time.monotonic_ns()
    at = commands.printed([commands.PYTHON, "-m", "benchmarks.raw", str(project.root / "raw.db")])
    return (at - began) / 1e9
