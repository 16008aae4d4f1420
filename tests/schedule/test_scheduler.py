"""What follows from what: one workflow, one event at a time."""

from __future__ import annotations

import pytest

from smithers.author.steps import Approval, Call, Check, Loop, Parallel, Sequence, Task
from smithers.errors import RenderError
from smithers.model.gate import Answer, GateKind
from smithers.model.run import Intent, RunStatus
from smithers.model.step import StepStatus
from tests.schedule.driven import Driven, drive, workflow


def task(name, **kwargs):
    return Task(name, agent="coder", prompt="do it", **kwargs)


def until_never(turn):
    return False


def loop(*steps, most=3, until=until_never, name="build", **kwargs):
    return Loop(name, lambda turn: Sequence(*steps), until=until, max_iterations=most, **kwargs)


def checked_loop(**kwargs):
    """A loop whose iterations are one check."""
    return loop(Check("checks", "true"), until=lambda turn: True, **kwargs)


# -- order --


def test_a_sequence_runs_one_step_after_the_other():
    run = drive(lambda ctx: Sequence(task("a"), task("b")))
    assert run.begun == ["a"]
    run.succeed("a")
    assert run.begun == ["a", "b"]
    run.succeed("b")
    assert run.standing is RunStatus.SUCCEEDED


def test_a_failed_step_ends_its_sequence_and_says_why_the_rest_is_skipped():
    run = drive(lambda ctx: Sequence(task("a"), task("b"), task("c")))
    run.fail("a", error="no luck")
    assert run.status("b") is StepStatus.SKIPPED
    assert run.reason("b") == "a failed"
    assert run.reason("c") == "b skipped"
    assert run.standing is RunStatus.FAILED
    assert run.last.reason == "a failed: no luck"


def test_a_failed_step_does_not_end_what_runs_beside_it():
    run = drive(lambda ctx: Parallel(Sequence(task("a"), task("b")), task("c")))
    run.fail("a")
    assert run.standing is RunStatus.RUNNING
    run.succeed("c")
    assert run.standing is RunStatus.FAILED


def test_a_false_condition_skips_a_step_and_lets_the_next_one_start():
    run = drive(lambda ctx: Sequence(task("a", when=False), task("b")))
    assert run.status("a") is StepStatus.SKIPPED
    assert run.reason("a") == "its condition is false"
    assert run.begun == ["b"]


def test_a_condition_counts_once_everything_before_the_step_is_done():
    run = drive(lambda ctx: Sequence(task("a"), task("b", when=ctx.get("a") == "yes"), task("c")))
    run.succeed("a", "yes")
    assert run.begun == ["a", "b"]


def test_needs_hold_a_step_back_beyond_its_sequence():
    run = drive(lambda ctx: Parallel(Sequence(task("a"), task("b")), task("c", needs=("b",))))
    run.succeed("a")
    assert run.begun == ["a", "b"]
    run.succeed("b")
    assert run.begun == ["a", "b", "c"]


def test_an_empty_workflow_succeeds():
    assert drive(lambda ctx: Sequence()).standing is RunStatus.SUCCEEDED


# -- how many at once --


def test_a_parallel_runs_no_more_at_once_than_its_limit():
    run = drive(lambda ctx: Parallel(*(task(name) for name in "abcde"), limit=2))
    assert run.begun == ["a", "b"]
    run.succeed("b")
    assert run.begun == ["a", "b", "c"]


def test_a_run_starts_no_more_at_once_than_its_cap():
    run = drive(lambda ctx: Parallel(*(task(name) for name in "abcde")), cap=3)
    assert run.begun == ["a", "b", "c"]


def test_limits_of_nested_groups_all_hold():
    def written(ctx):
        inner = Parallel(task("a"), task("b"), limit=2)
        return Parallel(inner, task("c"), limit=1)

    run = drive(written)
    assert run.begun == ["a"]


def test_a_step_that_left_the_plan_while_it_ran_gives_its_place_in_the_limit_back():
    def written(ctx):
        gone = [] if ctx.get("first") else [task("gone")]
        return Parallel(Parallel(*gone, task("later"), limit=1), task("first"))

    run = drive(written)
    assert run.begun == ["gone", "first"]
    run.succeed("first")
    assert run.last.stop == ["gone"]
    assert run.begun[-1] == "later"


