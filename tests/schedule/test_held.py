"""A kept output that does not fit: who waits for it, and who goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from smithers.author.steps import Approval, Call, Check, Loop, Parallel, Sequence, Step, Task
from smithers.model.run import Intent, RunStatus
from smithers.model.step import StepStatus
from smithers.schedule.scheduler import Decision
from smithers.store.drive import Transition
from tests.schedule.driven import Driven, drive, workflow


class Old(BaseModel):
    name: str


class New(Old):
    size: int


def flow(model: type[BaseModel], *beside: Callable[[], Step[Any]]) -> Callable[..., Step[Any]]:
    def function(ctx: Any) -> Step[Any]:
        plan = Task("plan", agent="coder", prompt="", output=model)
        code = Task("code", agent="coder", prompt=f"{ctx.get(plan)}")
        return Parallel(
            Sequence(plan, Check("hold", "x"), code),
            *(Sequence(Check(f"first-{n}", "x"), made()) for n, made in enumerate(beside)),
        )

    return function


def unfit(*beside: Callable[[], Step[Any]]) -> Driven:
    """A run that planned, whose engine dies, and whose model then takes one field more."""
    run = drive(flow(Old, *beside), cap=9)
    run.succeed("plan", {"name": "n"})
    run.author = workflow(flow(New, *beside))
    run.crash()
    return run


def mended(run: Driven, *beside: Callable[[], Step[Any]]) -> Decision:
    run.author = workflow(flow(Old, *beside))
    return run.resume()


def beside_loop() -> Step[Any]:
    return Loop("l", lambda turn: Check("c", "x"), until=lambda turn: True, max_iterations=2)


def test_a_task_a_check_and_an_approval_beside_go_on() -> None:
    run = unfit(
        lambda: Check("check", "x"),
        lambda: Task("task", agent="coder", prompt="p"),
        lambda: Approval("gate", "Well?"),
    )
    assert {"first-0", "first-1", "first-2"} <= set(run.running)
    assert run.status("hold") is StepStatus.WAITING
    for n in range(3):
        run.succeed(f"first-{n}")
    assert {"check", "task"} == set(run.running)
    assert [gate.key for gate in run.asking] == ["gate"]


def test_what_may_hold_the_output_unseen_waits_until_the_model_fits() -> None:
    beside = (lambda: Call("call", str), beside_loop)
    run = unfit(*beside)
    run.succeed("first-0")
    run.succeed("first-1")
    assert not run.running
    for key in ("call", "l", "hold"):
        assert run.status(key) is StepStatus.WAITING
        assert "no longer fits New: size: Field required" in run.reason(key)
    assert run.standing is RunStatus.PAUSED
    assert "next: give what is new in New a default" in run.last.error
    run.ledger.intend(Intent.GO)
    mended(run, *beside)
    assert set(run.running) == {"call", "l[1]/c", "hold"}
    assert not run.last.error


def test_a_held_run_can_be_cancelled() -> None:
    run = unfit()
    assert run.standing is RunStatus.PAUSED
    run.intend(Intent.CANCEL)
    assert run.standing is RunStatus.CANCELLED
    assert {run.status(key) for key in ("hold", "code")} == {StepStatus.CANCELLED}


def test_a_retry_that_is_due_waits_too() -> None:
    run = drive(flow(Old), cap=9)
    run.succeed("plan", {"name": "n"})
    run.fail("hold", retry_at=2_000)
    run.author = workflow(flow(New))
    run.crash()
    run.now = 3_000
    run.round()
    assert (run.status("hold"), run.running) == (StepStatus.WAITING, {})
    mended(run)
    run.round()
    assert set(run.running) == {"hold"}


def test_what_runs_when_the_model_changes_under_a_live_engine_ends_and_is_kept() -> None:
    run = drive(flow(Old, beside_loop), cap=9)
    run.succeed("plan", {"name": "n"})
    run.succeed("first-0")
    assert set(run.running) == {"hold", "l[1]/c"}
    run.author = workflow(flow(New, beside_loop))
    run.intend(Intent.GO)
    assert run.last.stop == []
    run.succeed("hold")
    run.succeed("l[1]/c")
    assert run.standing is RunStatus.PAUSED
    mended(run, beside_loop)
    assert set(run.running) == {"code"}
    assert run.status("l") is StepStatus.SUCCEEDED


def test_a_loop_whose_condition_reads_it_waits_and_judges_once_it_fits() -> None:
    def made(model: type[BaseModel]) -> Callable[..., Step[Any]]:
        def function(ctx: Any) -> Step[Any]:
            loop = Loop(
                "l",
                lambda turn: Check("c", "x"),
                until=lambda turn: turn["plan", model].name == "n",
                max_iterations=2,
            )
            return Sequence(Task("plan", agent="coder", prompt="", output=model), loop)

        return function

    run = drive(made(Old))
    run.succeed("plan", {"name": "n"})
    run.author = workflow(made(New))
    run.crash()
    run.succeed("l[1]/c")
    assert run.status("l") is StepStatus.WAITING
    assert run.standing is RunStatus.PAUSED
    assert "l[1]" not in run.ledger.outputs
    run.author = workflow(made(Old))
    run.resume()
    assert run.standing is RunStatus.SUCCEEDED
    assert run.begun.count("l[1]/c") == 2  # the interrupted one, and the one that succeeded


def test_a_pause_that_is_not_parked_is_not_said() -> None:
    """What came from outside meanwhile, a cancel perhaps, must not be written over."""
    move = Transition("", status=RunStatus.PAUSED, reason="held", error="held", pause=True)
    kept = move.kept_open()
    assert (kept.status, kept.pause, kept.error) == (RunStatus.RUNNING, False, "")
