import json
import os
import shutil
import subprocess
import sys

import pytest
from scene import CODE_AGAIN, at_gate, attempt, ended, gate, paused, red

from smithers.model.run import RunStatus
from smithers.model.step import AttemptStatus, StepState, StepStatus
from smithers.store.drive import Transition


@pytest.fixture
def start(scene):
    """The command line in a process of its own, read line by line."""
    running = []

    def begin(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "smithers.cli", *words],
            cwd=scene.root,
            env={**os.environ, "SMITHERS_DIR": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def finish(driver, status=RunStatus.SUCCEEDED):
    coded = attempt(CODE_AGAIN.key, AttemptStatus.SUCCEEDED)
    return driver.commit(
        Transition(
            "ended",
            attempts=[coded],
            changes={CODE_AGAIN.key: StepState(StepStatus.SUCCEEDED)},
            status=status,
        ),
        park=True,
    )


def test_wait_returns_at_once_for_what_has_finished(scene, smithers):
    ended(scene.run("good"))
    ended(scene.run("bad"), RunStatus.FAILED, "no such file")
    good = smithers("wait", "good", "--json")
    assert (good.code, good.json["reason"], good.json["id"]) == (0, "finished", "good")
    assert smithers("wait", "bad").code == 1


def test_wait_returns_at_once_for_an_open_gate(scene, smithers):
    at_gate(scene.run("asking"), gate(by="anyone"))
    said = smithers("wait", "asking", "--json")
    assert (said.code, said.json["reason"]) == (3, "needs-me")
    assert said.json["waiting_on"][0]["next"] == "smithers approve asking ship"


def test_wait_says_that_a_paused_run_needs_somebody(scene, smithers):
    paused(scene.run("resting"))
    assert smithers("wait", "resting", "--json").code == 3


def test_wait_runs_out_of_time(scene, smithers):
    red(scene.run("busy"))
    said = smithers("wait", "busy", "--timeout", "0.2s", "--json")
    assert (said.code, said.json["reason"], said.json["pending"]) == (124, "timeout", ["busy"])


def test_wait_for_the_end_alone_passes_gates_by(scene, smithers):
    at_gate(scene.run("asking"))
    assert smithers("wait", "asking", "--until", "finished", "--timeout", "0.2s").code == 124


def test_wait_answers_for_the_first_of_several(scene, smithers):
    red(scene.run("busy"))
    at_gate(scene.run("asking"))
    assert smithers("wait", "busy", "asking", "--json").json["id"] == "asking"


def test_wait_wakes_at_the_commit(scene, start):
    driver = red(scene.run("busy"))
    waiting = start("wait", "busy", "--json")
    followed = start("events", "busy", "-f")
    assert [followed.stdout.readline().split()[0] for _ in range(3)] == ["1", "2", "3"]
    finish(driver)
    out, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, json.loads(out)["reason"]) == (0, "finished")
    assert followed.stdout.readline().endswith("build[2]/code succeeded\n")
    assert followed.wait(30) == 0


def test_logs_follow_what_is_written_until_the_run_ends(scene, start):
    driver = red(scene.run("busy"))
    followed = start("logs", "busy", CODE_AGAIN.key, "-f", "--json")
    driver.log(attempt(CODE_AGAIN.key), ("agent", "text", "one"))
    assert json.loads(followed.stdout.readline())["text"] == "one"
    driver.log(attempt(CODE_AGAIN.key), ("agent", "text", "two"))
    line = json.loads(followed.stdout.readline())
    assert (line["text"], line["n"], line["step"], line["attempt"]) == ("two", 2, CODE_AGAIN.key, 1)
    driver.log(attempt(CODE_AGAIN.key), ("agent", "text", "last words"))
    finish(driver)
    assert [json.loads(each)["text"] for each in followed.stdout] == ["last words"]
    assert followed.wait(30) == 0


@pytest.mark.parametrize("command", ["events", "logs"])
def test_who_follows_is_told_when_the_run_directory_is_taken_away(scene, start, command):
    driver = red(scene.run("busy"))
    driver.log(attempt(CODE_AGAIN.key), ("agent", "text", "one"))
    followed = start(command, "busy", "-f")
    followed.stdout.readline()
    shutil.rmtree(scene.root / ".smithers" / "state")
    _, said = followed.communicate(timeout=30)
    assert followed.returncode == 1
    assert "error: the database was deleted or moved while it was open" in said
    assert "kept: branches and snapshots" in said
    assert "next: put it back" in said
