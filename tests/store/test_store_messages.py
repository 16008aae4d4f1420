"""Messages as rows: what may be sent, what is delivered, and the moment when it is too late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from store_kit import attempt, begins, drive, make, new_run, owner, step

from smithers.errors import LeaseLost, Refused, UnknownRun, UsageError
from smithers.model.run import Intent, RunStatus
from smithers.model.step import AttemptStatus, StepKind, StepState, StepStatus
from smithers.store import messages, runs
from smithers.store.drive import Transition

ANN, FIRST, SECOND = "person:ann", attempt("code"), attempt("code", 2)


@pytest.fixture
def store(tmp_path):
    """A run whose task `code` is in its first attempt, driven by process 1."""
    made = make(tmp_path)
    new_run(made)
    move = replace(begins("code"), placed={"code": (step("code", StepKind.TASK), 0)})
    drive(made).commit(move, now=2)
    yield made
    made.close()


def send(store, body, key="code", *, actor=ANN, driven=True):
    return messages.send(store, "r", key, body, actor=actor, now=3, driven=driven)


def deliver(store, to=FIRST, *, afresh=False, pid=1):
    told = messages.deliver(store, "r", to, owner(pid), now=4, afresh=afresh)
    return [each.body for each in told]


def shut(store, of=FIRST, pid=1):
    return messages.shut(store, "r", of, owner(pid), now=5)


def kept(store):
    return [(each.n, each.body, each.attempt) for each in messages.of(store, 1)]


def test_a_message_is_delivered_once_and_keeps_to_whom(store):
    send(store, "one")
    send(store, "two")
    assert deliver(store) == ["one", "two"]
    assert deliver(store) == []
    assert messages.of(store, 1)[0] == messages.Message(1, "code", "one", ANN, 3, 1, 4)


def test_a_conversation_that_begins_is_told_all_that_was_ever_left(store):
    send(store, "one")
    deliver(store)
    send(store, "two")
    assert deliver(store, SECOND, afresh=True) == ["one", "two"]
    assert kept(store) == [(1, "one", 2), (2, "two", 2)]


def test_the_same_words_while_they_wait_are_one_message(store):
    assert send(store, "one") == send(store, "one")
    assert send(store, "one", actor="agent:x").n == 2
    deliver(store)
    assert send(store, "one").n == 3


def test_an_answer_that_is_taken_closes_the_door_unless_something_waits(store):
    send(store, "one")
    assert not shut(store)
    deliver(store)
    assert shut(store)
    with pytest.raises(Refused, match="has just ended"):
        send(store, "too late")
    assert kept(store) == [(1, "one", 1)]


def test_the_door_of_an_attempt_that_came_to_nothing_is_open_again(store):
    shut(store)
    assert send(store, "its engine is dead", driven=False)
    over = replace(FIRST, status=AttemptStatus.INTERRUPTED, finished_at=3)
    drive(store, pid=2, dead=True).commit(Transition("again", attempts=[over, SECOND]), now=3)
    assert send(store, "to the next attempt")
    assert deliver(store, SECOND, afresh=True, pid=2) == [
        "its engine is dead",
        "to the next attempt",
    ]


def test_an_engine_that_lost_the_run_delivers_and_closes_nothing(store):
    send(store, "one")
    drive(store, pid=2, dead=True)
    for act in (deliver, shut):
        with pytest.raises(LeaseLost):
            act(store)
    assert kept(store) == [(1, "one", None)]


@pytest.mark.parametrize("body", ["", " \n", "x" * (messages.MOST_BYTES + 1), "é" * 40_000])
def test_no_words_and_too_many_are_refused(store, body):
    with pytest.raises(UsageError):
        send(store, body)
    assert kept(store) == []


def test_words_that_are_no_text_are_kept_as_far_as_they_can_be(store):
    assert send(store, "a\udcff\0\x1b[31m").body == "a\ufffd\0\x1b[31m"


def test_only_a_task_that_goes_on_can_be_told_something(store):
    engine = drive(store, pid=2, dead=True)
    placed = {"check": (step("check", StepKind.CHECK), 1), "done": (step("done", StepKind.TASK), 2)}
    changes = {"done": StepState(StepStatus.FAILED)}
    engine.commit(Transition("more", placed=placed, changes=changes), now=3)
    with pytest.raises(UsageError, match="is no task but a check"):
        send(store, "one", "check")
    with pytest.raises(UsageError, match="no step 'nothing'"):
        send(store, "one", "nothing")
    with pytest.raises(Refused, match=r"has ended \(failed\)") as refused:
        send(store, "one", "done")
    assert refused.value.next == "smithers retry r done"
    engine.commit(Transition("less", gone=["code"]), now=4)
    with pytest.raises(Refused, match="no longer in the plan"):
        send(store, "one")
    with pytest.raises(UnknownRun):
        messages.send(store, "q", "code", "one", actor=ANN, now=3, driven=False)


def test_a_run_that_ends_or_has_ended_takes_no_message(store):
    runs.intend(store, "r", Intent.CANCEL, actor=ANN, now=3)
    with pytest.raises(Refused, match="cancelled"):
        send(store, "one")
    engine = drive(store, pid=2, dead=True)
    engine.commit(Transition("over", status=RunStatus.SUCCEEDED), now=4)
    with pytest.raises(Refused, match=r"has ended \(succeeded\)"):
        send(store, "one")
