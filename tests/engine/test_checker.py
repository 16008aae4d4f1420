"""The checker: silent about a run that is right, and in words about each thing that is wrong."""

from __future__ import annotations

import pytest

from smithers.author.steps import Approval, Call, Loop, Sequence
from smithers.engine.checker import check
from smithers.model.gate import Answer
from smithers.model.run import Intent
from tests.laws.ledger import Rows
from tests.schedule.driven import Driven, workflow


def written(ctx):
    build = Loop(
        "build", lambda turn: Call("x", str), until=lambda t: t.iteration == 2, max_iterations=3
    )
    return Sequence(build, Approval("ship", "Ship?"), Call("last", str))


@pytest.fixture
def run(tmp_path):
    """A run that has been round a loop twice and waits at a gate."""
    driven = Driven(workflow(written), Rows(tmp_path))
    driven.round()
    driven.succeed("build[1]/x")
    driven.succeed("build[2]/x")
    yield driven
    driven.ledger.store.close()


def wrong(run, sql=""):
    store = run.ledger.store
    if sql:
        with store.write() as db:
            db.execute(sql)
    return check(store, "r")


def test_a_run_that_is_right_is_passed_without_a_word(run):
    assert wrong(run) == []


def test_what_came_from_outside_since_the_last_frame_is_allowed_for(run):
    (gate,) = run.asking
    run.ledger.decide(gate, Answer.APPROVE)
    assert wrong(run) == []
    run.ledger.stop()
    run.ledger.intend(Intent.CANCEL)
    assert wrong(run) == []


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "UPDATE steps SET status = 'failed' WHERE key = 'build[1]/x'",
            "step build[1]/x is recorded as failed and follows as succeeded",
        ),
        ("UPDATE runs SET total = 9", "the run says total 9, its steps say 5"),
        ("UPDATE runs SET waiting = 0", "the run says waiting 0, its steps say 1"),
        ("DELETE FROM frames WHERE n = 2", "frames have a gap"),
        ("UPDATE runs SET frame = 7", "the run says frame 7"),
        ("UPDATE steps SET status = 'ready' WHERE key = 'last'", "the last frame that names it"),
        (
            "DELETE FROM outputs WHERE key = 'build[2]/x'",
            "succeeded in attempt 1 and has no output",
        ),
        (
            "UPDATE attempts SET status = 'failed' WHERE key = 'build[1]/x'",
            "build[1]/x has an output, and its last attempt is failed",
        ),
        ("UPDATE attempts SET n = 2 WHERE key = 'build[1]/x'", "are numbered [2]"),
        ("UPDATE attempts SET finished_at = NULL", "is succeeded, finished None"),
        ("INSERT INTO outputs SELECT seq, 'odd', '1' FROM runs", "was never in the plan"),
        ("INSERT INTO outputs SELECT seq, 'ship', '1' FROM runs", "its gate says nothing"),
        ("DELETE FROM outputs WHERE key = 'build[1]'", "and the one before it has none"),
        ("UPDATE gates SET open = 0", "gate ship#1 is closed and not decided"),
        ("UPDATE runs SET status = 'succeeded'", "the run succeeded, and ship is waiting"),
        ("UPDATE runs SET finished_at = 5", "the run is waiting and finished at 5"),
    ],
)
def test_each_thing_that_is_wrong_is_said(run, sql, said):
    assert any(said in one for one in wrong(run, sql))