def test_a_step_whose_limit_changed_while_it_ran_leaves_the_group_that_it_was_in():
    def written(ctx):
        first, other = (None, 1) if ctx.get("x") else (1, None)
        return Parallel(
            Parallel(task("a"), task("b"), limit=first), Parallel(task("c"), limit=other), task("x")
        )

    run = drive(written)
    assert run.begun == ["a", "c", "x"]
    run.succeed("x")
    run.succeed("a")
    run.succeed("b")
    run.succeed("c")
    assert run.standing is RunStatus.SUCCEEDED


# -- failures, retries --


def test_a_retry_starts_when_its_time_has_come():
    run = drive(lambda ctx: task("a"))
    run.fail("a", retry_at=2_000)
    assert run.status("a") is StepStatus.RETRYING
    assert run.last.wake_at == 2_000
    assert run.standing is RunStatus.RUNNING
    run.now = 2_000
    run.round()
    assert run.begun == ["a", "a"]


def test_a_retry_that_came_due_while_nobody_was_there_starts_at_once():
    run = drive(lambda ctx: task("a"))
    run.fail("a", retry_at=2_000)
    run.now = 9_000
    run.resume()
    assert run.begun == ["a", "a"]


def test_an_interrupted_attempt_is_followed_by_another():
    run = drive(lambda ctx: task("a"))
    run.crash()
    assert [attempt.n for attempt in run.ledger.attempts["a"]] == [1, 2]


def test_a_reopened_step_starts_again_and_so_does_what_was_skipped_because_of_it():
    run = drive(lambda ctx: Sequence(task("a"), task("b")))
    run.fail("a")
    run.reopen("a")
    assert run.begun == ["a", "a"]
    assert run.status("b") is StepStatus.PENDING
    run.succeed("a")
    run.succeed("b")
    assert run.standing is RunStatus.SUCCEEDED


def test_a_red_check_outside_loops_fails_the_run():
    run = drive(lambda ctx: Sequence(Check("checks", "false"), task("a")))
    run.red("checks")
    assert run.standing is RunStatus.FAILED
    assert run.status("a") is StepStatus.SKIPPED


# -- loops --


def test_a_loop_ends_with_the_iteration_that_until_holds_of():
    def written(ctx):
        return loop(task("code"), until=lambda turn: turn["code"] == "good")

    run = drive(written)
    run.succeed("build[1]/code", "bad")
    assert run.begun == ["build[1]/code", "build[2]/code"]
    run.succeed("build[2]/code", "good")
    assert run.standing is RunStatus.SUCCEEDED
    assert run.ledger.outputs["build"].value == {"iterations": 2, "ended": "until"}


def test_a_red_check_in_a_loop_means_not_yet():
    run = drive(lambda ctx: loop(Check("checks", "false"), task("review"), until=lambda turn: True))
    run.red("build[1]/checks")
    assert run.status("build[1]/review") is StepStatus.SKIPPED
    assert run.begun == ["build[1]/checks", "build[2]/checks"]


@pytest.mark.parametrize("code", [126, 127, -9, 137])
def test_a_check_that_could_not_run_fails_its_loop(code):
    run = drive(lambda ctx: checked_loop())
    run.red("build[1]/checks", code)
    assert run.status("build") is StepStatus.FAILED
    assert run.reason("build") == "iteration 1: build[1]/checks failed"
    assert run.standing is RunStatus.FAILED


def test_a_check_that_ran_out_of_time_fails_its_loop():
    run = drive(lambda ctx: checked_loop())
    run.fail("build[1]/checks", error="no end after 1800 s")
    assert run.status("build") is StepStatus.FAILED


@pytest.mark.parametrize("leaf", [task("x"), Call("x", str)])
def test_a_task_or_call_that_failed_fails_its_loop(leaf):
    run = drive(lambda ctx: loop(leaf))
    run.fail("build[1]/x")
    assert run.status("build") is StepStatus.FAILED


def test_a_denied_gate_fails_its_loop():
    run = drive(lambda ctx: loop(Approval("ok", "Well?")))
    run.decide("build[1]/ok", Answer.DENY)
    assert run.status("build") is StepStatus.FAILED
    assert run.standing is RunStatus.FAILED


