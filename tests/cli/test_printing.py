import io

import pytest

from smithers.cli import printing
from smithers.cli.doctor import wal_reset_bug
from smithers.clock import SYSTEM
from smithers.model.run import RunStatus
from smithers.model.step import StepStatus


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (124, "2m04s"), (3780, "1h03m"), (273600, "3d04h"), (-5, "0s")],
)
def test_durations_have_two_units_at_most(seconds, text):
    assert printing.duration(seconds) == text


def test_an_age_has_one_unit():
    now = SYSTEM.now()
    ages = [printing.age(now - ms) for ms in (0, 125_000, 3 * 3_600_000, 49 * 3_600_000)]
    assert ages == ["0s", "2m", "3h", "2d"]


def test_text_is_cut_by_the_columns_it_takes():
    assert printing.fit("abcdef", 4) == "abc…"
    assert printing.fit("日本語", 4) == "日… "
    assert printing.fit("日本", 6) == "日本  "
    assert printing.cells("e\u0301") == 1


def test_the_widest_columns_give_way_down_to_their_least():
    rows = [("a" * 30, "b" * 10), ("a", "b")]
    assert printing.table(rows, least=(5, 10), width=20) == [
        "a" * 7 + "…  " + "b" * 10,
        "a         b",
    ]
    assert len(printing.table(rows, least=(30, 10), width=20)[0]) == 42


def test_every_state_has_a_sign():
    assert printing.RUN_SIGNS.keys() == set(RunStatus)
    assert printing.STEP_SIGNS.keys() == set(StepStatus)


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert printing.tint("red", "×", Screen()) == "\x1b[31mred\x1b[0m"
    assert printing.tint("red", "×", io.StringIO()) == "red"
    monkeypatch.setenv("TERM", "dumb")
    assert printing.tint("red", "×", Screen()) == "red"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert printing.tint("red", "×", Screen()) == "red"


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 4), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 1), False),
    ],
)
def test_sqlite_versions_with_the_wal_reset_bug_are_known(version, affected):
    assert wal_reset_bug(version) is affected
