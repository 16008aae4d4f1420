"""What rarely happens to a run directory, and must not cost anything when it does."""

from __future__ import annotations

import sqlite3
import stat
import threading
from dataclasses import replace

import pytest

from smithers.errors import Refused, StoreError, StoreGone
from smithers.model.gate import Answer, Decision
from smithers.model.run import Intent, RunStatus
from smithers.model.step import AttemptStatus, StepState, StepStatus
from smithers.store import database, runs
from smithers.store.database import NAME, Store
from smithers.store.drive import Transition
from tests.store.store_kit import attempt, begins, drive, gate, make, new_run, step


@pytest.fixture
def store(tmp_path):
    made = make(tmp_path)
    new_run(made)
    yield made
    made.close()


def row(store, key):
    return store.all("SELECT status, reason, wake_at, gone FROM steps WHERE key = ?", (key,))[0]


def history(store, key):
    rows = store.all("SELECT status FROM step_history WHERE key = ? ORDER BY frame", (key,))
    return [status for (status,) in rows]


# -- the file --


def test_what_was_written_into_a_deleted_file_is_not_acknowledged_and_not_there(tmp_path):
    store = make(tmp_path)
    new_run(store)
    (tmp_path / NAME).unlink()
    with pytest.raises(StoreGone):
        new_run(store, "later")
    assert store.all("SELECT id FROM runs") == [("r",)]


def test_a_checkpoint_that_fails_does_not_make_a_commit_fail(tmp_path, monkeypatch):
    store = make(tmp_path)
    monkeypatch.setattr(store, "_checkpoint_at", 0)
    real = store._db

    class NoRoom:
        """A connection whose disk has no room left for the checkpoint."""

        def execute(self, sql, *parameters):
            if "wal_checkpoint" in sql:
                raise sqlite3.OperationalError("database or disk is full")
            return real.execute(sql, *parameters)

        def __getattr__(self, name):
            return getattr(real, name)

    monkeypatch.setattr(store, "_db", NoRoom())
    new_run(store)
    assert store.all("SELECT id FROM runs") == [("r",)]


@pytest.fixture
def older(tmp_path, monkeypatch):
    """A run directory of this version, and a program that knows the next."""
    state, scripts = tmp_path / "state", tmp_path / "migrations"
    state.mkdir()
    scripts.mkdir()
    (scripts / "0004_colour.sql").write_text("ALTER TABLE runs ADD COLUMN colour TEXT;")
    make(state).close()
    monkeypatch.setattr(database, "VERSION", 4)
    monkeypatch.setattr(database, "MIGRATIONS", scripts)
    return state


def test_the_copy_that_a_migration_leaves_can_be_read_by_its_owner_only(older):
    Store(older).close()
    assert stat.S_IMODE((older / f"{NAME}.v3").stat().st_mode) == 0o600
    assert not (older / f"{NAME}.trial").exists()


def test_two_processes_that_find_an_older_database_migrate_it_once(older):
    problems = []

    def opened():
        try:
            Store(older).close()
        except (StoreError, sqlite3.Error) as error:
            problems.append(error)

    both = [threading.Thread(target=opened) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert problems == []
    assert Store(older).all("SELECT version FROM meta") == [(4,)]


# -- steps that leave and come back --


def test_a_step_that_comes_back_is_pending_whatever_it_was_when_it_left(store):
    pen = drive(store)
    pen.commit(begins("a"), now=1)
    pen.commit(Transition("left", gone=["a"]), now=2)
    assert row(store, "a") == ("running", "", None, 1)
    pen.commit(Transition("came back", placed={"a": (step("a"), 0)}), now=3)
    assert row(store, "a") == ("pending", "", None, 0)
    assert history(store, "a") == ["running", "pending"]


def test_a_step_may_come_back_and_start_in_one_frame(store):
    pen = drive(store)
    pen.commit(begins("a"), now=1)
    pen.commit(Transition("left", gone=["a"]), now=2)
    back = replace(begins("a"), attempts=[attempt("a", 2)])
    pen.commit(back, now=3)
    assert row(store, "a") == ("running", "", None, 0)
    assert history(store, "a") == ["running", "running"]


def test_a_step_that_has_left_the_plan_is_not_reopened(store):
    pen = drive(store)
    pen.commit(begins("a"), now=1)
    failed = Transition(
        "a failed",
        attempts=[replace(attempt("a", status=AttemptStatus.FAILED), finished_at=2)],
        changes={"a": StepState(StepStatus.FAILED)},
    )
    pen.commit(failed, now=2)
    pen.commit(Transition("left", gone=["a"]), now=3)
    with pytest.raises(Refused, match="no step 'a'"):
        runs.reopen(store, "r", "a", actor="person:t", now=9)


# -- gates --


def test_gates_are_in_order_of_opening_though_the_clock_was_set_back(store):
    pen = drive(store)
    for number in range(1, 12):
        asked = replace(gate(number=number), opened_at=100 - number)
        pen.commit(Transition("asks", gates=[asked]), now=1)
        runs.decide(store, "r", Decision(asked.id, Answer.DENY, "person:t", "app", "", "d1", 3))
    asked = runs.facts(store, "r").gates["ship"]
    assert [one.id for one in asked] == [f"ship#{number}" for number in range(1, 12)]


def test_nothing_is_decided_about_a_run_that_has_ended(store):
    pen = drive(store)
    move = Transition("asks", gates=[gate()], status=RunStatus.WAITING)
    pen.commit(move, now=1, release_at=0)
    runs.intend(store, "r", Intent.CANCEL, actor="person:t", now=2)
    with pytest.raises(Refused, match="has ended"):
        runs.decide(store, "r", Decision("ship#1", Answer.APPROVE, "person:t", "app", "", "d1", 3))


# -- runs that nobody drives --


def parked(store, **states):
    """A run that waits, with these steps."""
    pen = drive(store)
    move = Transition(
        "parks",
        placed={key: (step(key), place) for place, key in enumerate(states)},
        changes={key: StepState(status) for key, status in states.items()},
        status=RunStatus.WAITING,
        counts=(len(states), 0, 0, 0, 1),
    )
    assert pen.commit(move, now=1, release_at=0)


def test_cancelling_a_parked_run_ends_its_open_steps_in_a_frame_of_its_own(store):
    parked(
        store,
        done=StepStatus.SUCCEEDED,
        bad=StepStatus.FAILED,
        passed=StepStatus.SKIPPED,
        asks=StepStatus.WAITING,
        later=StepStatus.PENDING,
    )
    runs.intend(store, "r", Intent.CANCEL, actor="person:t", now=5)
    now = dict(store.all("SELECT key, status FROM steps"))
    assert now == {
        "done": "succeeded",
        "bad": "failed",
        "passed": "skipped",
        "asks": "cancelled",
        "later": "cancelled",
    }
    assert history(store, "asks") == ["waiting", "cancelled"]
    assert history(store, "passed") == ["skipped"]
    assert store.all("SELECT frame, waiting FROM runs") == [(2, 0)]


def test_a_step_that_is_reopened_in_a_waiting_run_queues_it(store):
    pen = drive(store)
    move = replace(
        begins("a"),
        attempts=[replace(attempt("a", status=AttemptStatus.FAILED), finished_at=2)],
        changes={"a": StepState(StepStatus.FAILED)},
        status=RunStatus.WAITING,
    )
    pen.commit(move, now=1, release_at=0)
    assert runs.reopen(store, "r", "a", actor="person:t", now=9).status is RunStatus.QUEUED
