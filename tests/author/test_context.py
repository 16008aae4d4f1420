"""What a render can read: outputs by id and handle, from its own scope outward, through loops."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from smithers import Approval, Check, CheckResult, Context, Loop, Task
from smithers.author.context import Reads
from smithers.errors import RenderError
from smithers.model.run import Facts, Run
from smithers.model.step import Attempt, AttemptStatus, Output, StepState, StepStatus

RED = {"passed": False, "exit_code": 2, "tail": "boom"}
GREEN = {"passed": True, "exit_code": 0, "tail": ""}


class Note(BaseModel):
    text: str


class Past:
    """A run whose loop `build` is in its third iteration, with an inner loop in the second."""

    def __init__(self):
        outputs = {
            "plan": {"text": "p"},
            "build[1]": {"again": True},
            "build[2]": {"again": True},
            "build[1]/code": {"text": "one"},
            "build[2]/code": {"text": "two"},
            "build[1]/checks": GREEN,
            "build[2]/fix": {"iterations": 2, "ended": "until"},
            "build[2]/fix[2]/try": {"text": "deep"},
        }
        self.facts = Facts(Run("r", "w", "t", "s", "", {}, 0))
        self.facts.outputs = {key: Output(key, value) for key, value in outputs.items()}
        red = Attempt("build[2]/checks", 1, 1, AttemptStatus.FAILED, 0, value=RED)
        self.facts.attempts = {"build[2]/checks": [red]}
        self.iterations = {"build": 3}
        self.states = {
            "plan": StepState(StepStatus.SUCCEEDED, ok=True),
            "build": StepState(StepStatus.RUNNING),
            "build[3]/code": StepState(StepStatus.RUNNING),
        }


def outside(reads=None):
    return Context(None, Past(), reads=reads)


def inside(reads=None):
    return Context(None, Past(), scope="build[3]", iteration=3, reads=reads)


def test_own_scope_comes_before_the_ones_around_it():
    assert inside().get("plan", Note) == Note(text="p")
    assert inside().get("code", Note) is None, "this iteration's, not an earlier one's"


def test_a_handle_gives_the_type_that_its_step_declares():
    assert inside().previous(Task("code", agent="a", prompt="p", output=Note)) == Note(text="two")
    assert inside().previous(Check("checks", "x")) == CheckResult(**RED)


def test_without_a_model_the_value_is_plain():
    assert outside().get("plan") == {"text": "p"}


def test_previous_is_the_last_iteration_and_nothing_in_the_first():
    assert inside().previous("code", Note) == Note(text="two")
    first = Context(None, Past(), scope="build[1]", iteration=1)
    assert first.previous("code", Note) is None


def test_all_is_every_iteration_oldest_first():
    assert inside().all("code", Note) == [Note(text="one"), Note(text="two")]
    assert outside().all("build/code", Note) == [Note(text="one"), Note(text="two")]


def test_a_path_from_outside_is_the_last_iteration():
    past = Past()
    past.iterations = {"build": 2}
    assert Context(None, past).get("build/code", Note) == Note(text="two")
    assert Context(None, past).get("build/fix/try", Note) == Note(text="deep"), (
        "a loop that has ended"
    )


def test_a_red_check_has_an_answer_too():
    second = Context(None, Past(), scope="build[2]", iteration=2)
    assert second.passed("checks") is False
    assert Context(None, Past(), scope="build[1]", iteration=1).passed("checks") is True
    assert inside().passed("checks") is None


def test_states_are_read_and_noted():
    reads = Reads()
    assert outside(reads).state("build") is StepStatus.RUNNING
    assert reads.states == {"build"}


def test_what_was_read_is_noted_for_the_next_render():
    reads = Reads()
    context = inside(reads)
    context.get("plan")
    context.get("code")
    context.all("code")
    assert {"plan", "build[3]/code", "build/code"} <= reads.keys


def test_an_output_that_is_asked_for_outright_must_be_there():
    assert outside()["plan", Note] == Note(text="p")
    with pytest.raises(RenderError, match="'code' is not there yet"):
        inside()["code"]


def test_an_output_that_no_longer_fits_its_model_is_kept_and_named():
    class Changed(BaseModel):
        other: int

    with pytest.raises(RenderError, match=r"plan no longer fits Changed") as caught:
        outside().get("plan", Changed)
    assert caught.value.kept


def test_a_group_has_no_output():
    from smithers import Sequence

    with pytest.raises(RenderError, match="Sequence has no output"):
        outside().get(Sequence())


def test_the_answer_of_an_approval_says_who_gave_it():
    past = Past()
    past.facts.outputs["ship"] = Output("ship", {"approved": True, "actor": "person:t", "note": ""})
    past.states["ship"] = StepState(StepStatus.SUCCEEDED, ok=True)
    decided = Context(None, past).get(Approval("ship", "?"))
    assert decided is not None
    assert decided.actor == "person:t"


def test_a_loop_says_how_it_ended():
    past = Past()
    past.facts.outputs["build"] = Output("build", {"iterations": 3, "ended": "until"})
    loop = Loop("build", lambda turn: Check("x", "y"), until=bool, max_iterations=3)
    assert Context(None, past).get(loop) == {"iterations": 3, "ended": "until"}
