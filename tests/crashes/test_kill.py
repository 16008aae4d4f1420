"""The engine is killed at many moments; the run goes on and ends as if it had not been."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from smithers.clock import SYSTEM
from smithers.errors import Refused
from smithers.model.run import RunStatus
from smithers.service import control, reading
from tests.crashes.cases import (
    CASES,
    bury,
    finish,
    hold,
    let_go,
    until_inside,
    verify,
)
from tests.running import Workshop, alive, pids, processes, until

pytestmark = pytest.mark.slow


def kill(workshop: Workshop) -> None:
    """SIGKILL to the engine, which everybody sees within a second."""
    workshop.kill_engine()
    killed = time.monotonic()
    rows = reading.runs(workshop.db)
    assert time.monotonic() - killed < 1
    assert rows[0].status in {RunStatus.INTERRUPTED, RunStatus.WAITING} or rows[0].status.ended
    if rows[0].status is RunStatus.INTERRUPTED:
        waiting = reading.why(workshop.db, "r")[0]
        assert (waiting.kind, waiting.next) == ("interrupted", "smithers resume r")


def resume_and_finish(workshop: Workshop) -> None:
    if not workshop.view().row.status.ended:
        workshop.resume()
    finish(workshop)


INSIDE = [
    ("parallel", "a"),
    ("loop", "build[2]/code"),
    ("edits", "code"),
    ("edits", "verify"),
]


@pytest.mark.parametrize(("name", "step"), INSIDE)
def test_killed_inside_an_attempt(workshop: Workshop, name: str, step: str) -> None:
    hold(workshop, step)
    CASES[name].up(workshop)
    until_inside(workshop, step)
    kill(workshop)
    killed_at = SYSTEM.now()
    assert bury(workshop) != [], "what the attempt had started lives on"
    let_go(workshop, step)
    resume_and_finish(workshop)
    (first, _) = next(each for each in workshop.view().steps if each.key == step).attempts
    assert first.status == "interrupted"
    assert first.finished_at is not None
    assert first.finished_at <= killed_at, "the time until the resume is nobody's work"
    verify(CASES[name], workshop)


def test_killed_in_each_attempt_of_a_step(workshop: Workshop) -> None:
    hold(workshop, "code")
    CASES["edits"].up(workshop)
    for _ in range(2):
        until_inside(workshop, "code")
        kill(workshop)
        bury(workshop)
        workshop.resume()
    until_inside(workshop, "code")
    let_go(workshop, "code")
    finish(workshop)
    assert workshop.attempts()["code"] == ["interrupted", "interrupted", "succeeded"]
    verify(CASES["edits"], workshop)


def test_killed_as_soon_as_it_has_taken_over(workshop: Workshop) -> None:
    hold(workshop, "code")
    CASES["edits"].up(workshop)
    until_inside(workshop, "code")
    kill(workshop)
    bury(workshop)
    for _ in range(2):
        workshop.resume()
        kill(workshop)
    let_go(workshop, "code")
    resume_and_finish(workshop)
    assert workshop.attempts()["code"][0] == "interrupted"
    verify(CASES["edits"], workshop)


def test_killed_while_its_worktree_is_set_up(workshop: Workshop) -> None:
    out = workshop.out
    setup = f"echo setup >>{out}/setups; echo $$ >>{out}/setup.pids; touch {out}/setting; until [ -e {out}/cured ]; do sleep 0.02; done"
    workshop.config(f'[workspace]\nsetup = "{setup}"\n')
    CASES["edits"].up(workshop)
    workshop.until_file("setting").unlink()
    kill(workshop)
    (left,) = pids(workshop, "setup")
    assert alive(left)
    workshop.resume()
    workshop.until_file("setting")
    assert not alive(left)
    workshop.touch("cured")
    finish(workshop)
    assert workshop.lines("setups") == ["setup", "setup"]
    verify(CASES["edits"], workshop)


def test_told_to_leave_it_stops_what_runs_and_reads_as_interrupted(workshop: Workshop) -> None:
    hold(workshop, "b")
    CASES["sequence"].up(workshop)
    until_inside(workshop, "b")
    os.kill(workshop.engine(), signal.SIGTERM)
    workshop.until_no_engine()
    assert workshop.view().row.status is RunStatus.INTERRUPTED
    assert bury(workshop) == [], "unlike one that was killed it leaves nothing"
    let_go(workshop, "b")
    resume_and_finish(workshop)
    assert workshop.attempts()["b"] == ["interrupted", "succeeded"]
    verify(CASES["sequence"], workshop)


def test_of_many_that_resume_at_once_one_drives(workshop: Workshop) -> None:
    hold(workshop, "b")
    CASES["sequence"].up(workshop)
    until_inside(workshop, "b")
    kill(workshop)
    bury(workshop)
    fence = workshop.lease()[0].fence
    ready = threading.Barrier(4)
    said: list[str] = []

    def resume() -> None:
        ready.wait()
        try:
            workshop.resume()
            said.append("resumed")
        except Refused as error:
            said.append(error.what)

    threads = [threading.Thread(target=resume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Who was not the first has what was asked for too, or hears who has the run.
    assert "resumed" in said, said
    assert all("live engine" in word for word in said if word != "resumed")
    assert workshop.lease()[0].fence == fence + 1
    assert alive(workshop.engine())
    until_inside(workshop, "b")
    until(lambda: len(_engines(workshop)) == 1)
    let_go(workshop, "b")
    finish(workshop)
    assert workshop.attempts()["b"] == ["interrupted", "succeeded"]
    verify(CASES["sequence"], workshop)


def _engines(workshop: Workshop) -> list[str]:
    return [each for each in processes(workshop.root).values() if "supervise.main" in each]


def test_a_run_that_lost_its_engine_is_brought_back_on_sight(workshop: Workshop) -> None:
    hold(workshop, "b")
    CASES["sequence"].up(workshop)
    until_inside(workshop, "b")
    kill(workshop)
    bury(workshop)
    let_go(workshop, "b")
    control.ensure_engine(workshop.root, "r")
    finish(workshop)
    verify(CASES["sequence"], workshop)
