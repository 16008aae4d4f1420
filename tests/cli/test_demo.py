"""The demo is the product's promise: the whole main job, as somebody meets it first."""

import os
import subprocess
import sys

import pytest
from terminal import Terminal

pytestmark = pytest.mark.slow

DEMO = [sys.executable, "-m", "smithers.cli", "demo"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with an empty home, and no mark of a run."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("SMITHERS_DIR", "SMITHERS_RUN", "SMITHERS_ACTOR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_with_yes_it_goes_through_by_itself(place, smithers):
    said = smithers("demo", "--yes")
    assert said.code == 0, said.err
    project = place / "smithers-demo"
    assert "build[1]/checks failed" in said.err
    assert "approved as agent:demo" in said.err
    for text in (
        "in 3 iterations",
        "× build[1]/checks was red",
        "× build[2]/review refused",
        "✓ build[3]/review signed off",
        "The change is on branch smithers/demo",
        f"cd {project}",
        "smithers land demo",
    ):
        assert text in said.out, said.out
    assert not (project / "ratelimit.py").exists()

    monkey = smithers  # the five commands are real ones, run where it says
    os.chdir(project)
    assert "ratelimit.py" in monkey("diff", "demo", "--stat").out
    assert "429" in monkey("logs", "demo", "build[2]/review").out
    assert monkey("events", "demo").code == 0
    assert monkey("land", "demo").code == 0
    tests = subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=project, capture_output=True, text=True
    )
    assert tests.returncode == 0, tests.stderr


def test_in_json_it_is_one_document(place, smithers):
    told = smithers("demo", "--yes", "--dir", "there", "--json")
    assert told.code == 0
    assert told.json["dir"] == str(place / "there")
    assert told.json["happened"]["iterations"] == 3


def test_without_a_person_it_stops_at_the_gate(place, smithers):
    said = smithers("demo")
    assert said.code == 3
    assert "smithers approve demo ship" in said.out
    again = smithers("demo", "--dir", "smithers-demo")
    assert again.code == 2


def test_a_person_sees_the_diff_and_approves(place):
    with Terminal(DEMO, cwd=place) as terminal:
        terminal.expect("Merge this change?")
        terminal.expect("leave it: ")
        terminal.send("d\n")
        terminal.expect("ratelimit.py")
        terminal.expect("leave it: ")
        terminal.send("a\n")
        assert terminal.end() == 0, terminal.shown
        assert "ship approved by person:" in terminal.shown


def test_a_crash_is_shown_and_survived(place, smithers):
    said = smithers("demo", "--crash", "--yes")
    assert said.code == 0, said.err
    assert "kill -9" in said.err
    assert "demo is interrupted" in said.err
    assert "build[2]/code  Change the code, attempt 2" in said.err
    assert "~ build[2]/code was interrupted, and tried again" in said.out
    os.chdir(place / "smithers-demo")
    steps = {
        each["key"]: each for each in smithers("inspect", "demo", "--json").json["steps_detail"]
    }
    assert [each["status"] for each in steps["build[2]/code"]["attempts"]] == [
        "interrupted",
        "succeeded",
    ]
    assert len(steps["build[1]/code"]["attempts"]) == 1


def test_a_second_demo_takes_the_next_name(place, smithers):
    (place / "smithers-demo").mkdir()
    assert smithers("demo", "--yes", "--json").json["dir"] == str(place / "smithers-demo-2")
