"""What an author can get wrong is said with file, line and id; what is right becomes flat steps."""

from __future__ import annotations

import inspect

import pytest
from pydantic import BaseModel

from smithers import Approval, Call, Check, Context, Loop, Parallel, Sequence, Task, workflow
from smithers.author.render import render
from smithers.errors import RenderError
from smithers.model.run import Facts, Run
from smithers.model.step import StepKind


class Goal(BaseModel):
    prompt: str = "go"


class Empty:
    """A run that has done nothing yet."""

    def __init__(self):
        self.states = {}
        self.iterations = {}
        self.facts = Facts(Run("r", "w", "t", "s", "", {}, 0))


def rendered(body, *, edits=False):
    return render(body, Goal(), Empty(), scope="", iteration=0, edits=edits).steps


def line_here() -> int:
    return inspect.currentframe().f_back.f_lineno


def test_a_sequence_waits_step_by_step():
    steps = rendered(lambda ctx: Sequence(Check("a", "x"), Check("b", "x"), Check("c", "x")))
    assert [step.after for step in steps.values()] == [(), ("a",), ("b",)]


def test_what_follows_a_parallel_waits_for_all_of_it():
    steps = rendered(
        lambda ctx: Sequence(
            Check("a", "x"),
            Parallel(Check("b", "x"), Sequence(Check("c", "x"), Check("d", "x"))),
            Check("e", "x"),
        )
    )
    assert steps["b"].after == steps["c"].after == ("a",)
    assert steps["e"].after == ("b", "d")


def test_a_limit_is_carried_by_the_steps_inside():
    steps = rendered(lambda ctx: Parallel(Check("a", "x"), Check("b", "x"), limit=1))
    assert steps["a"].limits == steps["b"].limits
    assert steps["a"].limits[0][1] == 1


def test_needs_adds_to_what_a_step_waits_for():
    def body(ctx):
        first = Check("a", "x")
        return Parallel(first, Check("b", "x"), Check("c", "x", needs=(first, "b")))

    assert rendered(body)["c"].after == ("a", "b")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (lambda ctx: Sequence(Check("a", "x"), Check("a", "y")), "'a' is used twice"),
        (lambda ctx: Check("a b", "x"), "'a b' cannot be an id"),
        (lambda ctx: Check("a", "  "), "'a' has no command"),
        (lambda ctx: Task("a", agent="x", prompt="p", output=dict), "not a pydantic model"),
        (lambda ctx: Check("a", "x", needs=("bb",)), "'a' needs 'bb'"),
        (
            lambda ctx: Loop("a", lambda turn: Check("b", "x"), until=bool, max_iterations=0),
            "no bound",
        ),
        (lambda ctx: Loop("a", lambda turn: Check("b", "x"), until=bool), "max_iterations"),
        (lambda ctx: Parallel(Check("a", "x"), limit=0), "limit=0"),
        (lambda ctx: Sequence([Check("a", "x")]), "list stands where a step must"),
        (lambda ctx: None, "returned NoneType, not a step"),
        (lambda ctx: Approval("a", "?", by="nobody"), "by='nobody'"),
        (lambda ctx: Check("a", str(1 / 0)), "ZeroDivisionError"),
        (
            lambda ctx: Sequence(Check("check", "x"), Check("b", str(ctx.get("chekc")))),
            "nearest: 'check'",
        ),
        (lambda ctx: Sequence(Check("a", "x"), Check("b", str(ctx["a"]))), "not there yet"),
    ],
)
def test_a_mistake_is_named_with_its_place(body, words):
    with pytest.raises(RenderError) as caught:
        rendered(body)
    assert words in caught.value.what
    assert f"{__file__}:{body.__code__.co_firstlineno}" in caught.value.what
    assert caught.value.next or "max_iterations" in words


def test_two_tasks_side_by_side_in_one_workspace_are_refused():
    def body(ctx):
        return Parallel(Task("a", agent="x", prompt="p"), Task("b", agent="x", prompt="p"))

    assert set(rendered(body)) == {"a", "b"}
    with pytest.raises(RenderError, match="share one workspace"):
        rendered(body, edits=True)


def test_every_kind_of_step_says_what_distinguishes_it():
    steps = rendered(
        lambda ctx: Sequence(
            Task("t", agent="coder", prompt="p", output=Goal, retries=1, timeout=2.0),
            Check("c", "make", ok=(0, 5)),
            Call("f", print, 1),
            Approval("a", "Ship?", by="anyone", show="diff"),
            Loop("l", lambda turn: Check("x", "y"), until=bool, max_iterations=4),
        )
    )
    assert [step.kind for step in steps.values()] == list(StepKind)
    assert steps["t"].spec | {"prompt": ""} == {
        "agent": "coder", "prompt": "", "output": "Goal", "retries": 1, "timeout": 2.0,
    }  # fmt: skip
    assert steps["c"].spec == {"command": "make", "ok": [0, 5]}
    assert steps["a"].spec["by"] == "anyone"
    assert steps["l"].spec == {"max": 4, "on_exhausted": "fail"}


def test_a_workflow_knows_its_input_from_its_annotation():
    @workflow("w", summary="s")
    def flow(ctx: Context[Goal]):
        return Check("a", "x")

    assert flow.input is Goal


def test_a_workflow_whose_input_is_not_said_is_refused_at_its_line():
    with pytest.raises(RenderError, match=f"{__file__}:{line_here() + 2}"):

        @workflow("w", summary="s")
        def flow(ctx):
            return Check("a", "x")
