"""A decision in another process, to the start of the step behind the gate."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from statistics import median

from benchmarks import commands, marks
from benchmarks.project import Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings

GATES = 12


def rows(settings: Settings) -> Iterator[Row]:
    known = budgets()
    count = 3 if settings.quick else GATES
    live, _ = _latencies(Project(settings.place("gates")), count, held=True)
    yield Row(
        "gate, engine alive",
        median(live),
        "ms",
        budget=known["gate_live"],
        count=count,
    )
    parked, left = _latencies(Project(settings.place("gates")), count, held=False)
    floor = [
        commands.seconds(commands.LIBRARIES, commands.REPOSITORY) * 1e3
        for _ in range(settings.repeats)
    ]
    yield Row(
        "gate, engine to be started",
        median(parked),
        "ms",
        reference=median(floor),
        beside="python",
        ratio=median(parked) / median(floor),
        budget=known["gate_parked"],
        count=count,
    )
    yield Row(
        "engines of a run that waits for a person",
        left,
        "processes",
        budget=known["parked_processes"],
        count=count,
    )


def _latencies(project: Project, count: int, *, held: bool) -> tuple[list[float], int]:
    """Milliseconds of each decision, and how often an engine was still there once parked."""
    run = project.create("gates", steps=count, held=held)
    path = project.marks(run)
    person = subprocess.Popen(
        [commands.PYTHON, "-m", "benchmarks.decider", str(project.root), run],
        cwd=commands.REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    project.spawn(run)
    found, left = [], 0
    for number in range(1, count + 1):
        _opened(project, run, number)
        if not held:
            project.rest(run)
            left += project.engine(run) != 0
        assert person.stdin is not None
        assert person.stdout is not None
        person.stdin.write(f"gate{number}\n")
        person.stdin.flush()
        committed = int(person.stdout.readline())
        begun = marks.wait_for(path, number + held)
        found.append((next(m.at for m in begun if m.number == number) - committed) / 1e6)
    person.communicate()
    if held:
        project.hold(run).unlink()
    project.rest(run)
    return found, left


def _opened(project: Project, run: str, number: int) -> None:
    """Wait until the gate is there to be decided."""
    deadline = time.monotonic() + 60
    while not project.one(
        "SELECT 1 FROM gates WHERE open = 1 AND key = ? "
        "AND run = (SELECT seq FROM runs WHERE id = ?)",
        f"gate{number}",
        run,
    ):
        if time.monotonic() > deadline:
            raise TimeoutError(f"gate{number} does not open")
        time.sleep(0.005)
