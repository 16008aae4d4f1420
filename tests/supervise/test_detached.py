"""Starting an engine: it is there when the launcher returns, and outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smithers.errors import SmithersError
from smithers.model.run import RunStatus
from smithers.process.identity import Life, life
from smithers.supervise import spawn
from tests.running import Workshop, alive, hold, processes

pytestmark = pytest.mark.slow


def held(workshop: Workshop) -> str:
    return workshop.flow(f'return Check("work", {hold(workshop, "work")!r})')


def launcher(workshop: Workshop, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "smithers.cli", *words],
        cwd=workshop.root,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_when_up_returns_the_engine_drives(workshop: Workshop) -> None:
    workshop.up(held(workshop))
    lease, is_held = workshop.lease()
    assert is_held
    assert lease.fence == 1
    assert life(lease.owner) is Life.ALIVE
    assert os.getsid(lease.owner.pid) == lease.owner.pid
    workshop.touch("work.go")
    workshop.until_ended()


def test_it_holds_no_pipe_of_the_launcher_and_outlives_its_group(workshop: Workshop) -> None:
    with launcher(workshop, "up", held(workshop), "--run-id", "r", "-d", "--json") as started:
        assert started.stdout is not None
        said = json.loads(started.stdout.read())  # to its end, while the engine runs
        assert said["id"] == "r"
    assert alive(workshop.engine())
    follower = launcher(workshop, "logs", "r", "-f")
    workshop.until_file("work.reached")
    os.killpg(follower.pid, signal.SIGKILL)
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    follower.communicate()
    assert alive(workshop.engine())
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_launcher_in_the_foreground_can_be_killed_with_its_group(workshop: Workshop) -> None:
    with launcher(workshop, "up", held(workshop), "--run-id", "r") as started:
        workshop.until_file("work.reached")
        os.killpg(started.pid, signal.SIGKILL)
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def program(workshop: Workshop, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = workshop.out / "engine"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setattr(spawn.sys, "executable", str(path))  # type: ignore[attr-defined]
    return path


def test_an_engine_that_does_not_start_leaves_its_last_words(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = held(workshop)
    with monkeypatch.context() as patch:
        program(workshop, "echo one >&2; echo no luck today >&2; exit 3", patch)
        with pytest.raises(SmithersError, match="did not start: one / no luck today") as raised:
            workshop.up(flow)
    assert raised.value.kept
    assert "engine.log" in raised.value.next
    assert workshop.view().row.status is RunStatus.QUEUED
    workshop.touch("work.go")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_an_engine_that_says_nothing_is_not_waited_for_for_ever(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "READY_SECONDS", 0.2)
    with monkeypatch.context() as patch:
        program(workshop, f"cd {workshop.out}; exec sleep 300", patch)
        with pytest.raises(SmithersError, match="did not start"):
            workshop.up(held(workshop))
    for pid in processes(workshop.out):
        os.kill(pid, signal.SIGKILL)


def test_an_engine_gets_none_of_the_marks_of_who_starts_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMITHERS_STEP", "somewhere")
    workshop.up(held(workshop))
    environ = Path(f"/proc/{workshop.engine()}/environ").read_bytes()
    assert b"SMITHERS_" not in environ
    workshop.touch("work.go")
    workshop.until_ended()


def test_inside_an_attempt_nothing_is_started(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as inside:
        inside.setenv("SMITHERS_RUN", "outer")
        inside.setenv("SMITHERS_ATTEMPT", "outer/step.1.0000000000ff")
        workshop.up(held(workshop))
    view = workshop.view()
    assert view.row.status is RunStatus.QUEUED
    assert view.parent == "outer/step.1.0000000000ff"
    assert view.engine is None
    workshop.touch("work.go")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
