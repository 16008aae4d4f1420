"""One line of the table: what was measured, what it stands beside, and what it may be."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling of the figure itself, or, where `of` is `ratio`, of its ratio to the reference."""

    most: float
    unit: str = ""
    of: str = "figure"


def budgets() -> dict[str, Budget]:
    """Every ceiling by name."""
    text = (Path(__file__).parent / "budgets.toml").read_text(encoding="utf-8")
    return {name: Budget(**values) for name, values in tomllib.loads(text).items()}


@dataclass(frozen=True, slots=True)
class Row:
    """`reference` has the unit of `measured`. `ratio` is given where it is no plain quotient."""

    what: str
    measured: float
    unit: str
    reference: float | None = None
    beside: str = ""
    """What the reference is."""
    ratio: float | None = None
    """Median of the ratios of interleaved runs."""
    budget: Budget | None = None
    count: int = 1
    """How many times it was measured."""

    @property
    def excess(self) -> float | None:
        """By how much it is over its budget, in the budget's own measure; None without a budget."""
        if self.budget is None:
            return None
        figure = self.ratio if self.budget.of == "ratio" else self.measured
        return None if figure is None else figure - self.budget.most
