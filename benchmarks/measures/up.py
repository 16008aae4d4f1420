"""A run of one step as a whole command, and what an engine holds in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from benchmarks import commands, marks
from benchmarks.project import WORKFLOWS, Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings


def rows(settings: Settings) -> Iterator[Row]:
    known = budgets()
    project = Project(settings.place("up"))
    given = json.dumps({"steps": 0, "marks": str(project.root / "marks")})
    argv = commands.command("up", f"{WORKFLOWS}:sequence", "--input", given, "--in-place")
    pair = commands.side_by_side(argv, commands.LIBRARIES, project.root, settings.repeats * 2)
    yield Row(
        "run of one step, whole command",
        pair.measured / 1e3,
        "s",
        reference=pair.reference / 1e3,
        beside="import asyncio, sqlite3",
        ratio=pair.ratio,
        budget=known["up"],
        count=settings.repeats * 2,
    )
    memory = [_memory(project) for _ in range(settings.repeats)]
    yield Row(
        "engine of a run of one step: memory",
        median(memory),
        "MB",
        budget=known["engine_memory"],
        count=len(memory),
    )


def _memory(project: Project) -> float:
    run = project.create("sequence", steps=0, held=True)
    project.spawn(run)
    marks.wait_for(project.marks(run), 1)
    most = commands.megabytes(project.engine(run))
    project.hold(run).unlink()
    project.rest(run)
    return most
