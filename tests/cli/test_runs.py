"""The verbs, with real engines, real git and a scripted agent."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from terminal import Terminal

pytestmark = pytest.mark.slow

FLOW = """
from pydantic import BaseModel, Field

from smithers import Approval, Check, Context, Sequence, Task, workflow


class Goal(BaseModel):
    prompt: str = Field(min_length=3, description="What to do")
    check: str = Field("true", description="Command that must pass")
    gate: bool = False


@workflow("flow", summary="Write, check, ask", edits=True)
def flow(ctx: Context[Goal]):
    write = Task("write", agent="coder", prompt=ctx.input.prompt)
    check = Check("check", ctx.input.check)
    return Sequence(write, check, Approval("ship", "Merge this?", show="diff", when=ctx.input.gate))
"""
SCRIPT = {
    "turns": [{"step": "write", "do": [{"write": "new.txt", "text": "new\n"}, {"say": "done"}]}]
}
SMITHERS = [sys.executable, "-m", "smithers.cli"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("SMITHERS_DIR", "SMITHERS_RUN", "SMITHERS_ACTOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    home = tmp_path / ".smithers"
    home.mkdir()
    (tmp_path / "flow.py").write_text(FLOW)
    (home / "script.json").write_text(json.dumps(SCRIPT))
    (home / "config.toml").write_text('[roles]\ncoder = "scripted:.smithers/script.json"\n')
    for words in (
        ["init", "-q"],
        ["config", "user.name", "T"],
        ["config", "user.email", "t@example.invalid"],
        ["add", "-A"],
        ["commit", "-qm", "first"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)
    yield tmp_path
    end_engines(tmp_path)


def end_engines(root):
    """Whatever a failed test left running."""
    done = subprocess.run(
        [*SMITHERS, "ps", "--all", "--json"], cwd=root, capture_output=True, text=True
    )
    if done.returncode == 0:
        for run in json.loads(done.stdout)["runs"]:
            if run["engine"] and run["engine"]["alive"]:
                os.kill(run["engine"]["pid"], signal.SIGKILL)


def until(smithers, run, condition):
    deadline = time.monotonic() + 30
    while True:
        seen = smithers("inspect", run, "--json").json
        if condition(seen):
            return seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)


def test_up_in_the_foreground_follows_to_the_end(project, smithers):
    said = smithers("up", "./flow.py", "Write it")
    assert said.code == 0, said.err
    assert said.out == ""
    assert "write succeeded → check started" in said.err
    assert "✓ succeeded" in said.err
    assert "next: smithers diff" in said.err


def test_up_in_json_prints_the_run_once_at_its_end(project, smithers):
    said = smithers("up", "./flow.py", "Write it", "--run-id", "r1", "--json")
    assert (said.code, said.json["id"], said.json["status"]) == (0, "r1", "succeeded")
    assert said.json["input"]["prompt"] == "Write it"
    assert (project / "new.txt").exists() is False
    stat = smithers("diff", "r1", "--stat", "--json").json
    assert [each["path"] for each in stat["files"]] == ["new.txt"]
    assert "+new" in smithers("diff", "r1").out
    assert smithers("land", "r1").code == 0
    assert (project / "new.txt").read_text() == "new\n"


def test_a_run_that_fails_is_exit_1_and_says_how_to_go_on(project, smithers):
    given = json.dumps({"prompt": "Write it", "check": "echo broken; exit 1"})
    said = smithers("up", "./flow.py", "--input", given, "--run-id", "r1")
    assert said.code == 1
    assert "next: smithers retry r1 check" in said.err
    again = smithers("retry", "r1", "check", "-f", "--json")
    assert again.code == 1
    tries = smithers("inspect", "r1", "--json").json["steps_detail"][1]
    assert [each["status"] for each in tries["attempts"]] == ["failed", "failed"]


def test_detached_it_prints_the_id_and_the_rest_is_seen_by_others(project, smithers):
    said = smithers("up", "./flow.py", "Write it", "-d", "--run-id", "r1")
    assert (said.code, said.out) == (0, "r1\n")
    done = smithers("wait", "r1", "--json", "--timeout", "30s")
    assert (done.code, done.json["reason"]) == (0, "finished")
    keys = [each["step"] for each in smithers("logs", "r1", "--json").json["lines"]]
    assert "write" in keys


def test_a_gate_without_a_person_is_exit_3_with_the_command(project, smithers):
    given = json.dumps({"prompt": "Write it", "gate": True})
    said = smithers("up", "./flow.py", "--input", given, "--run-id", "r1")
    assert said.code == 3
    assert "next: smithers approve r1 ship" in said.err
    assert smithers("inspect", "r1", "--json").json["engine"] is None
    assert smithers("cancel", "r1").code == 0
    assert smithers("wait", "r1").code == 4


def test_a_person_decides_where_they_follow(project):
    argv = [*SMITHERS, "up", "./flow.py", "--run-id", "r1", "--input"]
    with Terminal([*argv, '{"prompt": "Write it", "gate": true}'], cwd=project) as terminal:
        terminal.expect("Merge this?")
        terminal.expect("leave it: ")
        terminal.send("d\n")
        terminal.expect("+new")
        terminal.expect("leave it: ")
        terminal.send("a\n")
        terminal.expect("Type ship to approve: ")
        terminal.send("ship\n")
        assert terminal.end() == 0, terminal.shown
        assert "ship approved by person:" in terminal.shown


def test_ctrl_c_pauses_the_run_and_resume_goes_on(project, smithers):
    hold = project / "go"
    check = f"while ! test -e {hold}; do sleep 0.05; done"
    given = json.dumps({"prompt": "Write it", "check": check})
    argv = [*SMITHERS, "up", "./flow.py", "--run-id", "r1", "--input", given]
    with Terminal(argv, cwd=project) as terminal:
        terminal.expect("check started")
        terminal.interrupt()
        terminal.expect("next: smithers resume r1")
        assert terminal.end() == 130
    paused = smithers("inspect", "r1", "--json").json
    assert paused["status"] == "paused"
    assert paused["steps_detail"][1]["attempts"][0]["status"] == "stopped"
    hold.touch()
    resumed = smithers("resume", "r1", "-f", "--json")
    assert (resumed.code, resumed.json["status"]) == (0, "succeeded")
    write = smithers("inspect", "r1", "--json").json["steps_detail"][0]
    assert len(write["attempts"]) == 1


def test_a_dead_engine_shows_at_once_and_waiting_starts_another(project, smithers):
    hold = project / "go"
    check = f"while ! test -e {hold}; do sleep 0.05; done"
    given = json.dumps({"prompt": "Write it", "check": check})
    smithers("up", "./flow.py", "--run-id", "r1", "--input", given, "-d")
    busy = until(smithers, "r1", lambda run: run["steps_detail"][1:2] and run["steps_detail"][1]["status"] == "running")  # fmt: skip
    os.kill(busy["engine"]["pid"], signal.SIGKILL)
    until(smithers, "r1", lambda run: run["status"] == "interrupted")
    assert smithers("ps", "--status", "interrupted", "--json").json["runs"][0]["id"] == "r1"
    hold.touch()
    done = smithers("wait", "r1", "--timeout", "60s", "--json")
    assert (done.code, done.json["status"]) == (0, "succeeded")
    check = smithers("inspect", "r1", "--json").json["steps_detail"][1]
    assert [each["status"] for each in check["attempts"]] == ["interrupted", "succeeded"]


def test_a_closed_pipe_only_stops_the_following(project, smithers):
    hold = project / "go"
    check = f"while ! test -e {hold}; do sleep 0.05; done"
    given = json.dumps({"prompt": "Write it", "check": check})
    process = subprocess.Popen(
        [*SMITHERS, "up", "./flow.py", "--run-id", "r1", "--input", given],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    process.stdout.readline()
    process.stdout.close()
    hold.touch()
    process.wait(30)
    assert smithers("wait", "r1", "--timeout", "30s").code == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["implemnt", "Write it"], 2, "implement"),
        (["./gone.py", "Write it"], 2, "gone.py"),
        (["./flow.py"], 2, "prompt"),
        (["./flow.py", "--input", '{"prompt": "x"}'], 2, "prompt"),
        (["./flow.py", "Write it", "--agent", "coder=nobody"], 2, "nobody"),
        (["./flow.py", "Write it", "--run-id", "no/slash"], 2, "no/slash"),
    ],
)
def test_what_can_be_checked_is_checked_before_anything_is_written(
    project, smithers, words, code, text
):
    said = smithers("up", *words)
    assert said.code == code, said.err
    assert text in said.err
    assert smithers("--json").json["runs"] == []
    assert smithers("up", *words, "--json").json["error"]["message"]


def test_a_taken_id_is_refused(project, smithers):
    assert smithers("up", "./flow.py", "Write it", "--run-id", "r1").code == 0
    assert smithers("up", "./flow.py", "Write it", "--run-id", "r1").code == 5


def test_init_makes_the_run_directory_and_needs_a_yes_for_the_skill(
    tmp_path, monkeypatch, smithers
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMITHERS_DIR", raising=False)
    said = smithers("init")
    assert said.code == 0
    assert (tmp_path / ".smithers" / "state" / "smithers.db").exists()
    assert not (tmp_path / ".claude").exists()
    made = smithers("init", "--yes", "--json").json
    assert len(made["written"]) == 2
    assert made["created"] is False
    assert smithers("skill", "install", "--yes", "--json").json == {"written": []}


def test_recipes_are_listed_with_their_sentences(project, smithers):
    names = [each["name"] for each in smithers("recipes", "--json").json["recipes"]]
    assert {"implement", "ralph", "migrate"} <= set(names)
    shown = smithers("recipes", "show", "implement").out
    assert "a reviewer signs off" in shown


def test_doctor_finds_this_machine_fit(project, smithers):
    smithers("init")
    said = smithers("doctor", "--json")
    assert said.code == 0
    assert {each["name"] for each in said.json["checks"]} >= {"python", "git", "sqlite", "database"}
