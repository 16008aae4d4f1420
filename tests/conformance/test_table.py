"""The stored table is the one that the suite would write today, as far as one can know without it."""

from __future__ import annotations

import re

import pytest

from tests.conformance import table
from tests.conformance.subjects import ALL
from tests.conformance.test_conformance import CASES

CELLS = table.read(table.PAGE)
ROWS = [table.VERSION, table.DATE, *map(table.row, CASES.values())]
agents = pytest.mark.parametrize("name", ALL)


def test_it_has_a_column_for_every_agent():
    assert list(CELLS) == list(ALL)


@agents
def test_it_has_a_row_for_every_case_and_no_empty_cell(name):
    assert list(CELLS[name]) == ROWS
    assert all(CELLS[name].values())
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", CELLS[name][table.DATE])


@agents
def test_each_cell_is_what_the_suite_holds_the_agent_to(name):
    told = {case: CELLS[name][table.row(check)] for case, check in CASES.items()}
    assert told == {case: ALL[name].cell(case) for case in CASES}


@agents
def test_a_limit_belongs_to_a_case(name):
    assert set(ALL[name].limits) <= set(CASES)


@agents
def test_its_version_is_the_one_that_is_installed(name):
    subject = ALL[name]
    assert CELLS[name][table.VERSION] == (table.pins()[subject.package] if subject.real else "own")


def test_writing_it_leaves_the_page_around_it_alone(tmp_path):
    page = tmp_path / "agents.md"
    page.write_text(table.PAGE.read_text())
    table.write(page, CELLS)
    assert page.read_text() == table.PAGE.read_text()
    other = {name: dict.fromkeys(ROWS, "no") for name in CELLS}
    table.write(page, other)
    assert table.read(page) == other
