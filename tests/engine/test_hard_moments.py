"""Moments in which a result, a wake-up or an engine could be lost, and is not."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from dataclasses import replace

import pytest

from smithers.engine.attempt import Ended, _uncancelled
from smithers.engine.frames import counted
from smithers.errors import Refused, StoreBusy
from smithers.model.run import RunStatus
from smithers.model.step import Attempt, AttemptStatus, Output
from smithers.service import control, locate
from smithers.store import runs
from smithers.store.database import Store
from tests.running import ACTOR, Workshop, hold, until


@pytest.mark.slow
def test_an_engine_outlasts_whoever_holds_the_writer(workshop: Workshop) -> None:
    flow = workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")')
    workshop.up(flow)
    workshop.until_file("work.reached")
    engine = workshop.engine()
    state = os.open(locate.state_dir(workshop.root), os.O_RDONLY)
    fcntl.flock(state, fcntl.LOCK_EX)
    workshop.touch("work.go")
    for _ in range(2):
        # Each try waits as long for the writer as the engine does, so this outlasts its own.
        with pytest.raises(StoreBusy):
            control.pause(workshop.root, "r", now=False, actor=ACTOR)
    assert workshop.engine() == engine
    os.close(state)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["succeeded"]}


@pytest.mark.slow
def test_told_to_leave_it_still_records_what_has_just_ended(workshop: Workshop) -> None:
    workshop.up(workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")'))
    workshop.until_file("work.reached")
    files = workshop.root / ".git" / "smithers"
    files.mkdir(exist_ok=True)
    busy = os.open(files, os.O_RDONLY)
    fcntl.flock(busy, fcntl.LOCK_EX)
    workshop.touch("work.go")
    until(lambda: "exit 0" in workshop.log("work"), tell=workshop.tell)
    os.kill(workshop.engine(), signal.SIGTERM)
    assert workshop.attempts() == {"work": ["running"]}, "its files are still being read"
    os.close(busy)
    workshop.until_no_engine()
    assert workshop.attempts() == {"work": ["succeeded"]}
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


@pytest.mark.slow
def test_an_attempt_whose_log_cannot_be_written_fails_alone(workshop: Workshop) -> None:
    flow = workshop.flow(
        f"""
        return Parallel(
            Check("beside", {hold(workshop, "beside")!r} + "; true"),
            Sequence(Check("first", {hold(workshop, "first")!r} + "; true"), Check("next", "true")),
        )
        """
    )
    workshop.up(flow)
    workshop.until_file("beside.reached")
    workshop.until_file("first.reached")
    logs = locate.state_dir(workshop.root) / "logs" / "r"
    logs.rename(logs.with_name("kept"))
    logs.touch()
    workshop.touch("first.go")
    workshop.until_step("next", "failed")
    logs.unlink()
    logs.with_name("kept").rename(logs)
    workshop.touch("beside.go")
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert "log cannot be written" in view.row.status_reason
    assert workshop.attempts()["beside"] == ["succeeded"]


@pytest.mark.slow
def test_resume_lets_a_living_engine_renew_its_lease(workshop: Workshop) -> None:
    workshop.up(workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")'))
    workshop.until_file("work.reached")
    engine = workshop.engine()
    store = Store(locate.state_dir(workshop.root))
    with store.write() as db:
        db.execute("UPDATE leases SET expires_at = 1")
    store.close()
    with pytest.raises(Refused, match="driven by a live engine"):
        workshop.resume()
    assert workshop.engine() == engine
    workshop.touch("work.go")
    workshop.until_ended()
    assert workshop.attempts() == {"work": ["succeeded"]}


@pytest.mark.slow
def test_a_run_that_only_waits_for_a_retry_says_that_it_runs(workshop: Workshop) -> None:
    workshop.up(workshop.flow('return Check("work", "exit 3", retries=1)'))
    workshop.until_step("work", "retrying")
    control.pause(workshop.root, "r", now=False, actor=ACTOR)
    workshop.until_status(RunStatus.PAUSED)
    workshop.until_no_engine()
    workshop.resume()
    until(lambda: runs.get(workshop.db.reader, "r").status is RunStatus.RUNNING, tell=workshop.tell)
    assert workshop.attempts() == {"work": ["failed"]}
    control.cancel(workshop.root, "r", actor=ACTOR)
    workshop.until_ended()


@pytest.mark.slow
def test_a_red_check_of_a_run_that_succeeded_is_not_reopened(workshop: Workshop) -> None:
    flow = workshop.flow(
        """
        def body(turn):
            return Check("probe", f"test {turn.iteration} -eq 2")
        return Loop("again", body, until=lambda turn: True, max_iterations=3)
        """
    )
    workshop.up(flow)
    before = workshop.until_ended().row
    assert before.status is RunStatus.SUCCEEDED
    with pytest.raises(Refused, match="only a step that failed"):
        control.retry(workshop.root, "r", "again[1]/probe", agents={}, actor=ACTOR)
    assert workshop.view().row == before


def test_clearing_up_is_not_cut_short() -> None:
    async def script() -> list[str]:
        told: list[str] = []
        may_end = asyncio.Event()

        async def clear() -> None:
            await may_end.wait()
            told.append("cleared")

        task = asyncio.create_task(_uncancelled(clear()))
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.sleep(0)
        may_end.set()
        await task
        return told

    assert asyncio.run(script()) == ["cleared"]


def test_counts_follow_what_ended_without_a_plan() -> None:
    attempt = Attempt("a", 1, 1, AttemptStatus.SUCCEEDED, 0)
    ended = [
        Ended(attempt, Output("a", None)),
        Ended(replace(attempt, key="b", status=AttemptStatus.FAILED)),
        Ended(replace(attempt, key="c", status=AttemptStatus.STOPPED)),
    ]
    assert counted(ended, (9, 2, 0, 4, 1)) == (9, 3, 1, 1, 1)


@pytest.mark.slow
def test_files_are_not_set_back_over_what_another_step_has_written_since(
    workshop: Workshop,
) -> None:
    code = 'Task("code", agent="coder", prompt="go", output=Answer)'
    held = {"step": "code", "do": [{"run": hold(workshop, "code")}], "output": {"text": "never"}}
    turn = {"step": "code", "attempt": 2, "do": [], "output": {"text": "done"}}
    flow = workshop.flow(f"return Sequence({code})", edits=True)
    workshop.up(flow, turn, {**held, "attempt": 1})
    workshop.until_file("code.reached")
    workshop.kill_engine()
    workshop.flow(f'return Sequence(Check("fresh", "echo kept >precious"), {code})', edits=True)
    workshop.resume()
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.attempts()["code"] == ["interrupted", "succeeded"]
    assert workshop.git("show", "smithers/r:precious") == "kept"


@pytest.mark.slow
def test_a_value_reads_the_same_at_once_as_after_a_resume(workshop: Workshop) -> None:
    workshop.up(
        workshop.flow(
            """
            made = Call("made", lambda: {1: (2, 3)})
            return Sequence(made, Check("told", "true", title=repr(ctx.get(made))))
            """
        )
    )
    view = workshop.until_ended()
    (told,) = [step for step in view.steps if step.key == "told"]
    assert told.title == "{'1': [2, 3]}"
