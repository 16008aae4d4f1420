"""The benchmarks measure real runs and hold them against the budgets."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rows import Budget, Row
from benchmarks.table import lines, verdict

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_bytes_of_a_step_are_measured_and_within_their_budget(tmp_path):
    argv = [
        sys.executable,
        "-m",
        "benchmarks",
        "--quick",
        "--only",
        "bytes",
        "--dir",
        str(tmp_path),
    ]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    heads, _, row = done.stdout.splitlines()
    assert heads.split()[:2] == ["what", "measured"]
    assert row.startswith("database a step")
    assert " ok " in row
    assert list(tmp_path.iterdir()) == []


def test_a_figure_over_its_ceiling_says_by_how_much():
    assert verdict(Row("start", 80.0, "ms", budget=Budget(60, "ms"))) == "over by 20.0 ms"
    assert verdict(Row("step", 9.0, "ms", 3.0, ratio=3.0, budget=Budget(2.5, of="ratio"))) == (
        "over by 0.500x"
    )
    assert verdict(Row("start", 60.0, "ms", budget=Budget(60, "ms"))) == "ok"
    assert verdict(Row("bare", 1.0, "ms")) == "-"


def test_the_table_keeps_its_columns_apart():
    table = lines([Row("short", 1.0, "ms"), Row("a much longer name", 1234.0, "ms")])
    assert [line.index("ms") for line in table[2:]] == [table[2].index("ms")] * 2