def test_a_step_inside_that_is_skipped_for_what_failed_outside_fails_its_loop():
    def written(ctx):
        return Parallel(task("out"), loop(task("in", needs=("out",)), most=9))

    run = drive(written)
    run.fail("out")
    assert run.reason("build") == "iteration 1: build[1]/in skipped"
    assert run.standing is RunStatus.FAILED


def test_a_loop_that_is_not_done_at_its_bound_fails():
    run = drive(lambda ctx: loop(task("code"), most=2))
    run.succeed("build[1]/code")
    run.succeed("build[2]/code")
    assert run.status("build") is StepStatus.FAILED
    assert "not done after 2 iterations" in run.reason("build")


def test_a_loop_that_may_goes_on_after_its_bound_and_the_run_says_so():
    run = drive(
        lambda ctx: Sequence(loop(task("code"), most=1, on_exhausted="continue"), task("b"))
    )
    run.succeed("build[1]/code")
    run.succeed("b")
    assert run.standing is RunStatus.SUCCEEDED
    assert run.last.reason == "build ended at its bound, not because it was done"


def test_a_loop_that_asks_at_its_bound_gets_as_many_iterations_again():
    run = drive(lambda ctx: loop(task("code"), most=1, on_exhausted="ask"))
    run.succeed("build[1]/code")
    assert run.standing is RunStatus.WAITING
    assert [gate.kind for gate in run.asking] == [GateKind.EXHAUSTED]
    run.decide("build[1]")
    assert run.begun == ["build[1]/code", "build[2]/code"]
    run.succeed("build[2]/code")
    assert [gate.key for gate in run.asking] == ["build[2]"]


def test_a_loop_that_is_denied_more_iterations_fails():
    run = drive(lambda ctx: loop(task("code"), most=1, on_exhausted="ask"))
    run.succeed("build[1]/code")
    run.decide("build[1]", Answer.DENY)
    assert run.standing is RunStatus.FAILED
    assert run.reason("build") == "stopped after iteration 1 by person:ada"


def unchanging(run, iterations):
    run.tree = "tree"
    for number in range(1, iterations + 1):
        run.red(f"build[{number}]/checks")


def test_three_iterations_that_change_nothing_open_a_gate():
    run = drive(lambda ctx: checked_loop(most=9))
    unchanging(run, 2)
    assert run.asking == []
    run.red("build[3]/checks")
    assert [(gate.key, gate.kind) for gate in run.asking] == [("build[3]", GateKind.NO_PROGRESS)]
    assert run.standing is RunStatus.WAITING


def test_going_on_after_no_progress_asks_again_only_after_three_more():
    run = drive(lambda ctx: checked_loop(most=9))
    unchanging(run, 3)
    run.decide("build[3]")
    for number in (4, 5):
        run.red(f"build[{number}]/checks")
        assert run.asking == []
    run.red("build[6]/checks")
    assert [gate.key for gate in run.asking] == ["build[6]"]


def test_no_progress_denied_fails_the_loop():
    run = drive(lambda ctx: checked_loop(most=9))
    unchanging(run, 3)
    run.decide("build[3]", Answer.DENY)
    assert run.standing is RunStatus.FAILED


def test_no_progress_stopped_ends_the_loop_well():
    run = drive(lambda ctx: checked_loop(most=9))
    unchanging(run, 3)
    run.stop()
    assert run.standing is RunStatus.SUCCEEDED


def test_other_files_or_another_answer_are_progress():
    run = drive(lambda ctx: checked_loop(most=9))
    for number in range(1, 6):
        run.tree = f"tree {number}"
        run.red(f"build[{number}]/checks")
    assert run.asking == []


def test_stop_ends_a_loop_well_after_the_iteration_that_runs():
    run = drive(lambda ctx: Sequence(loop(task("code"), most=9), task("ship")))
    run.succeed("build[1]/code")
    run.stop()
    assert run.begun == ["build[1]/code", "build[2]/code"]
    run.succeed("build[2]/code")
    assert run.begun[-1] == "ship"
    run.succeed("ship")
    assert run.standing is RunStatus.SUCCEEDED
    assert run.last.reason == "build stopped by person:ada"


def test_stop_in_the_last_iteration_ends_a_loop_well_too():
    run = drive(lambda ctx: loop(task("code"), most=1))
    run.stop()
    run.succeed("build[1]/code")
    assert run.standing is RunStatus.SUCCEEDED


