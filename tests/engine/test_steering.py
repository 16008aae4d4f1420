"""What people ask of a run while it runs, waits or has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smithers.errors import Refused
from smithers.model.gate import Answer
from smithers.model.run import RunStatus
from smithers.process.table import children
from smithers.service import control, locate, reading
from smithers.service.views import Counts
from smithers.store.database import Store
from tests.running import ACTOR, Workshop, alive, fail, hold, pids, states, write

pytestmark = pytest.mark.slow

NOT_NOW: dict[str, Any] = {"now": False, "actor": "person:second"}

GATE = """
return Sequence(
    Check("before", f"echo before >>{OUT}/marks"),
    Approval("ship", "Ship it?"),
    Check("after", f"echo after >>{OUT}/marks"),
)
"""


def two(workshop: Workshop, *, edits: bool = False) -> str:
    """`first` can be held, `second` follows; each leaves its name."""
    return workshop.flow(
        f"""
        return Sequence(
            Check("first", {hold(workshop, "first")!r} + f"; echo first >>{{OUT}}/marks"),
            Check("second", f"echo second >>{{OUT}}/marks"),
        )
        """,
        edits=edits,
    )


def test_a_gate_parks_the_run_and_approval_wakes_it(workshop: Workshop) -> None:
    workshop.up(workshop.flow(GATE))
    view = workshop.until_status(RunStatus.WAITING)
    assert states(view) == {"before": "succeeded", "ship": "waiting", "after": "pending"}
    assert [(each.kind, each.step) for each in view.waiting_on] == [("approval", "ship")]
    workshop.until_no_engine()
    assert workshop.view().row.status is RunStatus.WAITING
    assert workshop.lines("marks") == ["before"]
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["before", "after"]


def test_approval_at_the_moment_of_asking_is_not_lost(workshop: Workshop) -> None:
    workshop.up(workshop.flow(GATE))
    workshop.until(lambda view: view.gates)
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_denied_gate_fails_the_run_with_its_note(workshop: Workshop) -> None:
    workshop.up(workshop.flow(GATE))
    workshop.until(lambda view: view.gates)
    workshop.decide(Answer.DENY)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert f"denied by {ACTOR}: noted" in view.row.status_reason
    assert states(view) == {"before": "succeeded", "ship": "failed", "after": "skipped"}
    with pytest.raises(Refused, match="denied already"):
        workshop.decide(Answer.APPROVE, gate="ship")


def test_retry_tries_the_failed_step_again_and_goes_on(workshop: Workshop) -> None:
    flow = workshop.flow("""
        return Sequence(
            Check("first", f"echo first >>{OUT}/marks"),
            Check("second", f"echo second >>{OUT}/marks; test -e {OUT}/cured"),
            Check("third", f"echo third >>{OUT}/marks"),
        )
    """)
    workshop.up(flow)
    view = workshop.until(lambda view: view.row.status.ended)
    assert states(view) == {"first": "succeeded", "second": "failed", "third": "skipped"}
    with pytest.raises(Refused, match="can be retried"):
        control.retry(workshop.root, "r", "first", agents={}, actor=ACTOR)
    workshop.touch("cured")
    control.retry(workshop.root, "r", "second", agents={}, actor=ACTOR)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert workshop.attempts()["second"] == ["failed", "succeeded"]
    assert workshop.lines("marks") == ["first", "second", "second", "third"]


def test_retry_of_a_step_in_a_failed_loop_goes_on_in_that_iteration(workshop: Workshop) -> None:
    flow = workshop.flow("""
        body = lambda turn: Sequence(
            Check("look", f"echo look{turn.iteration} >>{OUT}/marks"),
            Task("code", agent="coder", prompt="Write it", retries=0),
        )
        until = lambda turn: turn.iteration == 2
        return Loop("build", body, until=until, max_iterations=3)
    """)
    turns = [write("a", "a", step="build/code", iteration=n) for n in (1, 2)]
    workshop.up(flow, turns[0], {"step": "build/code", "do": [{"fail": "error"}]}, turns[1])
    workshop.until_ended()
    assert workshop.view().row.status is RunStatus.FAILED
    control.retry(workshop.root, "r", "build[2]/code", agents={}, actor=ACTOR)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts()["build[2]/code"] == ["failed", "succeeded"]
    assert workshop.lines("marks") == ["look1", "look2"]


def test_pause_lets_what_runs_finish_and_starts_nothing(workshop: Workshop) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    control.pause(workshop.root, "r", now=False, actor=ACTOR)
    workshop.touch("first.go")
    view = workshop.until_status(RunStatus.PAUSED)
    workshop.until(lambda view: states(view)["first"] == "succeeded")
    workshop.until_no_engine()
    assert states(view := workshop.view()) == {"first": "succeeded", "second": "ready"}
    assert view.row.status is RunStatus.PAUSED
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["first", "second"]


def test_pause_now_stops_what_runs_and_resume_does_it_again(workshop: Workshop) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    control.pause(workshop.root, "r", now=True, actor=ACTOR)
    workshop.until_status(RunStatus.PAUSED)
    workshop.until_no_engine()
    assert workshop.attempts() == {"first": ["stopped"]}
    assert not any(alive(pid) for pid in pids(workshop, "first"))
    workshop.touch("first.go")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"first": ["stopped", "succeeded"], "second": ["succeeded"]}
    assert workshop.lines("marks") == ["first", "second"]


def test_resume_right_after_pause_goes_on_as_if_nothing_had_been(workshop: Workshop) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    control.pause(workshop.root, "r", now=False, actor=ACTOR)
    workshop.resume()
    workshop.touch("first.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"first": ["succeeded"], "second": ["succeeded"]}


def test_resume_at_the_moment_of_pausing_is_not_lost(workshop: Workshop) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    control.pause(workshop.root, "r", now=False, actor=ACTOR)
    workshop.touch("first.go")
    workshop.until(lambda view: states(view)["first"] == "succeeded")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_paused_run_is_not_brought_back_on_sight(workshop: Workshop) -> None:
    workshop.up(workshop.flow(GATE))
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    control.pause(workshop.root, "r", now=False, actor=ACTOR)
    workshop.approve()
    control.ensure_engine(workshop.root, "r")
    assert not workshop.engine_lives()
    assert workshop.view().row.status is RunStatus.PAUSED
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_cancel_ends_all_processes_and_keeps_the_worktree(workshop: Workshop) -> None:
    held = hold(workshop, "first")
    flow = workshop.flow(
        f"""
        work = "echo half >half; setsid sleep 300 & echo $! >>{{OUT}}/first.pids; " + {held!r}
        return Sequence(Check("first", work.replace("{{OUT}}", OUT)), Approval("ship", "Ship it?"))
        """,
        edits=True,
    )
    workshop.up(flow)
    workshop.until_file("first.reached")
    worktree = Path(workshop.view().workspace)
    control.cancel(workshop.root, "r", actor=ACTOR)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.CANCELLED
    assert workshop.attempts() == {"first": ["stopped"]}
    assert states(view) == {"first": "cancelled", "ship": "cancelled"}
    assert len(pids(workshop, "first")) == 2
    assert not any(alive(pid) for pid in pids(workshop, "first"))
    assert (worktree / "half").read_text() == "half\n"
    assert workshop.git("branch", "--list", "smithers/r", "--format=%(refname:short)")
    with pytest.raises(Refused, match="has ended"):
        workshop.resume()


def test_cancel_of_a_parked_run_settles_it_at_once(workshop: Workshop) -> None:
    workshop.up(workshop.flow(GATE))
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    control.cancel(workshop.root, "r", actor=ACTOR)
    view = workshop.view()
    assert view.row.status is RunStatus.CANCELLED
    assert states(view) == {"before": "succeeded", "ship": "cancelled", "after": "cancelled"}
    assert view.row.counts == Counts(total=3, done=1, failed=0, running=0, waiting=0)
    assert reading.inbox(workshop.db) == []
    with pytest.raises(Refused, match="has ended"):
        workshop.approve()


def test_cancel_of_a_run_whose_engine_was_killed_ends_what_it_left(workshop: Workshop) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    workshop.kill_engine()
    assert any(alive(pid) for pid in pids(workshop, "first"))
    control.cancel(workshop.root, "r", actor=ACTOR)
    assert workshop.until_ended().row.status is RunStatus.CANCELLED
    assert not any(alive(pid) for pid in pids(workshop, "first"))
    assert workshop.attempts() == {"first": ["interrupted"]}


def test_what_will_not_end_is_told_once_and_killed_after_its_grace(workshop: Workshop) -> None:
    flow = workshop.flow("""
        deaf = f"trap 'touch {OUT}/told' TERM; echo $$ >{OUT}/deaf.pids; touch {OUT}/deaf.reached; "
        return Check("deaf", deaf + "while :; do sleep 0.05; done")
    """)
    workshop.up(flow)
    workshop.until_file("deaf.reached")
    control.pause(workshop.root, "r", now=True, actor=ACTOR)
    workshop.until_file("told")
    # News while it is being stopped: a round of the loop each.
    control.pause(workshop.root, "r", now=True, actor=ACTOR)
    control.cancel(workshop.root, "r", actor=ACTOR)
    for change_of_mind in (workshop.resume, lambda: control.pause(workshop.root, "r", **NOT_NOW)):
        with pytest.raises(Refused, match=f"being cancelled by {ACTOR}"):
            change_of_mind()
    control.cancel(workshop.root, "r", actor="person:second")
    view = workshop.until_ended()
    assert view.row.status is RunStatus.CANCELLED
    assert view.row.status_reason == f"cancelled by {ACTOR}"
    assert workshop.attempts() == {"deaf": ["stopped"]}
    assert [alive(pid) for pid in pids(workshop, "deaf")] == [False]


def test_stop_ends_open_loops_well_after_the_present_iteration(workshop: Workshop) -> None:
    flow = workshop.flow(f"""
        body = lambda turn: Check("work", {hold(workshop, "work")!r} + f"; echo work >>{{OUT}}/marks")
        return Sequence(
            Loop("keep", body, until=lambda turn: False, max_iterations=1000),
            Check("proof", f"echo proof >>{{OUT}}/marks"),
        )
    """)
    workshop.up(flow)
    workshop.until_file("work.reached")
    control.stop(workshop.root, "r", actor=ACTOR)
    workshop.touch("work.go")
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert view.row.status_reason == f"keep stopped by {ACTOR}"
    assert workshop.lines("marks") == ["work", "proof"]


@pytest.mark.parametrize("asked_as", ["@budget", "budget"])
def test_a_used_up_budget_asks_and_as_much_again_goes_on(workshop: Workshop, asked_as: str) -> None:
    workshop.up(two(workshop), budget={"minutes": 0.03})
    workshop.until_file("first.reached")
    view = workshop.until_status(RunStatus.WAITING)
    assert [(each.kind, each.step) for each in view.waiting_on] == [("budget", "@budget")]
    workshop.until_no_engine()
    assert workshop.attempts() == {"first": ["stopped"]}
    assert not any(alive(pid) for pid in pids(workshop, "first"))
    workshop.touch("first.go")
    store = Store(locate.state_dir(workshop.root))
    with store.write() as db:
        # As a database of before has it.
        db.execute("UPDATE gates SET key = ?, id = ? || '#1'", (asked_as, asked_as))
    store.close()
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["first", "second"]


@pytest.mark.parametrize(
    ("limit", "used"),
    [("tokens", {"input_tokens": 900, "output_tokens": 200}), ("usd", {"cost_usd": 1000.0})],
)
def test_a_budget_that_is_used_up_in_mid_attempt_stops_it_there(
    workshop: Workshop, limit: str, used: dict[str, float]
) -> None:
    turn = {"do": [{"use": used}, {"run": hold(workshop, "work")}]}
    workshop.up(
        workshop.flow('return Task("code", agent="coder", prompt="x")'), turn, budget={limit: 1000}
    )
    workshop.until_file("work.reached")
    view = workshop.until_status(RunStatus.WAITING)
    assert f"1000 {limit} used" in view.waiting_on[0].text
    workshop.until_no_engine()
    assert workshop.attempts() == {"code": ["stopped"]}
    assert not any(alive(pid) for pid in pids(workshop, "work"))
    spent = workshop.view().row.usage
    assert (spent.input_tokens, spent.cost_usd) == (
        used.get("input_tokens"), used.get("cost_usd"),
    )  # fmt: skip
    workshop.touch("work.go")
    workshop.approve()
    workshop.until_status(RunStatus.WAITING, RunStatus.SUCCEEDED)


def test_a_step_called_budget_has_its_own_gate(workshop: Workshop) -> None:
    usage = {"input_tokens": 900, "output_tokens": 200}
    flow = workshop.flow("""
        code = Task("code", agent="coder", prompt="x")
        return Sequence(code, Approval("budget", "Is it worth that?"), Check("after", "true"))
    """)
    workshop.up(flow, write("a", "a", usage=usage), budget={"tokens": 1000})
    view = workshop.until(lambda view: len(view.gates) == 2)
    assert {gate.step for gate in view.gates} == {"@budget", "budget"}
    workshop.approve(gate="budget")
    workshop.until_no_engine()
    view = workshop.until(lambda view: view.row.status is RunStatus.WAITING)
    assert states(view) == {"code": "succeeded", "budget": "succeeded", "after": "ready"}
    workshop.approve(gate="@budget")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_budget_that_is_not_raised_fails_the_run_and_says_so(workshop: Workshop) -> None:
    usage = {"input_tokens": 900, "output_tokens": 200}
    flow = workshop.flow("""
        return Sequence(Task("code", agent="coder", prompt="x"), Check("after", "true"))
    """)
    workshop.up(flow, write("a", "a", usage=usage), budget={"tokens": 1000})
    view = workshop.until_status(RunStatus.WAITING)
    assert "1100 of 1000 tokens used" in view.row.status_reason + view.waiting_on[0].text
    workshop.decide(Answer.DENY)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert "budget" in view.row.status_reason
    assert workshop.attempts() == {"code": ["succeeded"]}


def test_an_idle_engine_runs_no_process(workshop: Workshop) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    (shell,) = children(workshop.engine())
    assert shell == pids(workshop, "first")[0]
    workshop.touch("first.go")
    workshop.until_ended()


# -- once more, from anywhere, with its actor --


def whys(workshop: Workshop, run: str = "r") -> list[str]:
    return [frame.why for frame in reading.frames(workshop.db, run)]


def at_once(workshop: Workshop, *commands: tuple[str, ...]) -> list[int]:
    """Exit codes of commands that run beside each other, as agents run them."""
    env = {**os.environ, "SMITHERS_ACTOR": "twin"}
    smithers = [sys.executable, "-m", "smithers.cli"]
    begun = [
        subprocess.Popen([*smithers, *words], cwd=workshop.root, env=env, stderr=subprocess.DEVNULL)
        for words in commands
    ]
    return [process.wait(60) for process in begun]


def test_a_run_that_nobody_drives_is_paused_resumed_and_cancelled_once_and_says_by_whom(
    workshop: Workshop,
) -> None:
    workshop.up(workshop.flow(GATE))
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    before = len(whys(workshop))
    assert at_once(workshop, ("pause", "r"), ("pause", "r", "--now")) == [0, 0]
    control.pause(workshop.root, "r", now=True, actor=ACTOR)
    view = workshop.view()
    assert view.row.status_reason == "paused by agent:twin"
    control.resume(workshop.root, "r", agents={}, actor=ACTOR)
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    assert at_once(workshop, ("cancel", "r"), ("cancel", "r")) == [0, 0]
    control.cancel(workshop.root, "r", actor=ACTOR)
    view = workshop.view()
    assert (view.row.status, view.row.status_reason, view.intent_by) == (
        RunStatus.CANCELLED,
        "cancelled by agent:twin",
        "agent:twin",
    )
    said = [why for why in whys(workshop)[before:] if " by " in why]
    assert said == [
        "run paused by agent:twin",
        f"run resumed by {ACTOR}",
        "run cancelled by agent:twin",
    ]
    with pytest.raises(Refused, match="has ended"):
        control.pause(workshop.root, "r", now=False, actor=ACTOR)


def test_a_live_engine_says_by_whom_it_was_paused_and_cancelled(workshop: Workshop) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    control.pause(workshop.root, "r", now=False, actor=ACTOR)
    control.pause(workshop.root, "r", **NOT_NOW)
    workshop.touch("first.go")
    assert workshop.until_status(RunStatus.PAUSED).row.status_reason == f"paused by {ACTOR}"
    workshop.until_no_engine()
    assert whys(workshop)[-1] == f"first succeeded → run paused by {ACTOR}"


def test_who_resumes_is_in_the_frames_with_an_engine_that_lives_or_died(
    workshop: Workshop,
) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    root = workshop.root
    control.pause(root, "r", now=False, actor=ACTOR)
    control.resume(root, "r", agents={}, actor=ACTOR)
    with pytest.raises(Refused, match="live engine already"):
        control.resume(root, "r", agents={}, actor="person:second")
    for name in ("claude:haiku", "claude:haiku"):
        control.resume(root, "r", agents={"coder": name}, actor=ACTOR)
    (workshop.out / "first.reached").unlink()
    workshop.kill_engine()
    control.resume(root, "r", agents={}, actor=ACTOR)
    workshop.until_file("first.reached")
    control.pause(root, "r", now=False, actor=ACTOR)
    workshop.kill_engine()
    control.resume(root, "r", agents={}, actor=ACTOR)
    workshop.touch("first.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert [why for why in whys(workshop) if " by " in why] == [
        f"run resumed by {ACTOR}",
        f"from now on coder = claude:haiku, asked by {ACTOR}",
        f"run resumed by {ACTOR}",
        f"run resumed by {ACTOR}",
    ]


@pytest.mark.parametrize("now", [False, True])
def test_pausing_a_run_whose_engine_was_killed_ends_what_it_left(
    workshop: Workshop, now: bool
) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    workshop.kill_engine()
    control.pause(workshop.root, "r", now=now, actor=ACTOR)
    workshop.until(lambda view: view.row.status is RunStatus.PAUSED and view.engine is None)
    workshop.until_no_engine()
    assert workshop.attempts() == {"first": ["interrupted"]}
    assert not any(alive(pid) for pid in pids(workshop, "first"))
    assert workshop.view().row.status_reason == f"paused by {ACTOR}"
    workshop.touch("first.go")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts()["first"] == ["interrupted", "succeeded"]


def test_a_cancelled_run_whose_engine_is_dead_reads_so_at_once_and_stays_so(
    workshop: Workshop,
) -> None:
    workshop.up(two(workshop))
    workshop.until_file("first.reached")
    workshop.kill_engine()
    at_once(workshop, ("cancel", "r"), ("resume", "r"), ("cancel", "r"))
    control.cancel(workshop.root, "r", actor=ACTOR)
    assert workshop.until_ended().row.status is RunStatus.CANCELLED
    with pytest.raises(Refused, match="has ended"):
        workshop.resume()


def test_cancel_while_the_worktree_is_being_set_up(workshop: Workshop) -> None:
    workshop.config(f"[workspace]\nsetup = {hold(workshop, 'setup')!r}\n")
    workshop.up(two(workshop, edits=True))
    workshop.until_file("setup.reached")
    control.cancel(workshop.root, "r", actor=ACTOR)
    view = workshop.until_ended()
    assert view.row.status_reason == f"cancelled by {ACTOR}"
    assert not any(alive(pid) for pid in pids(workshop, "setup"))
    assert (Path(view.workspace) / "README").exists()
    assert workshop.attempts() == {}


def test_cancel_of_a_run_whose_engine_was_killed_ends_its_setup_also_where_config_has_none_now(
    workshop: Workshop,
) -> None:
    workshop.config(f"[workspace]\nsetup = {hold(workshop, 'setup')!r}\n")
    workshop.up(two(workshop, edits=True))
    workshop.until_file("setup.reached")
    workshop.kill_engine()
    workshop.config("")
    control.cancel(workshop.root, "r", actor=ACTOR)
    assert workshop.until_ended().row.status is RunStatus.CANCELLED
    assert not any(alive(pid) for pid in pids(workshop, "setup"))


def test_cancel_ends_a_wait_for_the_next_try(workshop: Workshop) -> None:
    flow = workshop.flow('return Task("code", agent="coder", prompt="Write it")')
    workshop.up(flow, fail("rate_limit", retry_after=600))
    workshop.until_step("code", "retrying")
    control.cancel(workshop.root, "r", actor=ACTOR)
    view = workshop.until_ended()
    assert (view.row.status, states(view)) == (RunStatus.CANCELLED, {"code": "cancelled"})


def test_cancel_beside_an_agent_that_hangs_and_will_not_end(workshop: Workshop) -> None:
    flow = workshop.flow(f"""
        return Parallel(Check("first", {hold(workshop, "first")!r}),
                        Task("code", agent="coder", prompt="Write it"))
    """)
    deaf = f"trap '' TERM INT; {hold(workshop, 'deaf')}"
    workshop.up(flow, {"step": "code", "do": [{"run": deaf}]})
    workshop.until_file("first.reached")
    workshop.until_file("deaf.reached")
    assert at_once(workshop, ("cancel", "r")) == [0]
    assert workshop.until_ended().row.status is RunStatus.CANCELLED
    assert workshop.attempts() == {"first": ["stopped"], "code": ["stopped"]}
    for name in ("first", "deaf"):
        assert not any(alive(pid) for pid in pids(workshop, name))


def test_a_retry_is_asked_once_and_one_that_is_refused_changes_nothing(workshop: Workshop) -> None:
    flow = workshop.flow("""
        broken = Check("broken", f"echo broken >>{OUT}/marks; test -e {OUT}/cured")
        return Parallel(
            Sequence(broken, Check("after", f"echo after >>{OUT}/marks")),
            Check("beside", f"echo beside >>{OUT}/marks"),
        )
    """)
    workshop.up(flow)
    workshop.until_ended()
    with pytest.raises(Refused, match="can be retried"):
        control.retry(workshop.root, "r", "beside", agents={"coder": "claude"}, actor=ACTOR)
    assert workshop.view().agents == {}
    workshop.touch("cured")
    retry = ("retry", "r", "broken")
    assert set(at_once(workshop, retry, retry)) <= {0, 5}
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    (broken,) = [step for step in workshop.view().steps if step.key == "broken"]
    assert [each.reopened for each in broken.attempts] == ["agent:twin", ""]
    said = [why for why in whys(workshop) if " by " in why]
    assert said == ["broken is to be tried again, asked by agent:twin"]
    assert sorted(workshop.lines("marks")) == ["after", "beside", "broken", "broken"]


def test_stop_is_asked_once_also_of_a_run_that_nobody_drives(workshop: Workshop) -> None:
    flow = workshop.flow("""
        body = lambda turn: Approval("go", "Once more?")
        return Loop("keep", body, until=lambda turn: False, max_iterations=9)
    """)
    workshop.up(flow)
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    control.stop(workshop.root, "r", actor=ACTOR)
    control.stop(workshop.root, "r", actor="person:second")
    assert workshop.view().stop_by == ACTOR
    said = [why for why in whys(workshop) if " by " in why]
    assert said == [f"open loops are to end, asked by {ACTOR}"]
    workshop.until_no_engine()
    workshop.approve()
    assert workshop.until_ended().row.status_reason == f"keep stopped by {ACTOR}"


@pytest.mark.parametrize("verb", ["resume", "cancel"])
def test_a_step_can_steer_a_run_of_its_own_whose_engine_was_killed(
    workshop: Workshop, verb: str
) -> None:
    child = two(workshop)
    smithers = f"{sys.executable} -m smithers.cli"
    drive = (
        f"{smithers} up {child} --run-id c -d; touch {workshop.out}/up; "
        f"until [ -e {workshop.out}/killed ]; do sleep 0.02; done; {smithers} {verb} c; "
        f"{hold(workshop, 'outer')}"
    )
    outer = workshop.flow(f'return Check("drive", {drive!r})', name="outer")
    workshop.up(outer)
    workshop.until_file("up")
    workshop.until_file("first.reached")
    workshop.kill_engine("c")
    workshop.touch("first.go")
    workshop.touch("killed")
    view = workshop.until(lambda view: view.row.finished_at, "c")
    workshop.touch("outer.go")
    ends = RunStatus.SUCCEEDED if verb == "resume" else RunStatus.CANCELLED
    assert view.row.status is ends, workshop.tell()
    assert workshop.attempts("c")["first"][0] == "interrupted"
    assert not any(alive(pid) for pid in pids(workshop, "first"))
    workshop.until_ended()
