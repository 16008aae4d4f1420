import subprocess
import sys

import pytest
from scene import EVIL, at_gate, gate
from terminal import Terminal

from smithers.process.marks import Mark
from smithers.service import reading

DOUBT = "from smithers.cli import person; print('doubt:', person.doubt() or 'none')"
ASK = [sys.executable, "-c", DOUBT]
SMITHERS = [sys.executable, "-m", "smithers.cli"]


def doubt_at_terminal(argv, tmp_path, env=None):
    with Terminal(argv, cwd=tmp_path, env=env) as terminal:
        assert terminal.end() == 0, terminal.shown
        return terminal.shown.partition("doubt: ")[2].strip()


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    for name in ("SMITHERS_RUN", "SMITHERS_STEP", "SMITHERS_ATTEMPT"):
        monkeypatch.delenv(name, raising=False)


def test_a_person_at_a_terminal_is_believed(tmp_path):
    assert doubt_at_terminal(ASK, tmp_path) == "none"


def test_without_a_terminal_nobody_is(tmp_path):
    done = subprocess.run(
        ASK, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert "are no terminal" in done.stdout


def test_a_terminal_with_input_from_elsewhere_is_no_proof(tmp_path):
    argv = ["/bin/sh", "-c", 'echo yes | "$0" -c "$1"', sys.executable, DOUBT]
    assert "are no terminal" in doubt_at_terminal(argv, tmp_path)


def test_what_an_attempt_started_is_not_believed(tmp_path):
    marks = {"SMITHERS_RUN": "r1"}
    assert "belongs to a run" in doubt_at_terminal(ASK, tmp_path, marks)


def test_a_washed_environment_below_a_marked_process_is_not_believed(tmp_path):
    argv = ["/bin/sh", "-c", 'env -u SMITHERS_RUN "$0" -c "$1"; true', sys.executable, DOUBT]
    shown = doubt_at_terminal(argv, tmp_path, {"SMITHERS_RUN": "r1"})
    assert "started from inside a run" in shown


@pytest.mark.skipif(sys.platform != "linux", reason="the limit that marks is Linux's")
def test_an_emptied_environment_does_not_wash_the_limit_off(tmp_path):
    mark = Mark("r1", "build[1]/code", 1, 12345)
    marked = (
        "import os, sys\n"
        "from smithers.process.marks import Mark\n"
        f"Mark({mark.run!r}, {mark.step!r}, 1, {mark.token}).set_limit()\n"
        "os.execve(sys.executable, [sys.executable, '-c', sys.argv[1]], {'PATH': '/usr/bin:/bin'})\n"
    )
    shown = doubt_at_terminal([sys.executable, "-c", marked, DOUBT], tmp_path)
    assert "belongs to a run" in shown


def test_a_background_process_is_not_believed(tmp_path):
    # A shell with job control puts it into a process group of its own.
    script = 'set -m; "$0" -c "$1" </dev/tty & wait'
    shown = doubt_at_terminal(["/bin/sh", "-c", script, sys.executable, DOUBT], tmp_path)
    assert "foreground" in shown


def open_gates(scene):
    with reading.open_directory(scene.root) as db:
        return [each.step for each in reading.inbox(db)]


def decision(scene, run):
    with reading.open_directory(scene.root) as db:
        (only,) = reading.run(db, run).gates
        return only.decision


def test_a_person_approves_by_typing_the_steps_name_after_seeing_what_it_is(scene):
    at_gate(scene.run("asking"), gate(body=f"Plan: one {EVIL}"))
    with Terminal([*SMITHERS, "approve", "asking"], cwd=scene.root) as terminal:
        terminal.expect("Plan: one")
        terminal.expect("hidden signs")
        terminal.expect("Type ship to approve: ")
        terminal.send("ship\n")
        assert terminal.end() == 0, terminal.shown
        assert "\x1b]52" not in terminal.shown
        assert "\u202e" not in terminal.shown
    made = decision(scene, "asking")
    assert made.actor.startswith("person:")
    assert made.established == "terminal"


def test_another_word_leaves_the_gate_open(scene):
    at_gate(scene.run("asking"))
    with Terminal([*SMITHERS, "approve", "asking"], cwd=scene.root) as terminal:
        terminal.expect("to approve: ")
        terminal.send("yes\n")
        assert terminal.end() == 5
        assert "its name was not typed" in terminal.shown
    assert open_gates(scene) == ["ship"]


def test_an_agent_gets_the_command_for_the_person(scene, smithers):
    at_gate(scene.run("asking"))
    error = smithers("approve", "asking", "--json").json["error"]
    assert error["code"] == "needs_person"
    assert error["next"] == "smithers approve asking ship"
    assert smithers("deny", "asking", "--reason", "no").code == 5
    assert open_gates(scene) == ["ship"]


def test_an_agent_decides_where_anyone_may_and_is_named(scene, smithers, monkeypatch):
    monkeypatch.setenv("SMITHERS_ACTOR", "claude")
    at_gate(scene.run("asking"), gate(by="anyone"))
    told = smithers("approve", "asking", "--note", "green", "--json").json
    assert told["actor"] == "agent:claude"
    assert told["established"] == "caller"
    again = smithers("approve", "asking", "ship")
    assert again.code == 5
    assert "approved by agent:claude already" in again.err


def test_a_person_denies_with_a_reason(scene):
    at_gate(scene.run("asking"))
    argv = [*SMITHERS, "deny", "asking", "--reason", "no test for it"]
    with Terminal(argv, cwd=scene.root) as terminal:
        terminal.expect("Plan: one")
        assert terminal.end() == 0, terminal.shown
    assert decision(scene, "asking").note == "no test for it"
