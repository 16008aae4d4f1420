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


def test_with_yes_it_goes_through_by_itself_and_survives_a_crash(place, smithers):
    (place / "smithers-demo").mkdir()
    said = smithers("demo", "--crash", "--yes")
    assert said.code == 0, said.err
    project = place / "smithers-demo-2"
    assert "build[1]/checks failed" in said.err
    assert "kill -9" in said.err
    assert "demo is interrupted. Finished and kept: build[1]/code, build[1]/checks\n" in said.err
    assert "build[2]/code  Change the code, attempt 2" in said.err
    assert "approved as agent:demo" in said.err
    for text in (
        "in 3 iterations",
        "× build[1]/checks was red",
        "× build[2]/review said no: The limiter",
        "✓ build[3]/review signed off",
        "The change is on branch smithers/demo",
        f"cd {project}",
        "smithers land demo",
    ):
        assert text in said.out, said.out
    assert not (project / "ratelimit.py").exists()

    os.chdir(project)  # the commands that it names are real ones
    steps = {
        each["key"]: each for each in smithers("inspect", "demo", "--json").json["steps_detail"]
    }
    tries = [each["status"] for each in steps["build[2]/code"]["attempts"]]
    assert tries == ["interrupted", "succeeded"]
    assert len(steps["build[1]/code"]["attempts"]) == 1
    assert "ratelimit.py" in smithers("diff", "demo", "--stat").out
    assert "429" in smithers("logs", "demo", "build[2]/review").out
    assert smithers("events", "demo").code == 0
    assert smithers("land", "demo").code == 0
    tests = subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=project, capture_output=True, text=True
    )
    assert tests.returncode == 0, tests.stderr


def test_without_a_person_it_stops_at_the_gate(place, smithers):
    said = smithers("demo", "--json")
    assert said.code == 3
    assert said.json["dir"] == str(place / "smithers-demo")
    assert said.json["happened"]["iterations"] == 3
    assert "smithers approve demo ship" in said.json["next"]
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
