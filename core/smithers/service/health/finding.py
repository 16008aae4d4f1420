"""One thing that was looked at, and the command that cures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smithers.service.safe import line
from smithers.service.views import Safe

FIX = "smithers doctor --fix"


@dataclass(frozen=True, slots=True)
class Finding:
    """A `warning` takes something away or will; a `failed` stops runs, or says something untrue."""

    name: str
    state: Literal["ok", "warning", "failed"]
    detail: Safe
    cure: str = ""
    fix: Callable[[], None] | None = None
    """The cure, where it does no harm: no run goes on by it, and nothing that was done is lost."""


def shown(path: Path) -> Safe:
    return line(str(path), limit=1000)


def some(names: list[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more}"