def test_loops_nest():
    def outer(turn):
        return Sequence(loop(task("x"), name="in", until=lambda t: t.iteration == 2), task("y"))

    run = drive(lambda ctx: Loop("out", outer, until=lambda t: t.iteration == 2, max_iterations=3))
    for _ in range(2):
        for _ in range(3):
            run.succeed(next(iter(run.running)))
    assert run.standing is RunStatus.SUCCEEDED
    assert run.begun == [
        "out[1]/in[1]/x",
        "out[1]/in[2]/x",
        "out[1]/y",
        "out[2]/in[1]/x",
        "out[2]/in[2]/x",
        "out[2]/y",
    ]


def test_an_until_that_names_nothing_is_an_error_and_no_endless_loop():
    run = Driven(workflow(lambda ctx: loop(task("code"), until=lambda turn: turn.get("coed"))))
    run.round()
    with pytest.raises(RenderError, match=r"no step has the id 'coed' \(nearest: 'code'\)"):
        run.succeed("build[1]/code")


def test_a_closed_iteration_is_never_rendered_again():
    def body(turn):
        late = [task("late")] if turn.get("beside") else []
        return Sequence(task("code"), *late)

    def written(ctx):
        build = Loop("build", body, until=lambda turn: False, max_iterations=1, on_exhausted="ask")
        return Parallel(build, task("beside"))

    run = drive(written)
    run.succeed("build[1]/code")
    run.succeed("beside")
    run.resume()
    assert "build[1]/late" not in run.begun
    assert run.standing is RunStatus.WAITING


# -- gates --


def test_an_approval_holds_the_run_until_it_is_decided():
    run = drive(lambda ctx: Sequence(Approval("ship", "Ship it?"), task("a")))
    assert run.standing is RunStatus.WAITING
    assert run.last.reason == "waits at ship"
    assert [gate.id for gate in run.asking] == ["ship#1"]
    run.decide("ship")
    assert run.begun == ["a"]
    assert run.ledger.outputs["ship"].value == {
        "approved": True,
        "actor": "person:ada",
        "note": "",
    }


def test_a_denied_approval_fails_the_run():
    run = drive(lambda ctx: Sequence(Approval("ship", "Ship it?"), task("a")))
    run.decide("ship", Answer.DENY)
    assert run.standing is RunStatus.FAILED
    assert run.reason("ship") == "denied by person:ada"
    assert run.begun == []


def test_a_denied_approval_that_may_be_denied_goes_on_and_says_so():
    def written(ctx):
        return Sequence(Approval("ship", "Ship it?", on_deny="continue"), task("a"))

    run = drive(written)
    run.decide("ship", Answer.DENY)
    assert run.begun == ["a"]
    assert run.ledger.outputs["ship"].value["approved"] is False


def test_a_gate_that_is_placed_because_another_one_waits_opens_at_once():
    def written(ctx):
        more = [Approval("b", "And this?")] if ctx.state("a") is StepStatus.WAITING else []
        return Parallel(Approval("a", "Well?"), *more)

    run = drive(written)
    assert [gate.key for gate in run.asking] == ["a", "b"]
    assert run.standing is RunStatus.WAITING


def test_a_gate_whose_step_a_render_takes_away_before_it_opens_is_not_opened():
    def written(ctx):
        gate = [] if ctx.get("x") else [Approval("late", "Well?")]
        return Sequence(task("x"), *gate)

    run = drive(written)
    run.succeed("x")
    assert run.asking == []
    assert run.standing is RunStatus.SUCCEEDED


# -- what a person asks of a run --


def test_pause_lets_what_runs_finish_and_starts_nothing():
    run = drive(lambda ctx: Sequence(task("a"), task("b")))
    run.intend(Intent.PAUSE)
    assert run.last.stop == []
    run.succeed("a")
    assert run.standing is RunStatus.PAUSED
    assert run.begun == ["a"]
    run.intend(Intent.GO)
    assert run.begun == ["a", "b"]


def test_pause_now_stops_what_runs_and_starts_it_again_on_resume():
    run = drive(lambda ctx: task("a"))
    run.intend(Intent.PAUSE_NOW)
    assert run.last.stop == ["a"]
    run.obey_stops()
    run.round()
    assert run.standing is RunStatus.PAUSED
    run.intend(Intent.GO)
    assert run.begun == ["a", "a"]


