"""Each row of docs/edits.md: what happens after the edit, and what `why` says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.engine.edit_cases import CASES, REAL
from tests.engine.edited import Edited
from tests.running import Workshop

PAGE = Path(__file__).parents[2] / "docs" / "edits.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (.+) \|$", re.MULTILINE)
ROWS = {name: cells.split(" | ") for name, cells in ROW.findall(PAGE.read_text())}


def test_each_row_of_the_page_is_a_case_and_each_case_a_row() -> None:
    names = [name for name, _ in ROW.findall(PAGE.read_text())]
    assert sorted(names) == sorted(CASES)


def says(cell: str) -> list[str]:
    """What the last cell quotes of `why`, with … for what differs from one machine to another."""
    return re.findall(r"`([^`]+)`", cell)


def said_by(quoted: str) -> re.Pattern[str]:
    return re.compile("[^ ]*".join(map(re.escape, quoted.split("…"))))


def row(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow if name in REAL else ())


@pytest.mark.parametrize("name", map(row, CASES))
def test_a_row_of_the_page_is_so(workshop: Workshop, name: str) -> None:
    run = Edited(workshop)
    steps = CASES[name](run)
    next(steps)
    why = run.why()
    _, _, _, cell = ROWS[name]
    assert says(cell)
    missing = [each for each in says(cell) if not said_by(each.replace("RUN", "r")).search(why)]
    assert not missing, f"{missing} not in: {why}\n{run.shop.tell()}"
    assert next(steps, "ended") == "ended"
