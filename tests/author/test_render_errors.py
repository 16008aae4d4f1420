"""Whatever an author gets wrong is said with file, line and id, and what to do about it."""

from __future__ import annotations

import inspect
import json
import re

import pytest
from pydantic import BaseModel

from smithers import Approval, Call, Check, Context, Loop, Parallel, Sequence, Task, workflow
from smithers.errors import RenderError
from tests.author.scopes import StepStatus, facts, rendered


class Verdict(BaseModel):
    approved: bool
    feedback: str


def task(name, **kwargs):
    return Task(name, agent="coder", prompt="p", **kwargs)


def error(body, source=None, **kwargs):
    with pytest.raises(RenderError) as caught:
        rendered(body, source, **kwargs)
    assert caught.value.next
    return str(caught.value)


def at(body, marker):
    """`file:line` of the line of the body that holds the marker."""
    lines, first = inspect.getsourcelines(body)
    (number,) = [first + index for index, line in enumerate(lines) if marker in line]
    return f"{__file__}:{number}"


def test_an_id_that_is_used_twice():
    def body(ctx):
        return Sequence(
            Check("code", "one"),
            Check("code", "two"),
        )

    said = error(body)
    assert "'code' is used twice" in said
    assert said.startswith(at(body, '"two"'))
    assert at(body, '"one"') in said


def test_the_same_step_twice():
    def body(ctx):
        step = task("code")
        return Sequence(step, step)

    assert "'code' is used twice" in error(body)


@pytest.mark.parametrize("name", ["", "a/b", "a[1]", "ä", "x" * 65, ".a", "a b", None, 7])
def test_an_id_that_cannot_be_one(name):
    assert f"{name!r} cannot be an id" in error(lambda ctx: Check(name, "true"))


@pytest.mark.parametrize("most", [0, -1, None, True, "3", 2.5])
def test_a_loop_without_a_bound(most):
    def body(ctx):
        return Loop("build", task, until=bool, max_iterations=most)

    said = error(body)
    assert said.startswith(at(body, "Loop("))
    assert "'build' has no bound" in said


def test_a_loop_whose_bound_is_not_given_at_all():
    def body(ctx):
        return Loop("build", task, until=bool)

    said = error(body)
    assert said.startswith(at(body, "Loop("))
    assert "max_iterations" in said


@pytest.mark.parametrize("output", [dict, "Verdict", Verdict(approved=True, feedback=""), 3])
def test_an_output_that_is_no_model(output):
    def body(ctx):
        return task("review", output=output)

    said = error(body)
    assert "output of 'review'" in said
    assert "not a pydantic model" in said
    assert re.match(rf"{re.escape(__file__)}:\d+: ", said)


def test_a_check_without_a_command():
    assert "check 'c' has no command" in error(lambda ctx: Check("c", " "))


@pytest.mark.parametrize(
    "step",
    [
        lambda: Check("odd", 5),
        lambda: Check("odd", "true", ok=0),
        lambda: Task("odd", agent="a", prompt=None),
    ],
)
def test_a_leaf_made_of_the_wrong_things(step):
    said = error(lambda ctx: step())
    assert "'odd' is not a" in said
    assert re.match(rf"{re.escape(__file__)}:\d+: ", said)


def test_words_that_are_none_of_those_allowed():
    assert "by='me'" in error(lambda ctx: Approval("g", "Well?", by="me"))
    assert "on_deny='x'" in error(lambda ctx: Approval("g", "Well?", on_deny="x"))
    loop = Loop("l", task, until=bool, max_iterations=1, on_exhausted="x")
    assert "on_exhausted='x'" in error(lambda ctx: loop)


@pytest.mark.parametrize("limit", [0, -1, "2", True])
def test_a_parallel_with_an_impossible_limit(limit):
    def body(ctx):
        return Parallel(task("a"), limit=limit)

    said = error(body)
    assert said.startswith(at(body, "Parallel("))
    assert f"limit={limit}" in said


def test_something_that_is_no_step():
    def body(ctx):
        return Sequence([task("a")])

    said = error(body)
    assert said.startswith(at(body, "Sequence("))
    assert "list stands where a step must" in said


def test_a_body_that_returns_nothing():
    def body(ctx):
        task("a")

    said = error(body)
    assert said.startswith(at(body, "def body"))
    assert "body returned NoneType, not a step" in said


def test_a_workflow_that_returns_nothing_is_named_and_not_our_wrapper():
    @workflow("empty", summary="")
    def written(ctx: Context[Verdict]):
        return None

    said = error(written.__call__)
    assert said.startswith(__file__)
    assert "written returned NoneType" in said


def test_tasks_side_by_side_in_a_workflow_that_edits():
    def body(ctx):
        return Parallel(task("a"), Sequence(task("b")))

    said = error(body, edits=True)
    assert said.startswith(at(body, "Parallel("))
    assert "2 branches with a Task that share one workspace" in said


def test_a_loop_counts_as_a_task_side_by_side():
    loop = Loop("l", task, until=bool, max_iterations=1)
    assert "share one workspace" in error(lambda ctx: Parallel(task("a"), loop), edits=True)


