"""Cutting, padding and wrapping count cells of the terminal, not characters."""

from __future__ import annotations

import pytest

from smithers.service.views import Safe
from smithers_tui.view.line import (
    chop,
    crop,
    cut,
    fit,
    line_width,
    plain,
    say,
    spread,
    tail,
    width,
    wrap,
)

TEXTS = [
    "",
    "plain",
    "a longer text with words in it",
    "日本語のテキストです",
    "ab日本語cd",
    "naïve café",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("cells", [1, 2, 5, 9, 40])
def test_fit_gives_exactly_the_cells_asked_for(text: str, cells: int) -> None:
    assert width(fit(Safe(text), cells)) == cells
    assert width(fit(Safe(text), cells, right=True)) == cells


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("cells", [0, 1, 2, 5, 9])
def test_cut_and_tail_never_take_more_than_the_cells_asked_for(text: str, cells: int) -> None:
    assert width(cut(Safe(text), cells)) <= cells
    assert width(tail(Safe(text), cells)) <= cells


@pytest.mark.parametrize("text", [*TEXTS, "x" * 200, "wort " * 40])
@pytest.mark.parametrize("cells", [4, 11, 80])
def test_wrapped_rows_fit_and_lose_no_word(text: str, cells: int) -> None:
    rows = wrap(Safe(text), cells)
    assert all(width(row) <= cells for row in rows)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("text", [*TEXTS, "  two  spaces  ", "rm -rf build && make  e2e " * 9])
@pytest.mark.parametrize("cells", [4, 11, 80])
def test_chopped_rows_fit_and_lose_nothing_at_all(text: str, cells: int) -> None:
    rows = chop(Safe(text), cells)
    assert "".join(rows) == text
    assert all(width(row) <= cells for row in rows)


def test_what_stands_right_stays_and_the_left_gives_way() -> None:
    line = spread((say("a very long name of something"),), (say("22m"),), 20)
    assert line_width(line) == 20
    assert plain(line).endswith("22m")
    assert plain(crop(line, 5)) == "a ve…"


def test_a_limit_of_rows_says_that_there_was_more() -> None:
    rows = wrap(Safe("one two three four five six seven"), 9, limit=2)
    assert len(rows) == 2
    assert rows[-1].endswith("…")
