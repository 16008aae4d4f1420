"""A loop around one trivial step: 200 iterations, and whether the ten-thousandth costs more."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measures.sequence import growth, interleaved, paces
from benchmarks.rows import Row
from benchmarks.settings import Settings


def rows(settings: Settings) -> Iterator[Row]:
    steps = settings.size(200)
    yield from paces(f"loop of {steps:,}", *interleaved(settings, "turns", steps, settings.repeats))
    steps = settings.size(10_000)
    runs, _ = interleaved(settings, "turns", steps, min(2, settings.repeats))
    yield from growth("loop", steps, runs)
