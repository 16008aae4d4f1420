"""A thousand steps, 64 at a time: completions share a commit."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks import marks, raw
from benchmarks.project import Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings

WIDE = 64


def rows(settings: Settings) -> Iterator[Row]:
    steps = settings.size(1_000)
    fans, sequences, raws, frames = [], [], [], []
    for _ in range(settings.repeats):
        folder = settings.place("fan")
        project = Project(folder, concurrency=WIDE)
        sequences.append(marks.pace(project.drive("sequence", steps=steps).marks))
        fan = project.drive("fan", steps=steps, wide=WIDE)
        fans.append(marks.pace(fan.marks))
        frames.append(fan.frames)
        raws.append(raw.commits(folder / "raw.db", steps, together=fan.frames).time)
    known = budgets()
    yield Row(
        f"fan-out of {steps:,}, {WIDE} wide",
        median(time for time, _ in fans),
        "ms/step",
        reference=median(time for time, _ in sequences),
        beside="in sequence",
        ratio=median(one[0] / other[0] for one, other in zip(fans, sequences, strict=True)),
        budget=known["fan"],
        count=len(fans),
    )
    yield Row(
        "fan-out: the same commits",
        median(time for time, _ in fans),
        "ms/step",
        reference=median(raws),
        beside=f"raw, {median(frames):,.0f} commits",
        ratio=median(one[0] / bare for one, bare in zip(fans, raws, strict=True)),
        count=len(fans),
    )
    yield Row("fan-out: processor", median(cpu for _, cpu in fans), "ms/step", count=len(fans))
