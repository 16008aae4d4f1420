"""How whole runs end: well, not yet, badly, later."""

from __future__ import annotations

import pytest

from smithers.model.run import RunStatus
from smithers.process.table import children
from tests.running import Workshop, alive, fail, pids, states, until, write

pytestmark = pytest.mark.slow

ONE_TASK = 'return Task("code", agent="coder", prompt="Write it", output=Answer, retries={retries})'
BUILD = """
def attempt(turn):
    found = turn.previous("checks", CheckResult)
    seen = "" if found is None else found.tail
    return Sequence(
        Task("code", agent="coder", output=Answer, prompt=f"Write it. The last check said: {seen}"),
        Check("checks", "cat value; grep -qx good value"),
    )
return Sequence(
    Loop("build", attempt, until=lambda turn: turn.passed("checks"), max_iterations=4),
    Check("after", "test -f value"),
)
"""


def test_a_run_that_does_what_it_should_succeeds_on_its_own_branch(workshop: Workshop) -> None:
    flow = workshop.flow(BUILD, edits=True)
    workshop.up(flow, write("value", "good\n", step="build/code"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert states(view) == {
        "build": "succeeded", "build[1]/code": "succeeded",
        "build[1]/checks": "succeeded", "after": "succeeded",
    }  # fmt: skip
    assert workshop.git("show", "smithers/r:value") == "good"
    assert not (workshop.root / "value").exists()
    assert workshop.git("status", "--porcelain", "--untracked-files=no") == ""


def test_a_red_check_means_once_more_and_the_next_prompt_holds_its_words(
    workshop: Workshop,
) -> None:
    workshop.up(
        workshop.flow(BUILD, edits=True),
        write("value", "bad: 41 is not 42\n", step="build/code", iteration=1),
        write("value", "good\n", step="build/code", iteration=2, expect=["41 is not 42"]),
    )
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.attempts() == {
        "build[1]/code": ["succeeded"], "build[1]/checks": ["failed"],
        "build[2]/code": ["succeeded"], "build[2]/checks": ["succeeded"], "after": ["succeeded"],
    }  # fmt: skip
    assert "41 is not 42" in workshop.prompts("build[2]/code")[0]


def test_a_loop_at_its_bound_fails_the_run_and_what_follows_is_skipped(workshop: Workshop) -> None:
    turns = [write("value", f"bad {n}\n", step="build/code") for n in range(4)]
    workshop.up(workshop.flow(BUILD, edits=True), *turns)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert "4 iterations" in view.row.status_reason
    assert states(view)["after"] == "skipped"


def test_a_task_that_fails_is_tried_again_after_a_while(workshop: Workshop) -> None:
    flow = workshop.flow(ONE_TASK.format(retries=1))
    workshop.up(flow, fail("error", message="the wind"), write("a", "a"))
    waiting = workshop.until_step("code", "retrying")
    assert waiting.row.status is RunStatus.RUNNING
    (timer,) = waiting.waiting_on
    assert (timer.kind, timer.step) == ("timer", "code")
    assert "the wind" in timer.text
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    first, second = workshop.view().steps[0].attempts
    assert (first.status, second.status) == ("failed", "succeeded")
    assert first.finished_at is not None
    assert second.started_at - first.finished_at >= 3_900


def test_a_task_whose_tries_are_used_up_fails_the_run(workshop: Workshop) -> None:
    workshop.up(workshop.flow(ONE_TASK.format(retries=0)), fail("error", message="the wind"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert "the wind" in view.row.status_reason
    assert [each.kind for each in view.waiting_on] == ["failed"]


@pytest.mark.parametrize("kind", ["auth", "config"])
def test_what_no_retry_can_cure_is_not_retried(workshop: Workshop, kind: str) -> None:
    workshop.up(workshop.flow(ONE_TASK.format(retries=5)), fail(kind, message="log in first"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert workshop.attempts() == {"code": ["failed"]}
    assert "log in first" in view.row.status_reason


def test_an_answer_that_does_not_fit_is_repaired_in_the_same_attempt(workshop: Workshop) -> None:
    workshop.up(
        workshop.flow(ONE_TASK.format(retries=0)),
        {"step": "code", "do": [{"say": "hm"}], "output": {"txet": 1}},
        {"step": "code", "do": [{"say": "hm"}]},
        {"step": "code", "do": [], "output": {"text": "fits"}, "expect": ["does not fit"]},
    )
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.attempts() == {"code": ["succeeded"]}
    first, second, third = workshop.prompts("code")
    assert "does not fit" not in first
    assert "text: Field required" in second
    assert "there is no JSON in it" in third


def test_an_answer_that_is_never_repaired_fails(workshop: Workshop) -> None:
    bad = {"step": "code", "do": [], "output": {"txet": 1}}
    workshop.up(workshop.flow(ONE_TASK.format(retries=0)), bad, bad, bad, write("a", "a"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert "did not fit after 2 repairs" in view.row.status_reason
    assert len(workshop.prompts("code")) == 3


def test_a_rate_limit_is_waited_out_without_a_process_and_costs_no_retry(
    workshop: Workshop,
) -> None:
    flow = workshop.flow(ONE_TASK.format(retries=0))
    limited = fail("rate_limit", retry_after=1.5)
    workshop.up(flow, limited, write("a", "a"))
    workshop.until_step("code", "retrying")
    assert workshop.attempts() == {"code": ["rate_limited"]}
    assert not workshop.facts().attempts["code"][0].charged
    engine = workshop.engine()
    assert alive(engine)
    until(lambda: children(engine) == set())
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"code": ["rate_limited", "succeeded"]}
    first, second = view.steps[0].attempts
    assert first.finished_at is not None
    assert second.started_at - first.finished_at >= 1_500


def test_a_time_limit_ends_the_attempt_and_all_its_processes(workshop: Workshop) -> None:
    flow = workshop.flow("""
        return Check("slow", f"setsid sleep 300 & echo $! >{OUT}/slow.pids; echo $$ >>{OUT}/slow.pids;"
                             " sleep 301", timeout=0.7)
    """)
    workshop.up(flow)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert workshop.attempts() == {"slow": ["timed_out"]}
    assert "time limit of 0.7 s" in view.row.status_reason
    assert len(pids(workshop, "slow")) == 2
    assert not any(alive(pid) for pid in pids(workshop, "slow"))


def test_a_silent_agent_is_ended_at_the_stall_limit(workshop: Workshop) -> None:
    workshop.config("[limits]\nstall = 0.7\nretries = 0\n")
    talking = [{"say": f"step {n}"} if n % 2 else {"sleep": 0.3} for n in range(8)]
    silent = f"echo $$ >{workshop.out}/silent.pids; sleep 300"
    workshop.up(
        workshop.flow('return Task("code", agent="coder", prompt="Write it")'),
        {"step": "code", "do": [*talking, {"run": silent}]},
    )
    view = workshop.until_ended()
    assert workshop.attempts() == {"code": ["timed_out"]}
    assert "no sign of life for 0.7 s" in view.row.status_reason
    assert "text: step 7" in workshop.log("code"), "four talks of 0.3 s each are no silence"
    assert [alive(pid) for pid in pids(workshop, "silent")] == [False]


def test_a_call_past_its_time_limit_holds_up_neither_run_nor_engine(workshop: Workshop) -> None:
    flow = workshop.flow("""
        import time
        return Call("slow", time.sleep, 60, timeout=0.4)
    """)
    workshop.up(flow)
    view = workshop.until(lambda view: view.row.status.ended)
    assert workshop.attempts() == {"slow": ["timed_out"]}
    assert view.row.status is RunStatus.FAILED
    until(lambda: not workshop.engine_lives(), seconds=10, tell=workshop.tell)
