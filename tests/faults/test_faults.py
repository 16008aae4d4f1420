"""Runs are ended at every point they cross, and end as if they had not been."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.bugs import BUGS
from tests.faults.flows import FLOWS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CHECKOUT = Path(__file__).parents[2]
LEAST = {
    "sequence": 1290, "parallel": 790, "loop": 980, "exhausted": 980, "asks": 680, "gate": 690,
    "denied": 525, "invalid": 880, "cancelled": 450, "paused": 710, "stopped": 440, "retried": 700,
    "revived": 640,
}  # fmt: skip
"""Cases of each; a workflow that crosses fewer points than it did tests less."""
SINGLE = {"leftovers,edits": 140, "again,landed": 130}
"""The same where one fault is tried, and not two: processes and files are at stake."""
RANDOM = 150
REAL = 75


def faults(*args: str) -> str:
    """What the fault runner says; it must be content."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--jobs", "1", *args],
        cwd=CHECKOUT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def cases(said: str) -> int:
    found = re.search(r"^(\d+) cases", said, re.MULTILINE)
    assert found, said
    return int(found[1])


def test_ten_thousand_cases_are_not_a_manner_of_speaking() -> None:
    covered = {*LEAST, *(name for names in SINGLE for name in names.split(","))}
    assert covered == set(FLOWS)
    assert sum(LEAST.values()) + sum(SINGLE.values()) + RANDOM >= 10_000


@pytest.mark.parametrize("name", LEAST)
def test_one_fault_and_another_one_after_it(name: str) -> None:
    assert cases(faults("--workflow", name, "--exhaustive")) >= LEAST[name]


@pytest.mark.parametrize("part", [1, 2])
@pytest.mark.parametrize("names", SINGLE)
def test_one_fault_where_processes_and_files_are_at_stake(names: str, part: int) -> None:
    cover = ["--cover"] if "edits" in names else []
    said = faults("--workflow", names, "--part", f"{part}/2", *cover)
    assert cases(said) >= SINGLE[names] // 2


def test_up_to_four_faults_at_random() -> None:
    assert cases(faults("--cases", str(RANDOM), "--seed", "1")) >= RANDOM


@pytest.mark.parametrize("part", range(4))
def test_real_engines_killed_at_any_moment(part: int) -> None:
    assert cases(faults("--real", str(REAL), "--seed", str(part * REAL))) == REAL


def test_who_dies_five_times_at_one_place_waits_unless_a_person_brought_it_back() -> None:
    again = ",".join(["3", *["2"] * 6])
    assert "asked 1 times" in faults("--replay", f"revived:{again}")
    assert "asked" not in faults("--replay", f"sequence:{again}")


def test_planted_bugs_are_found() -> None:
    said = faults("--bugs")
    assert [bug for bug in BUGS if f"{bug}: found" not in said] == []
    assert len(BUGS) == 10
