"""`gc`, `backup` and `doctor` as they are typed."""

import json

import pytest

from smithers.cli import sizes
from smithers.cli.app import main
from tests.housekeeping.house import DAY


@pytest.fixture
def smithers(house, capsys):
    def call(*words):
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_without_a_yes_and_a_terminal_nothing_is_removed(house, smithers):
    house.run("old")
    code, out, err = smithers("gc")
    assert (code, out) == (2, "")
    assert "kept: all runs" in err
    assert "next: smithers gc --dry-run" in err
    code, out, _ = smithers("gc", "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "usage"
    assert house.ids() == ["old"]


def test_a_dry_run_says_what_would_go_what_stays_and_why(house, smithers):
    house.run("old")
    house.run("job", files={"new.txt": "new\n"})
    house.run("young", age=DAY)
    before = house.digest()
    code, out, _ = smithers("gc", "--dry-run")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("would free ")
    assert lines[0].endswith(" of 1 run")
    assert "Title of old" in lines[1]
    assert "smithers/job has commits that are not in main" in out
    assert lines[-1].startswith("keeps 1 other")
    _, out, _ = smithers("gc", "--dry-run", "--json")
    told = json.loads(out)
    assert told["dry_run"]
    assert [each["run"] for each in told["removed"]] == ["old"]
    assert {each["run"]: each["reason"] for each in told["kept"]} == {
        "job": "smithers/job has commits that are not in main",
        "young": "it is not that old",
    }
    assert told["bytes"] == told["removed"][0]["bytes"] > 0
    assert house.digest() == before


def test_a_yes_removes_and_says_what_was_freed(house, smithers):
    house.run("old")
    code, out, _ = smithers("gc", "--yes")
    assert code == 0
    assert out.startswith("freed ")
    assert house.traces("old") == []


def test_on_a_terminal_it_asks(house, smithers, monkeypatch):
    from smithers.cli import printing, setup

    house.run("old")
    monkeypatch.setattr(setup, "can_ask", lambda: True)
    answers = iter(["no", "yes"])
    monkeypatch.setattr(printing, "ask", lambda _question: next(answers))
    assert smithers("gc")[0] == 0
    assert house.ids() == ["old"]
    assert smithers("gc")[0] == 0
    assert house.ids() == []


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("gc", "--status", "running", "--yes"), 5, "runs that are running are never removed"),
        (("gc", "--older-than", "soon"), 2, "'soon' is no time"),
        (("gc", "--larger-than", "big"), 2, "'big' is no size; such as 500K"),
        (("export", "nobody"), 2, "no run nobody"),
        (("view", "nowhere.zip"), 2, "there is no file nowhere.zip"),
        (("backup", ".gitignore"), 5, "is there already"),
        (("backup", "no/such/folder.db"), 2, "there is no folder"),
    ],
)
def test_each_mistake_is_one_clear_line_and_its_exit_code(smithers, words, code, text):
    said, out, err = smithers(*words)
    assert (said, out) == (code, ""), err
    assert text in err
    assert "next: " in err
    assert "Traceback" not in err


def test_a_backup_says_what_it_holds(house, smithers):
    house.run("one")
    code, out, _ = smithers("backup", "copy.db")
    assert code == 0
    assert out.endswith("  1 run, newest one; sound\n")
    told = json.loads(smithers("backup", "--json")[1])
    assert told["runs"] == 1
    assert told["by_status"] == {"succeeded": 1}


def test_doctor_without_a_run_directory_says_how_to_make_one(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SMITHERS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--fix", "--verify"]) == 0
    assert "next: smithers init" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_read_and_written_as_people_do():
    assert [sizes.size(text) for text in ("0", "512", "2k", "1.5M", "1GB")] == [
        0, 512, 2048, 1_572_864, 2**30,
    ]  # fmt: skip
    assert [sizes.words(count) for count in (0, 1000, 2048, 12_000, 5 * 2**20, 2**50)] == [
        "0 B", "1000 B", "2.0 KB", "12 KB", "5.0 MB", "1024.0 TB",
    ]  # fmt: skip