def test_a_paused_run_opens_no_gate():
    run = drive(lambda ctx: Sequence(task("a"), Approval("ship", "Ship?")))
    run.intend(Intent.PAUSE)
    run.succeed("a")
    assert run.asking == []
    run.intend(Intent.GO)
    assert [gate.key for gate in run.asking] == ["ship"]


def test_cancel_stops_what_runs_and_ends_the_rest():
    run = drive(lambda ctx: Sequence(Parallel(task("a"), task("b")), task("c")))
    run.succeed("b")
    run.intend(Intent.CANCEL)
    assert run.last.stop == ["a"]
    assert run.standing is RunStatus.RUNNING
    run.obey_stops()
    run.round()
    assert run.standing is RunStatus.CANCELLED
    assert [run.status(key) for key in "abc"] == [
        StepStatus.CANCELLED,
        StepStatus.SUCCEEDED,
        StepStatus.CANCELLED,
    ]


def test_cancel_keeps_what_a_step_ended_with_before():
    run = drive(
        lambda ctx: Parallel(Sequence(task("a"), task("b")), task("c", when=False), task("d"))
    )
    run.fail("a")
    run.intend(Intent.CANCEL)
    run.obey_stops()
    run.round()
    assert [run.status(key) for key in "abcd"] == [
        StepStatus.FAILED,
        StepStatus.SKIPPED,
        StepStatus.SKIPPED,
        StepStatus.CANCELLED,
    ]


def test_what_is_skipped_says_so_though_a_denial_comes_after_the_cancel():
    def written(ctx):
        return Parallel(task("a"), Sequence(loop(Approval("ok", "Well?")), task("c")))

    run = drive(written)
    run.intend(Intent.CANCEL)
    assert run.status("c") is StepStatus.CANCELLED
    run.decide("build[1]/ok", Answer.DENY)
    assert run.status("build") is StepStatus.FAILED
    assert run.status("c") is StepStatus.SKIPPED


# -- plans that change --


def changing(ctx):
    """`old` until `first` is done, then `new`."""
    other = "new" if ctx.get("first") else "old"
    return Parallel(task("first"), task(other))


def test_a_step_that_leaves_the_plan_while_it_runs_is_stopped():
    run = drive(changing)
    run.succeed("first")
    assert run.last.stop == ["old"]
    assert "old" in run.last.gone
    assert run.begun == ["first", "old", "new"]


def test_a_run_ends_only_when_what_left_the_plan_has_stopped():
    run = drive(lambda ctx: Parallel(task("a"), *([] if ctx.get("a") else [task("b")])))
    run.succeed("a")
    assert run.standing is RunStatus.RUNNING
    run.obey_stops()
    run.round()
    assert run.standing is RunStatus.SUCCEEDED


def test_a_step_that_an_edit_took_away_while_it_ran_is_stopped():
    run = drive(lambda ctx: Parallel(task("a"), task("b")))
    run.author = workflow(lambda ctx: task("a"))
    run.resume()
    assert run.last.stop == ["b"]
    assert run.last.gone == ["b"]


def test_a_step_that_changes_while_it_runs_goes_on_as_it_began():
    run = drive(lambda ctx: Parallel(task("a"), task("b", title="new" if ctx.get("a") else "old")))
    run.succeed("a")
    assert run.last.stop == []
    assert run.ledger.rows["b"][0].title == "new"
    run.succeed("b")
    assert run.begun == ["a", "b"]


def test_a_step_that_comes_back_to_what_it_was_is_recorded_as_that():
    def written(ctx):
        title = "odd" if ctx.get("a") and not ctx.get("b") else "even"
        return Parallel(Sequence(task("a"), task("b")), task("c", title=title))

    run = drive(written)
    run.resume()
    run.succeed("a")
    assert run.ledger.rows["c"][0].title == "odd"
    run.succeed("b")
    assert run.ledger.rows["c"][0].title == "even"


def test_a_step_that_comes_between_moves_the_others_along():
    run = drive(lambda ctx: Sequence(task("a"), *([task("b")] if ctx.get("a") else []), task("c")))
    run.succeed("a")
    assert {key: place for key, (_, place) in run.ledger.rows.items()} == {"a": 0, "b": 1, "c": 2}
    assert [step.key for step in run.scheduler.inside("")] == ["a", "b", "c"]


