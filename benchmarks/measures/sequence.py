"""Trivial steps in sequence: time and processor a step, and whether a late one costs more."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks import marks, raw
from benchmarks.project import Driven, Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings

SIZES = (100, 1_000, 10_000)
WINDOW = 500


def rows(settings: Settings) -> Iterator[Row]:
    for full in SIZES:
        steps = settings.size(full)
        times = settings.repeats if full < max(SIZES) else min(3, settings.repeats)
        runs, raws = interleaved(settings, "sequence", steps, times)
        yield from paces(f"sequence of {steps:,}", runs, raws)
        if full == max(SIZES):
            yield from growth("sequence", steps, runs)


def interleaved(
    settings: Settings, workflow: str, steps: int, times: int
) -> tuple[list[Driven], list[raw.Cost]]:
    """The runs, and beside each what raw SQLite needs a step, before and after it."""
    runs, raws = [], []
    for _ in range(times):
        folder = settings.place(workflow)
        before = raw.commits(folder / "raw.db", steps)
        runs.append(Project(folder).drive(workflow, steps=steps))
        after = raw.commits(folder / "raw.db", steps)
        raws.append(raw.Cost(*(sum(pair) / 2 for pair in zip(before, after, strict=True))))
    return runs, raws


def paces(what: str, runs: list[Driven], raws: list[raw.Cost]) -> Iterator[Row]:
    known = budgets()
    figures = [marks.pace(run.marks) for run in runs]
    yield Row(
        what,
        median(time for time, _ in figures),
        "ms/step",
        reference=median(cost.time for cost in raws),
        beside="raw",
        ratio=median(time / cost.time for (time, _), cost in zip(figures, raws, strict=True)),
        budget=known["step"],
        count=len(runs),
    )
    yield Row(
        f"{what}: processor",
        median(cpu for _, cpu in figures),
        "ms/step",
        reference=median(cost.processor for cost in raws),
        beside="raw",
        ratio=median(cpu / cost.processor for (_, cpu), cost in zip(figures, raws, strict=True)),
        budget=known["step_cpu"],
        count=len(runs),
    )


def growth(what: str, steps: int, runs: list[Driven]) -> Iterator[Row]:
    """The last steps against those from the hundredth on."""
    window = min(WINDOW, steps // 3)
    first = min(100, steps // 10)
    windows = [(run.marks[first : first + window + 1], run.marks[-window - 2 : -1]) for run in runs]
    budget = budgets()["flat"]
    measures = (
        ("time", marks.typical),
        ("processor", lambda part: marks.pace(part)[1]),
    )
    for name, measure in measures:
        pairs = [(measure(late), measure(early)) for early, late in windows]
        yield Row(
            f"{what}, step {steps:,} against step {first}: {name}",
            median(late for late, _ in pairs),
            "ms/step",
            reference=median(early for _, early in pairs),
            beside=f"at {first}",
            ratio=median(late / early for late, early in pairs),
            budget=budget,
            count=len(runs),
        )
