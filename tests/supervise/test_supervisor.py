"""A supervisor brings back what has work and no engine: once, and nothing that somebody stopped."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from smithers.clock import SYSTEM
from smithers.model.gate import Answer, Decision
from smithers.model.run import Intent, RunStatus
from smithers.service import control, locate
from smithers.store import runs
from smithers.store.database import Store
from tests.running import ACTOR, Workshop, alive, fail, hold, processes, until, write
from tests.supervise.conftest import Supervised

pytestmark = pytest.mark.slow

GATE = 'return Sequence(Approval("ship", "Ship it?"), Check("after", "true"))'


def held(workshop: Workshop, name: str = "work") -> str:
    return workshop.flow(f'return Check("work", {hold(workshop, name)!r} + "; true")', name=name)


def killed_inside(workshop: Workshop, name: str = "work", run: str = "r") -> None:
    """A run whose engine was killed in the middle of an attempt."""
    workshop.up(held(workshop, name), run=run)
    workshop.until_file(f"{name}.reached")
    workshop.kill_engine(run)


def parked(workshop: Workshop) -> None:
    """A run that waits at a gate, and whose engine is gone."""
    workshop.up(workshop.flow(GATE))
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()


def test_a_run_whose_engine_was_killed_is_brought_back_once(
    workshop: Workshop, supervised: Supervised
) -> None:
    supervised.begin()
    workshop.up(held(workshop))
    workshop.until_file("work.reached").unlink()
    workshop.kill_engine()
    workshop.until_file("work.reached")
    assert workshop.lease()[0].fence == 2
    assert [each for each in processes(workshop.root).values() if "supervise.main" in each] != []
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["interrupted", "succeeded"]}
    until(lambda: supervised.said() == [("r", "started")], tell=supervised.words)
    assert workshop.lease()[0].fence == 2


def test_a_machine_that_restarts_picks_up_where_it_was(
    workshop: Workshop, supervised: Supervised, store: Store
) -> None:
    killed_inside(workshop)
    workshop.touch("work.go")
    with store.write() as db:
        db.execute("UPDATE leases SET boot_id = 'before', pid = 1, crashes = 4, crash_frame = 0")
    supervised.begin()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["interrupted", "succeeded"]}
    counted = store.all("SELECT crashes FROM leases")
    assert counted == [(4,)], "who pulls the plug says nothing of the place"


def test_a_queued_run_is_started(
    workshop: Workshop, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as inside:
        inside.setenv("SMITHERS_RUN", "outer")
        inside.setenv("SMITHERS_ATTEMPT", "outer/step.1.0000000000ff")
        workshop.up(workshop.flow('return Check("work", "true")'))
    assert workshop.view().row.status is RunStatus.QUEUED
    supervised.begin()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_decision_whose_maker_died_before_the_engine_came_is_dealt_with(
    workshop: Workshop, supervised: Supervised, store: Store
) -> None:
    parked(workshop)
    supervised.begin()
    (gate,) = runs.gates_of(store, "r")
    decision = Decision(gate.id, Answer.APPROVE, ACTOR, "app", "", gate.digest, SYSTEM.now())
    runs.decide(store, "r", decision)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lease()[0].fence == 2


def test_a_parked_run_whose_time_has_come_is_taken_up_once(
    workshop: Workshop, supervised: Supervised, store: Store
) -> None:
    parked(workshop)
    supervised.begin()
    with store.write() as db:
        db.execute("UPDATE runs SET wake_at = ?", (SYSTEM.now() + 300,))
    until(lambda: supervised.said() == [("r", "started")], tell=supervised.words)
    workshop.until_no_engine()
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert supervised.said() == [("r", "started")]


def test_a_wait_for_a_retry_goes_on_where_it_was(
    workshop: Workshop, supervised: Supervised
) -> None:
    supervised.begin()
    turns = [fail("rate_limit", retry_after=2), write("a", "a\n")]
    workshop.up(workshop.flow('return Task("code", agent="coder", prompt="x")'), *turns)
    workshop.until_step("code", "retrying")
    workshop.kill_engine()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"code": ["rate_limited", "succeeded"]}


def test_what_somebody_paused_or_cancelled_is_left_alone(
    workshop: Workshop, supervised: Supervised, store: Store
) -> None:
    asked = {"pausing": Intent.PAUSE, "ending": Intent.CANCEL}
    for run, intent in asked.items():
        killed_inside(workshop, run, run)
        runs.intend(store, run, intent, actor=ACTOR, now=SYSTEM.now())
    workshop.up(workshop.flow(GATE), run="parked")
    workshop.until_status(RunStatus.WAITING, run="parked")
    control.pause(workshop.root, "parked", now=False, actor=ACTOR)
    workshop.approve("parked")
    killed_inside(workshop)
    workshop.touch("work.go")
    supervised.begin()
    workshop.until_ended()
    until(lambda: supervised.said() == [("r", "started")], tell=supervised.words)
    assert {workshop.lease(run)[0].fence for run in (*asked, "parked")} == {1}
    assert not any(workshop.engine_lives(run) for run in asked)
    workshop.touch("pausing.go")
    workshop.resume("pausing")
    assert workshop.until_ended("pausing").row.status is RunStatus.SUCCEEDED
    control.cancel(workshop.root, "ending", actor=ACTOR)
    workshop.until_ended("ending")


def test_one_supervisor_watches_and_the_next_comes_when_it_is_gone(
    workshop: Workshop, supervised: Supervised, store: Store
) -> None:
    first = supervised.begin()
    second = subprocess.run(
        [sys.executable, "-m", "smithers.cli", "supervise"],
        cwd=workshop.root,
        capture_output=True,
        text=True,
    )
    assert second.returncode == 5
    assert f"at work (process {first.pid})" in second.stderr
    first.kill()
    first.wait()
    supervised.begin()


def test_its_engines_outlive_it(workshop: Workshop, supervised: Supervised) -> None:
    killed_inside(workshop)
    (workshop.out / "work.reached").unlink()
    process = supervised.begin()
    workshop.until_file("work.reached")
    process.terminate()
    assert process.wait(30) == 0
    assert alive(workshop.engine())
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_an_engine_that_does_not_come_up_is_tried_again(
    workshop: Workshop, supervised: Supervised
) -> None:
    killed_inside(workshop)
    workshop.touch("work.go")
    log = locate.state_dir(workshop.root) / "logs" / "r" / "engine.log"
    log.unlink()
    log.mkdir()
    supervised.begin()
    until(lambda: ("r", "failed") in supervised.said(), tell=supervised.words)
    log.rmdir()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_it_leaves_when_the_run_directory_is_taken_away(
    workshop: Workshop, supervised: Supervised, store: Store
) -> None:
    process = supervised.begin()
    shutil.rmtree(locate.state_dir(workshop.root))
    assert process.wait(30) == 1
    assert "deleted or moved" in supervised.words()
    supervised.started.clear()


def test_without_a_run_directory_there_is_nothing_to_watch(workshop: Workshop) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "smithers.cli", "supervise"],
        cwd=workshop.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "smithers init" in done.stderr
