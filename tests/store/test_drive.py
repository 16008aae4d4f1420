"""Claim, frames and parking: one writer, a fence on every write, no wake-up lost."""

from __future__ import annotations

import sqlite3

import pytest

from smithers.errors import LeaseLost, Refused, UnknownRun
from smithers.model.gate import Answer, Decision
from smithers.model.run import Intent, RunStatus
from smithers.model.step import AttemptStatus, Output, StepState, StepStatus
from smithers.store import runs
from smithers.store.drive import Transition
from tests.store.store_kit import attempt, begins, drive, gate, make, new_run

APPROVED = Decision("ship#1", Answer.APPROVE, "person:t", "terminal", "", "d1", 5)
WAITS = Transition("run waiting", gates=[gate()], status=RunStatus.WAITING, reason="waits at ship")


@pytest.fixture
def store(tmp_path):
    store = make(tmp_path)
    new_run(store)
    yield store
    store.close()


def test_an_id_is_given_once(store):
    with pytest.raises(Refused, match="taken"):
        new_run(store)


def test_a_live_engine_is_not_replaced(store):
    first = drive(store)
    with pytest.raises(Refused, match="driven by a live engine"):
        drive(store, pid=2)
    assert first.lease.fence == 1


def test_a_dead_one_is_replaced_and_writes_nothing_more(store):
    first = drive(store)
    second = drive(store, pid=2, dead=True)
    assert second.lease.fence == 2
    with pytest.raises(LeaseLost):
        first.commit(begins("a"), now=2)
    with pytest.raises(LeaseLost):
        first.renew(2)
    with pytest.raises(LeaseLost):
        first.open_gates([gate()], snapshots=[], now=2)
    assert store.all("SELECT count(*) FROM frames") == [(0,)]
    assert second.commit(begins("a"), now=2)


def test_an_unknown_run_cannot_be_claimed(store):
    with pytest.raises(UnknownRun):
        drive(store, "nobody")


def test_a_frame_holds_what_it_changed_and_they_are_numbered(store):
    pen = drive(store)
    pen.commit(begins("a"), now=2)
    done = Transition(
        "a succeeded",
        attempts=[attempt("a", status=AttemptStatus.SUCCEEDED)],
        outputs=[Output("a", {"x": 1})],
        changes={"a": StepState(StepStatus.SUCCEEDED)},
        status=RunStatus.SUCCEEDED,
    )
    pen.commit(done, now=3, release_at=0)
    assert store.all("SELECT n, why FROM frames") == [(1, "a started"), (2, "a succeeded")]
    assert store.all("SELECT frame, key, status FROM step_history") == [
        (1, "a", "running"),
        (2, "a", "succeeded"),
    ]
    facts = runs.facts(store, "r")
    assert facts.outputs["a"].value == {"x": 1}
    assert (facts.run.status, facts.run.finished_at) == (RunStatus.SUCCEEDED, 3)


def test_an_output_is_written_once(store):
    pen = drive(store)
    pen.commit(Transition("one", outputs=[Output("a", 1)]), now=2)
    with pytest.raises(sqlite3.IntegrityError):
        pen.commit(Transition("two", outputs=[Output("a", 2)]), now=3)
    assert pen.frame == 1
    assert runs.facts(store, "r").outputs["a"].value == 1


def test_parking_gives_the_lease_back(store):
    pen = drive(store)
    assert pen.commit(WAITS, now=2, release_at=0)
    assert runs.lease(store, "r")[1] is False
    with pytest.raises(LeaseLost):
        pen.renew(3)


def test_a_decision_before_parking_keeps_the_engine(store):
    pen = drive(store)
    pen.commit(WAITS, now=2)
    runs.decide(store, "r", APPROVED)
    assert not pen.commit(Transition("run waiting", status=RunStatus.WAITING), now=3, release_at=0)
    assert runs.lease(store, "r")[1] is True
    assert pen.frame == 1


def test_a_decision_after_parking_queues_the_run(store):
    drive(store).commit(WAITS, now=2, release_at=0)
    runs.decide(store, "r", APPROVED)
    assert runs.get(store, "r").status is RunStatus.QUEUED


def test_the_first_decision_stands(store):
    drive(store).commit(WAITS, now=2, release_at=0)
    runs.decide(store, "r", APPROVED)
    late = Decision("ship#1", Answer.DENY, "person:u", "app", "", "d1", 6)
    with pytest.raises(Refused, match="approved already by person:t"):
        runs.decide(store, "r", late)
    (decided,) = runs.gates_of(store, "r")
    assert decided.decision == APPROVED


def test_a_decision_about_something_else_is_refused(store):
    drive(store).commit(WAITS, now=2, release_at=0)
    other = Decision("ship#1", Answer.APPROVE, "person:t", "app", "", "d2", 5)
    with pytest.raises(Refused, match="has changed"):
        runs.decide(store, "r", other)
    (still,) = runs.gates_of(store, "r")
    assert still.decision is None


def test_asking_of_a_parked_run_settles_it(store):
    drive(store).commit(WAITS, now=2, release_at=0)
    assert runs.intend(store, "r", Intent.PAUSE, actor="p", now=3).status is RunStatus.PAUSED
    assert runs.intend(store, "r", Intent.GO, actor="p", now=4).status is RunStatus.QUEUED
    assert runs.intend(store, "r", Intent.CANCEL, actor="p", now=5).status is RunStatus.CANCELLED
    with pytest.raises(Refused, match="has ended"):
        runs.intend(store, "r", Intent.GO, actor="p", now=6)


def test_asking_of_a_driven_run_only_raises_its_rev(store):
    drive(store).commit(begins("a"), now=2)
    run = runs.intend(store, "r", Intent.CANCEL, actor="p", now=3)
    assert (run.status, run.intent, run.rev) == (RunStatus.RUNNING, Intent.CANCEL, 1)


def test_only_a_failed_step_is_reopened_and_its_run_queued(store):
    pen = drive(store)
    pen.commit(begins("a"), now=2)
    with pytest.raises(Refused, match="only a step that failed"):
        runs.reopen(store, "r", "a", actor="person:t", now=9)
    failed = Transition(
        "a failed",
        attempts=[attempt("a", status=AttemptStatus.FAILED)],
        changes={"a": StepState(StepStatus.FAILED)},
        status=RunStatus.FAILED,
    )
    pen.commit(failed, now=3, release_at=0)
    assert runs.reopen(store, "r", "a", actor="person:t", now=9).status is RunStatus.QUEUED
    assert runs.facts(store, "r").attempts["a"][-1].reopened == "person:t"
    with pytest.raises(Refused, match="no step 'b'"):
        runs.reopen(store, "r", "b", actor="person:t", now=9)


def test_the_first_to_say_stop_is_recorded(store):
    runs.stop(store, "r", actor="person:t", now=9)
    assert runs.stop(store, "r", actor="agent:x", now=9).stop_by == "person:t"


def test_text_that_is_no_unicode_can_be_kept(store):
    pen = drive(store)
    odd = Transition("odd", outputs=[Output("a", "b\udcffc")], reason="d\udcffe")
    pen.commit(odd, now=2)
    facts = runs.facts(store, "r")
    assert facts.outputs["a"].value == "b\udcffc"
    assert facts.run.status_reason == "d�e"
