"""What a tree of steps says of each of them."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from smithers import Approval, Call, Check, Loop, Parallel, Prompt, Sequence, Task
from smithers.model.step import StepKind
from tests.author.scopes import facts, rendered


class Change(BaseModel):
    summary: str


def task(name, **kwargs):
    return Task(name, agent="coder", prompt="p", **kwargs)


def after(plan):
    return {key: step.after for key, step in plan.steps.items()}


def test_each_leaf_says_its_kind_and_what_distinguishes_it():
    plan = rendered(
        lambda ctx: Sequence(
            Task("t", agent="coder", prompt="p", output=Change),
            Check("c", "pytest -q", ok=(0, 5)),
            Call("f", str, 3),
            Approval("g", "Well?", by="anyone", show="diff", on_deny="continue"),
            Loop("l", task, until=bool, max_iterations=4, on_exhausted="ask"),
        )
    )
    kinds = [step.kind for step in plan.steps.values()]
    assert kinds == [
        StepKind.TASK,
        StepKind.CHECK,
        StepKind.CALL,
        StepKind.APPROVAL,
        StepKind.LOOP,
    ]
    specs = {key: dict(step.spec) for key, step in plan.steps.items()}
    assert (specs["t"]["agent"], specs["t"]["output"]) == ("coder", "Change")
    assert specs["c"] == {"command": "pytest -q", "ok": [0, 5]}
    assert specs["g"] == {"ask": "Well?", "by": "anyone", "show": "diff", "on_deny": "continue"}
    assert specs["l"] == {"max": 4, "on_exhausted": "ask"}


def test_an_approval_wants_a_person_and_fails_when_denied_unless_told_otherwise():
    (step,) = rendered(lambda ctx: Approval("g", "Well?")).steps.values()
    assert (step.spec["by"], step.spec["on_deny"], step.spec["show"]) == ("person", "fail", None)


def test_all_leaves_take_condition_tries_limit_and_title():
    plan = rendered(lambda ctx: task("a", when=False, retries=3, timeout=1.5, title="First"))
    (step,) = plan.steps.values()
    assert (step.when, step.title) == (False, "First")
    assert (step.spec["retries"], step.spec["timeout"]) == (3, 1.5)


def test_a_title_is_the_id_unless_given():
    (step,) = rendered(lambda ctx: task("a")).steps.values()
    assert step.title == "a"


def test_a_sequence_puts_each_step_after_the_one_before():
    plan = rendered(lambda ctx: Sequence(task("a"), task("b"), task("c")))
    assert after(plan) == {"a": (), "b": ("a",), "c": ("b",)}


def test_what_follows_a_parallel_waits_for_all_of_it():
    plan = rendered(lambda ctx: Sequence(Parallel(task("a"), task("b")), task("c")))
    assert after(plan) == {"a": (), "b": (), "c": ("a", "b")}


def test_an_empty_group_stands_in_nobodys_way():
    plan = rendered(lambda ctx: Sequence(task("a"), Parallel(), Sequence(), task("b")))
    assert after(plan) == {"a": (), "b": ("a",)}


def test_groups_add_nothing_to_keys_and_scopes_do():
    plan = rendered(lambda ctx: Sequence(Parallel(task("a"))), scope="build[2]")
    assert list(plan.steps) == ["build[2]/a"]
    assert plan.steps["build[2]/a"].scope == "build[2]"


def test_a_limit_counts_for_all_steps_in_its_parallel():
    plan = rendered(lambda ctx: Parallel(Sequence(task("a"), task("b")), task("c"), limit=2))
    limits = {step.limits for step in plan.steps.values()}
    assert len(limits) == 1
    ((_, most),) = limits.pop()
    assert most == 2


def test_two_parallels_with_limits_do_not_count_each_other():
    plan = rendered(
        lambda ctx: Sequence(Parallel(task("a"), limit=1), Parallel(task("b"), limit=1))
    )
    assert plan.steps["a"].limits != plan.steps["b"].limits


def test_needs_are_named_by_handle_or_id_and_add_to_the_order():
    def body(ctx):
        a = task("a")
        return Parallel(a, task("b"), Sequence(task("c"), task("d", needs=(a, "b"))))

    assert after(rendered(body))["d"] == ("c", "a", "b")


def test_needs_reach_out_of_a_loop():
    source = facts({"plan": {}, "build[1]/code": "x"}, iterations={"build": 2})
    plan = rendered(lambda ctx: task("code", needs=("plan",)), source, scope="build[2]")
    assert after(plan) == {"build[2]/code": ("plan",)}


def test_a_single_need_needs_no_tuple():
    plan = rendered(lambda ctx: Parallel(task("first"), task("b", needs="first")))
    assert after(plan)["b"] == ("first",)


def test_an_editing_workflow_may_have_one_task_beside_checks():
    rendered(lambda ctx: Parallel(task("a"), Check("c", "true")), edits=True)


def test_a_prompt_that_changes_changes_the_step_and_the_same_one_does_not(tmp_path):
    def said(prompt):
        return rendered(lambda ctx: Task("a", agent="a", prompt=prompt)).steps["a"]

    assert said("one") == said("one")
    assert said("one") != said("two")
    assert said(Prompt("p.md", goal="x")) == said(Prompt("p.md", goal="x"))
    assert said(Prompt("p.md", goal="x")) != said(Prompt("p.md", goal="y"))


@pytest.mark.parametrize("name", ["a", "A_1", "panel.security", "x-y", "9"])
def test_ids_may_have_letters_digits_underscore_dash_and_dot(name):
    assert list(rendered(lambda ctx: task(name)).steps) == [name]


def test_steps_are_values_and_making_one_does_nothing():
    made = task("a")
    assert (made.id, made.agent, made.output) == ("a", "coder", None)
