"""How long the command line makes one wait: `--version`, and `ps` on a thousand runs."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import commands
from benchmarks.crowd import crowd
from benchmarks.project import Project
from benchmarks.rows import Row, budgets
from benchmarks.settings import Settings


def rows(settings: Settings) -> Iterator[Row]:
    known = budgets()
    times = 3 if settings.quick else 25
    project = Project(settings.place("start"))
    count = settings.size(1_000)
    crowd(project, count)
    for what, words, reference, beside, budget in (
        ("smithers --version", ("--version",), commands.FLOOR, "python -c pass", known["version"]),
        (
            f"smithers ps, {count:,} runs",
            ("ps",),
            commands.LIBRARIES,
            "import asyncio, sqlite3",
            known["ps"],
        ),
    ):
        pair = commands.side_by_side(
            commands.command(*words), reference, cwd=project.root, times=times
        )
        yield Row(
            what,
            pair.measured,
            "ms",
            reference=pair.reference,
            beside=beside,
            ratio=pair.ratio,
            budget=budget,
            count=times,
        )