def test_a_loop_that_leaves_the_plan_takes_the_loops_inside_with_it():
    def written(ctx):
        inner = loop(task("x"), name="in")
        return Parallel(task("a"), *([] if ctx.get("a") else [loop(inner, name="out")]))

    run = drive(written)
    run.succeed("a")
    assert run.last.stop == ["out[1]/in[1]/x"]
    assert set(run.last.gone) == {"out", "out[1]/in", "out[1]/in[1]/x"}


def test_a_loop_that_an_edit_took_away_leaves_none_of_its_iterations_in_the_plan():
    run = drive(lambda ctx: Parallel(loop(task("x"), most=9), task("a")))
    run.succeed("build[1]/x")
    run.author = workflow(lambda ctx: task("a"))
    run.resume()
    assert set(run.ledger.rows) == {"a"}
    assert run.last.counts == (1, 0, 0, 1, 0)


def test_a_loop_that_is_gone_is_not_rendered_when_what_it_read_changes():
    def body(turn):
        return task("x", title=str(turn.get("b")))

    def written(ctx):
        build = Loop("build", body, until=until_never, max_iterations=3)
        return Parallel(task("a"), task("b"), *([] if ctx.get("a") else [build]))

    run = drive(written)
    run.succeed("a")
    run.succeed("b")
    assert "build[1]/x" not in run.scheduler.states


def test_a_step_whose_forerunner_comes_back_to_life_waits_again():
    def written(ctx):
        return Parallel(
            Sequence(task("a", when=ctx.get("x") is not None), task("b")), task("x"), limit=1
        )

    run = drive(written, cap=1)
    assert run.begun == ["b"]

    def later(ctx):
        return Parallel(
            task("x"), Sequence(task("a", when=ctx.get("x") is not None), task("b")), limit=1
        )

    run = drive(later, cap=1)
    assert run.status("b") is StepStatus.READY
    run.succeed("x")
    assert run.status("b") is StepStatus.PENDING
    assert run.begun == ["x", "a"]


def test_pending_steps_count_from_the_first_frame_on():
    run = drive(lambda ctx: Sequence(task("a"), task("b"), task("c")))
    assert run.last.counts == (3, 0, 0, 1, 0)
    run.succeed("a")
    assert run.last.counts == (3, 1, 0, 1, 0)


# -- what a render reads --


def test_a_render_follows_the_state_of_a_step_that_it_placed_itself():
    def written(ctx):
        more = [task("b")] if ctx.state("a") is StepStatus.RUNNING else []
        return Parallel(task("a"), *more)

    run = drive(written)
    assert run.begun == ["a", "b"]


def test_a_render_follows_a_loop_into_its_next_iteration():
    def written(ctx):
        seen = ctx.get("build/code")
        return Parallel(loop(task("code"), most=2), task("x", title=f"saw {seen}"))

    run = drive(written)
    run.succeed("build[1]/code", "one")
    assert run.ledger.rows["x"][0].title == "saw None"
    run.succeed("build[2]/code", "two")
    assert run.ledger.rows["x"][0].title == "saw two"


def test_a_retrying_check_has_not_answered_yet():
    def written(ctx):
        return Parallel(Check("c", "true"), task("x", title=f"passed {ctx.passed('c')}"))

    run = drive(written)
    run.red("c", retry_at=9_000)
    run.resume()
    assert run.ledger.rows["x"][0].title == "passed None"


def test_what_a_closed_iteration_left_is_known_after_a_resume():
    def written(ctx):
        state = ctx.state("build/maybe")
        return Sequence(
            loop(task("code"), task("maybe", when=False), until=lambda turn: True),
            task("a", title=str(state)),
            Loop("more", second, until=lambda turn: True, max_iterations=1),
        )

    def second(turn):
        assert turn.get("build/maybe") is None
        return task("z")

    run = drive(written)
    run.succeed("build[1]/code")
    assert run.ledger.rows["a"][0].title == "skipped"
    run.resume()
    assert run.ledger.rows["a"][0].title == "skipped"
    run.succeed("a")
    assert run.begun[-1] == "more[1]/z"
