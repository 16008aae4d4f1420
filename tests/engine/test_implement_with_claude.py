"""The shipped recipe `implement`, played by the real Claude Code in a real repository."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

from smithers.model.gate import Answer
from smithers.model.run import RunStatus
from smithers.model.step import AttemptStatus
from smithers.service import control, reading
from tests.conformance.subjects.claude import environ
from tests.models import FakeModel

pytestmark = [pytest.mark.cli, pytest.mark.slow]

WRITE = {
    "text": "I add the greeting.",
    "tools": [{"name": "Write", "input": {"file_path": "{cwd}/hello.txt", "content": "hello\n"}}],
}
CHANGE = {"json": {"summary": "Added the greeting.", "files": ["hello.txt"]}}
SIGNED_OFF = {"json": {"approved": True, "feedback": "I ran it: hello.txt greets."}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with one commit, and a home for Claude of its own."""
    if shutil.which("claude") is None:
        if os.environ.get("SMITHERS_REQUIRE_CLI"):
            pytest.fail("claude is not installed, and here it must be: .ci/install-agents")
        pytest.skip("claude is not on PATH: .ci/install-agents installs it")
    home, root = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    root.mkdir()
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith(
            ("CLAUDE", "ANTHROPIC", "SMITHERS_DIR")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    (root / "README.md").write_text("A project.\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for argv in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *argv], cwd=root, check=True)
    return root


def _start(root, model, monkeypatch):
    for name, value in environ(model).items():
        monkeypatch.setenv(name, value)
    return control.up(
        root,
        "implement",
        prompt="Add a greeting in hello.txt and don't stop until a reviewer signs off",
        input={"checks": "grep -q hello hello.txt"},
        run_id=None,
        agents={"coder": "claude", "reviewer": "claude"},
        workspace=None,
        budget={},
        actor="agent:test",
    )


def _until(condition, what):
    """Poll for an event of another process; the limit is only there to fail instead of hanging."""
    deadline = time.monotonic() + 60
    while not (result := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return result


def _view(root, run):
    with reading.open_directory(root) as db:
        return reading.run(db, run)


def _settled(root, run):
    def look():
        view = _view(root, run)
        return view if view.row.status is RunStatus.WAITING or view.row.status.ended else None

    return _until(look, "the run neither waits nor ends")


def test_it_writes_is_checked_is_reviewed_and_waits_for_a_person(project, monkeypatch):
    with FakeModel([WRITE, CHANGE, SIGNED_OFF]) as model:
        run = _start(project, model, monkeypatch)
        view = _settled(project, run)
        assert view.row.status is RunStatus.WAITING, (view.error, view.row.status_reason)
        (gate,) = view.gates
        assert gate.step == "ship"
        control.decide(
            project, run, None, Answer.APPROVE, actor="person:t", established="terminal", note=""
        )
        _until(lambda: _view(project, run).row.status.ended, "it does not end")
        view = _view(project, run)
    assert view.row.status is RunStatus.SUCCEEDED
    assert view.row.usage.input_tokens == 300
    control.land(project, run, actor="person:t")
    assert (project / "hello.txt").read_text() == "hello\n"
    assert model.strays == []


def test_after_a_kill_it_goes_on_in_the_same_conversation(project, monkeypatch):
    hanging = threading.Event()
    with FakeModel([WRITE, {"text": "…", "hang": hanging}, CHANGE, SIGNED_OFF]) as model:
        run = _start(project, model, monkeypatch)
        _until(lambda: len(model.requests) == 2, "claude never asked again")
        engine = _view(project, run).engine
        assert engine is not None
        os.kill(engine.pid, signal.SIGKILL)
        _until(lambda: _view(project, run).row.status is RunStatus.INTERRUPTED, "not interrupted")
        control.resume(project, run, agents={}, actor="person:t")
        hanging.set()
        view = _settled(project, run)
    assert view.row.status is RunStatus.WAITING, (view.error, view.row.status_reason)
    code = next(step for step in view.steps if step.key == "build[1]/code")
    first, second = code.attempts
    assert first.status is AttemptStatus.INTERRUPTED
    assert second.status is AttemptStatus.SUCCEEDED
    assert first.session == second.session
    assert "I add the greeting." in model.requests[2].said
    assert "You were interrupted" in model.requests[2].said


def test_a_message_reaches_the_same_conversation_before_the_answer_counts(project, monkeypatch):
    hanging = threading.Event()
    heeded = {"json": {"summary": "Added a friendly greeting.", "files": ["hello.txt"]}}
    with FakeModel([WRITE, {**CHANGE, "hang": hanging}, heeded, SIGNED_OFF]) as model:
        run = _start(project, model, monkeypatch)
        _until(lambda: len(model.requests) == 2, "claude never asked again")
        words = "Make it a friendly one"
        control.message(project, run, "build[1]/code", words, actor="person:ann")
        hanging.set()
        view = _settled(project, run)
    assert view.row.status is RunStatus.WAITING, (view.error, view.row.status_reason)
    told = model.requests[2].said
    assert "I add the greeting." in told, "the conversation is the same"
    assert f"Message from ann, a person whom you work for:\n> {words}" in told
    code = next(step for step in view.steps if step.key == "build[1]/code")
    assert [(each.text, each.attempt) for each in code.messages] == [(words, 1)]
    with reading.open_directory(project) as db:
        assert reading.output(db, run, "build[1]/code") == heeded["json"]
    assert model.strays == []