def test_a_need_that_no_step_has_names_the_nearest():
    def body(ctx):
        return Parallel(task("review"), task("b", needs=("reveiw",)))

    said = error(body)
    assert "'b' needs 'reveiw'" in said
    assert "(nearest: 'review')" in said
    assert re.match(rf"{re.escape(__file__)}:\d+: ", said)


def test_a_need_that_is_a_group():
    def body(ctx):
        both = Parallel(task("a"))
        return Sequence(both, task("b", needs=(both,)))

    assert "Parallel has no output" in error(body)


def test_a_need_of_a_step_that_this_scope_has_no_more():
    source = facts(states={"old": StepStatus.PENDING})
    assert "'b' needs 'old'" in error(lambda ctx: task("b", needs=("old",)), source)


def test_needs_that_go_round_in_a_circle():
    said = error(lambda ctx: Sequence(task("a", needs=("b",)), task("b")))
    assert "'a' would wait for ever" in said
    assert "'a' would wait for ever" in error(lambda ctx: task("a", needs=("a",)))


def test_a_need_of_the_loop_that_the_step_is_in():
    source = facts(states={"build": StepStatus.RUNNING}, iterations={"build": 1})
    said = error(lambda ctx: task("a", needs=("build",)), source, scope="build[1]")
    assert "the loop 'build' that it is in" in said


# -- reading --


def test_reading_an_id_that_nothing_has_names_the_nearest():
    def body(ctx):
        ctx.get("reviw")
        return task("review")

    said = error(body)
    assert said.startswith(at(body, "ctx.get"))
    assert "no step has the id 'reviw' (nearest: 'review')" in said


def test_reading_inside_a_loop_an_id_that_nothing_has():
    def body(ctx):
        return Sequence(task("code"), task("review", when=ctx.passed("cheks") is None))

    source = facts({"build[1]/checks": None, "plan": 1}, iterations={"build": 2})
    said = error(body, source, scope="build[2]")
    assert "no step has the id 'cheks' (nearest: 'checks')" in said


def test_reading_a_path_that_nothing_has_once_the_loop_has_been_opened():
    loop = Loop("build", task, until=bool, max_iterations=1)

    def body(ctx):
        ctx.get("build/reviw")
        return loop

    assert rendered(body).steps
    source = facts({"build[1]/review": 1, "build": {"iterations": 1}})
    said = error(body, source)
    assert "no step has the id 'build/reviw' (nearest: 'build/review')" in said


@pytest.mark.parametrize("how", ["previous", "all"])
def test_reading_other_iterations_of_an_id_that_nothing_has(how):
    def body(ctx):
        getattr(ctx, how)("reviw")
        return task("review")

    source = facts({"build[1]/review": 1}, iterations={"build": 2})
    assert "no step has the id 'reviw' (nearest: 'review')" in error(body, source, scope="build[2]")


def test_an_output_that_is_not_there_yet():
    def body(ctx):
        review = Task("review", agent="r", prompt="p", output=Verdict)
        ctx[review]
        return review

    said = error(body)
    assert said.startswith(at(body, "ctx[review]"))
    assert "the output of 'review' is not there yet" in said
    assert "ctx.get('review')" in said


def test_an_output_that_is_not_there_because_its_id_is_wrong():
    source = facts({"review": 1})
    said = error(lambda ctx: ctx["reviw"], source)
    assert "'reviw' is not there yet (nearest: 'review')" in said


def test_reading_a_group():
    def body(ctx):
        both = Parallel(task("a"))
        ctx.get(both)
        return both

    said = error(body)
    assert said.startswith(at(body, "ctx.get"))
    assert "Parallel has no output" in said


def test_a_kept_output_that_fits_the_model_no_more():
    source = facts({"review": {"approved": True}})

    def body(ctx):
        ctx.get("review", Verdict)
        return task("review")

    said = error(body, source)
    assert said.startswith(at(body, "ctx.get"))
    assert "the kept output of review no longer fits Verdict: feedback: Field required" in said
    assert "kept: the output as it was recorded" in said


# -- the author's own code --


def test_an_exception_in_the_authors_code():
    def body(ctx):
        return [][ctx.iteration]

    said = error(body)
    assert said.startswith(at(body, "[ctx.iteration]"))
    assert "IndexError: list index out of range" in said
    assert "kept: every finished step" in said


def test_an_exception_from_a_library_points_at_the_authors_line():
    def body(ctx):
        return json.loads("{")

    assert error(body).startswith(at(body, "json.loads"))


def test_an_exception_in_until_is_named_like_one_in_the_body():
    from smithers.author.context import Context as Asked
    from smithers.author.render import guarded

    def until(turn):
        return 1 / 0

    with pytest.raises(RenderError) as caught:
        guarded(until, Asked(None, facts()))
    assert str(caught.value).startswith(at(until, "1 / 0"))


def test_a_call_of_something_that_is_not_callable_is_found_at_render_or_never():
    assert rendered(lambda ctx: Call("f", str)).steps
