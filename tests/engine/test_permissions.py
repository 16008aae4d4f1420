"""Questions of agents: they become gates, outlive engines, and are answered once for as long as was said."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from smithers.errors import NeedsPerson, UsageError
from smithers.model.gate import Answer, GateKind, Remember
from smithers.model.run import RunStatus
from smithers.service import control, reading
from smithers.service.views import GateView
from tests.running import ACTOR, Turn, Workshop, hold, until

pytestmark = pytest.mark.slow

ASKS: Turn = {"do": [{"ask": "deploy to staging", "tool": "other"}, {"say": "deployed"}]}
FLOW = 'return Task("ship", agent="coder", prompt="Ship it")'


def gates(workshop: Workshop, run: str = "r") -> list[GateView]:
    return list(workshop.view(run).gates)


def answer(
    workshop: Workshop, said: Answer, remember: Remember = Remember.ONCE, run: str = "r"
) -> None:
    control.decide(
        workshop.root, run, None, said, actor=ACTOR, established="terminal", note="by ten",
        remember=remember,
    )  # fmt: skip


def until_asked(workshop: Workshop, run: str = "r") -> GateView:
    view = workshop.until_status(RunStatus.WAITING, run=run)
    workshop.until_no_engine(run)
    return next(gate for gate in view.gates if gate.decision is None)


def test_what_no_rule_decides_is_a_gate_and_nothing_waits_in_a_process(workshop: Workshop) -> None:
    workshop.up(workshop.flow(FLOW), ASKS)
    gate = until_asked(workshop)
    shown = reading.gate(workshop.db, "r", gate.id)
    assert (gate.kind, gate.by, gate.step) == (GateKind.PERMISSION, "person", "ship")
    assert "deploy to staging" in gate.title
    assert shown.body == "deploy to staging"
    assert workshop.attempts() == {"ship": ["asked"]}
    (waits,) = reading.why(workshop.db, "r")
    assert (waits.kind, waits.next) == ("permission", "smithers approve r ship")


def test_what_is_allowed_is_done_in_the_next_attempt_which_is_charged_nothing(
    workshop: Workshop,
) -> None:
    workshop.up(workshop.flow(FLOW), ASKS)
    until_asked(workshop)
    answer(workshop, Answer.APPROVE)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"ship": ["asked", "succeeded"]}
    (prompt,) = workshop.prompts("ship", 2)
    assert "allowed by person:tester: by ten" in prompt
    assert not workshop.facts().attempts["ship"][0].charged


def test_what_is_denied_is_told_the_agent_and_not_asked_again_in_that_attempt(
    workshop: Workshop,
) -> None:
    workshop.up(workshop.flow('return Task("ship", agent="coder", prompt="Ship", retries=0)'), ASKS)
    until_asked(workshop)
    answer(workshop, Answer.DENY)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert "other deploy to staging is not allowed: denied by person:tester" in view.steps[0].reason


def test_a_crash_after_the_answer_asks_again_and_one_during_the_question_changes_nothing(
    workshop: Workshop,
) -> None:
    flow = workshop.flow(FLOW)
    asks = {"do": [{"run": hold(workshop, "turn")}, *ASKS["do"]]}
    workshop.up(flow, asks)
    workshop.until_file("turn.reached")
    workshop.kill_engine()
    workshop.touch("turn.go")
    workshop.resume()
    first = until_asked(workshop)
    (workshop.out / "turn.go").unlink()
    (workshop.out / "turn.reached").unlink()
    answer(workshop, Answer.APPROVE)
    workshop.until_file("turn.reached")
    workshop.kill_engine()
    workshop.touch("turn.go")
    workshop.resume()
    again = until_asked(workshop)
    assert (first.id, again.id) == ("ship#1", "ship#2")
    assert workshop.attempts() == {"ship": ["interrupted", "asked", "interrupted", "asked"]}


def test_an_answer_for_the_run_is_not_asked_for_again(workshop: Workshop) -> None:
    flow = workshop.flow(
        'return Sequence(Task("one", agent="coder", prompt="1"),'
        ' Task("two", agent="coder", prompt="2"))'
    )
    workshop.up(flow, ASKS, ASKS)
    until_asked(workshop)
    answer(workshop, Answer.APPROVE, Remember.RUN)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"one": ["asked", "succeeded"], "two": ["succeeded"]}


@pytest.mark.parametrize(
    ("remember", "asked"), [(Remember.RECIPE, False), (Remember.RUN, True), (Remember.STEP, True)]
)
def test_only_an_answer_for_the_recipe_holds_in_its_next_run(
    workshop: Workshop, remember: Remember, *, asked: bool
) -> None:
    flow = workshop.flow(FLOW)
    workshop.up(flow, ASKS)
    until_asked(workshop)
    answer(workshop, Answer.APPROVE, remember)
    workshop.until_ended()
    workshop.up(flow, ASKS, run="s")
    end = RunStatus.WAITING if asked else RunStatus.SUCCEEDED
    workshop.until_status(end, run="s")


def test_an_answer_for_the_recipe_holds_for_no_other_workflow_of_its_name(
    workshop: Workshop,
) -> None:
    flow = workshop.flow(FLOW)
    workshop.up(flow, ASKS)
    until_asked(workshop)
    answer(workshop, Answer.APPROVE, Remember.RECIPE)
    workshop.until_ended()
    other = workshop.out / "elsewhere" / "flow.py"
    other.parent.mkdir()
    other.write_bytes(Path(flow).read_bytes())
    workshop.up(str(other), ASKS, run="s")
    until_asked(workshop, "s")
    assert workshop.view("s").row.recipe == workshop.view("r").row.recipe


@pytest.mark.parametrize("said", [Answer.APPROVE, Answer.DENY])
def test_who_drives_decides_for_the_step_and_never_beyond_it(
    workshop: Workshop, said: Answer
) -> None:
    workshop.config('[gates]\n"flow/ship" = "anyone"\n')
    workshop.up(workshop.flow(FLOW), ASKS)
    until_asked(workshop)
    for remember in (Remember.RUN, Remember.RECIPE):
        with pytest.raises(NeedsPerson, match=f"for all of this {remember}"):
            control.decide(
                workshop.root, "r", None, said, actor="agent:x", established="caller",
                remember=remember,
            )  # fmt: skip
    control.pause(workshop.root, "r", now=True, actor=ACTOR)
    control.decide(
        workshop.root, "r", None, said, actor="agent:x", established="caller",
        remember=Remember.STEP,
    )  # fmt: skip
    assert gates(workshop)[0].decision is not None


def test_a_question_of_broken_text_does_no_harm(workshop: Workshop) -> None:
    broken: Turn = {"do": [{"ask": "deploy \ud83d", "tool": "other"}, {"say": "deployed"}]}
    workshop.up(workshop.flow(FLOW), broken)
    until_asked(workshop)
    answer(workshop, Answer.APPROVE)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_gate_in_the_plan_has_nothing_to_remember(workshop: Workshop) -> None:
    workshop.up(workshop.flow('return Approval("ship", "Ship it?")'))
    until_asked(workshop)
    with pytest.raises(UsageError, match="no question of an agent"):
        answer(workshop, Answer.APPROVE, Remember.RUN)


def test_a_paused_run_keeps_its_question(workshop: Workshop) -> None:
    workshop.up(workshop.flow(FLOW), ASKS)
    until_asked(workshop)
    control.pause(workshop.root, "r", now=True, actor=ACTOR)
    answer(workshop, Answer.APPROVE)
    assert workshop.view().row.status is RunStatus.PAUSED
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_an_engine_that_dies_with_the_answer_unread_leaves_it_to_the_next(
    workshop: Workshop,
) -> None:
    flow = workshop.flow(
        f"""
        return Parallel(
            Check("beside", {hold(workshop, "beside")!r} + "; true"),
            Task("ship", agent="coder", prompt="Ship it"),
        )
        """
    )
    workshop.up(flow, ASKS)
    workshop.until_step("ship", "waiting")
    workshop.until_file("beside.reached")
    os.kill(workshop.engine(), signal.SIGSTOP)
    answer(workshop, Answer.APPROVE)
    workshop.kill_engine()
    workshop.touch("beside.go")
    control.ensure_engine(workshop.root, "r")
    until(lambda: workshop.view().row.status.ended, tell=workshop.tell)
    assert workshop.attempts()["ship"] == ["asked", "succeeded"]
