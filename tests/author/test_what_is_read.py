"""What a render sees of the run: from the own scope outward, iterations and all."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from smithers import Approval, Check, Loop, Sequence, Task
from smithers.author.context import Context
from tests.author.scopes import Given, StepStatus, facts, rendered, seen


class Verdict(BaseModel):
    approved: bool = True


REVIEW = Task("review", agent="r", prompt="p", output=Verdict)


def test_the_input_is_there_and_the_iteration_is_that_of_the_innermost_loop():
    assert seen(lambda ctx: (ctx.input, ctx.iteration), facts()) == (Given(), 0)
    assert seen(lambda ctx: ctx.iteration, facts(), scope="a[2]/b[3]") == 3


def test_an_output_is_read_by_handle_by_id_and_by_id_with_a_model():
    source = facts({"review": {"approved": False}})

    def ask(ctx):
        by_id = ctx.get("review", Verdict), ctx["review", Verdict], ctx.get("review")
        return ctx.get(REVIEW), ctx[REVIEW], *by_id

    no = Verdict(approved=False)
    assert seen(ask, source, ids=("review",)) == (no, no, no, no, {"approved": False})


def test_an_output_that_is_not_there_reads_as_none():
    assert seen(lambda ctx: ctx.get("a"), facts(), ids=("a",)) is None


def test_an_output_that_is_null_is_there():
    source = facts({"a": None})
    assert seen(lambda ctx: ctx["a"], source, ids=("a",)) is None


def test_a_nearer_step_hides_one_further_out():
    source = facts({"code": "outer", "build[2]/code": "inner"}, iterations={"build": 2})
    assert seen(lambda ctx: ctx.get("code"), source, scope="build[2]", ids=("code",)) == "inner"
    assert seen(lambda ctx: ctx.get("code"), source, scope="build[3]") == "outer"


def test_the_own_step_hides_one_further_out_before_it_has_run():
    source = facts({"code": "outer"}, iterations={"build": 1})
    assert seen(lambda ctx: ctx.get("code"), source, scope="build[1]", ids=("code",)) is None


def test_nested_scopes_are_searched_from_the_inside_out():
    outputs = {"x": 0, "a[2]/x": 1, "a[2]/b[3]/x": 2, "y": 3, "a[2]/z": 4}
    source = facts(outputs, iterations={"a": 2, "a[2]/b": 3})

    def ask(ctx):
        return [ctx.get(name) for name in "xyz"]

    assert seen(ask, source, scope="a[2]/b[3]", ids=("x",)) == [2, 3, 4]
    assert seen(ask, source, scope="a[2]", ids=("x",)) == [1, 3, 4]


def test_a_path_from_outside_names_the_last_iteration():
    source = facts({"build[1]/review": 1, "build[2]/review": 2}, iterations={"build": 2})
    loop = Loop("build", lambda turn: REVIEW, until=bool, max_iterations=3)
    answers = []

    def body(ctx):
        answers.append(ctx.get("build/review"))
        return loop

    rendered(body, source)
    assert answers == [2]


def test_a_path_into_an_iteration_that_has_not_got_there_is_none():
    source = facts(
        {"build[1]/review": 1, "build": None},
        states={"build[2]/review": StepStatus.PENDING},
        iterations={"build": 2},
    )
    assert seen(lambda ctx: ctx.get("build/review"), source, ids=("build",)) is None


def test_a_path_leads_into_a_loop_that_has_ended():
    outputs = {"build[1]/review": 1, "build[2]/review": 2, "build": {"iterations": 2}}
    assert seen(lambda ctx: ctx.get("build/review"), facts(outputs), ids=("build",)) == 2


def test_a_path_leads_through_nested_loops():
    source = facts(
        {"a[2]/b[1]/x": 1, "a[2]/b[2]/x": 2, "a": None}, iterations={"a": 2, "a[2]/b": 2}
    )
    assert seen(lambda ctx: ctx.get("a/b/x"), source, ids=("a",)) == 2


def test_a_path_leads_from_one_loop_into_another():
    source = facts({"first[1]/x": 1, "first": {"iterations": 1}}, iterations={"second": 1})
    assert seen(lambda ctx: ctx.get("first/x"), source, scope="second[1]") == 1


def test_previous_is_what_the_iteration_before_left():
    source = facts({"build[1]/review": {"approved": False}}, iterations={"build": 2})

    def ask(ctx):
        return ctx.previous(REVIEW), ctx.previous("review")

    said = seen(ask, source, scope="build[2]", ids=("review",))
    assert said == (Verdict(approved=False), {"approved": False})


def test_previous_is_none_in_the_first_iteration_and_outside_loops():
    assert seen(lambda ctx: ctx.previous("x"), facts(), scope="build[1]", ids=("x",)) is None
    assert seen(lambda ctx: ctx.previous("x"), facts(), ids=("x",)) is None


def test_previous_in_a_nested_loop_is_of_the_innermost():
    source = facts({"a[1]/b[2]/x": 1, "a[2]/b[1]/x": 2}, iterations={"a": 2, "a[2]/b": 2})
    assert seen(lambda ctx: ctx.previous("x"), source, scope="a[2]/b[2]", ids=("x",)) == 2


def test_all_is_what_every_iteration_left_oldest_first():
    source = facts({"build[1]/x": 1, "build[2]/x": 2, "build": None}, iterations={"build": 3})
    assert seen(lambda ctx: ctx.all("x"), source, scope="build[3]", ids=("x",)) == [1, 2]
    assert seen(lambda ctx: ctx.all("build/x"), source, ids=("build",)) == [1, 2]


def test_all_from_outside_nested_loops_is_of_every_iteration_of_each():
    outputs = {"a[1]/b[1]/x": 1, "a[1]/b[2]/x": 2, "a[2]/b[1]/x": 3, "a": None}
    outputs["a[1]/b"] = {"iterations": 2}
    source = facts(outputs, iterations={"a": 2, "a[2]/b": 1})
    assert seen(lambda ctx: ctx.all("a/b/x"), source, ids=("a",)) == [1, 2, 3]


def test_all_of_a_step_outside_loops_is_the_one_there_is():
    assert seen(lambda ctx: ctx.all("x"), facts({"x": 1}), ids=("x",)) == [1]


def test_a_check_has_passed_has_not_or_has_not_answered():
    def ask(ctx):
        return ctx.passed("c")

    green = facts({"c": {"passed": True, "exit_code": 0, "tail": ""}})
    found = {"passed": False, "exit_code": 1, "tail": "no"}
    assert seen(ask, green, ids=("c",)) is True
    assert seen(ask, facts(failed={"c": found}), ids=("c",)) is False
    assert seen(ask, facts(), ids=("c",)) is None
    assert seen(ask, facts(failed={"c": found}, retry_at=5), ids=("c",)) is None


def test_what_a_red_check_found_is_read_like_an_output():
    found = {"passed": False, "exit_code": 1, "tail": "no"}
    said = seen(lambda ctx: ctx.get(Check("c", "true")), facts(failed={"c": found}), ids=("c",))
    assert (said.exit_code, said.tail) == (1, "no")


def test_how_an_approval_was_answered_is_read_like_an_output():
    source = facts({"ship": {"approved": False, "actor": "person:ada", "note": "later"}})
    said = seen(lambda ctx: ctx[Approval("ship", "Ship?")], source, ids=("ship",))
    assert (said.approved, said.actor, said.note) == (False, "person:ada", "later")


def test_a_loop_says_how_many_iterations_it_took_and_why_it_ended():
    source = facts({"build": {"iterations": 2, "ended": "until"}})
    said = seen(lambda ctx: ctx.get("build"), source, ids=("build",))
    assert said == {"iterations": 2, "ended": "until"}


@pytest.mark.parametrize("status", list(StepStatus))
def test_the_state_of_a_step_is_what_it_is(status):
    source = facts(states={"a": status})
    assert seen(lambda ctx: ctx.state("a"), source, ids=("a",)) is status


def test_a_step_that_is_not_in_the_plan_yet_is_pending():
    assert seen(lambda ctx: ctx.state("a"), facts(), ids=("a",)) is StepStatus.PENDING


def test_an_id_of_an_earlier_iteration_is_known_though_this_one_has_it_not():
    source = facts({"build[1]/hint": 1}, iterations={"build": 2})
    assert seen(lambda ctx: ctx.get("hint"), source, scope="build[2]") is None


def test_reads_are_noted_by_what_could_change_the_answer():
    def body(ctx):
        ctx.get("plan")
        ctx.state("code")
        ctx.get("other/x")
        return Sequence(*(Task(name, agent="a", prompt="p") for name in ("code", "review")))

    source = facts(
        {"plan": 1, "other[1]/x": 1}, states={"other": StepStatus.RUNNING}, iterations={"other": 1}
    )
    reads = rendered(body, source, scope="build[1]").reads
    assert {"build[1]/plan", "plan", "other/x"} <= reads.keys
    assert "build[1]/code" in reads.states
    assert "other" in reads.loops


def test_looking_something_up_changes_nothing():
    source = facts({"a": 1})
    context = Context(Given(), source)
    before = repr(source)
    context.get("a")
    context.get("nothing")
    assert repr(source) == before
