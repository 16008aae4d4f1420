"""The workflow file changes while its run is under way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smithers.model.run import RunStatus
from smithers.service import control
from tests.running import ACTOR, Workshop, alive, hold, pids, states, write

pytestmark = pytest.mark.slow

FLOW = """
return Sequence(
    Check("one", f"echo one >>{OUT}/marks"),
    Approval("ship", "Ship it?"),
    Check("two", f"echo two >>{OUT}/marks"),
)
"""


def parked(workshop: Workshop, flow: str = FLOW) -> Path:
    path = workshop.flow(flow)
    workshop.up(path)
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    return Path(path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("    return Sequence(", "SyntaxError"),
        ("raise RuntimeError('no more')", "RuntimeError: no more"),
        ("from nowhere import nothing", "ModuleNotFoundError"),
    ],
)
def test_a_file_that_is_broken_pauses_the_run_with_file_and_line(
    workshop: Workshop, line: str, says: str
) -> None:
    path = parked(workshop)
    good = path.read_text()
    path.write_text(f"{good}{line}\n")
    workshop.approve()
    view = workshop.until_status(RunStatus.PAUSED)
    workshop.until_no_engine()
    number = len(good.splitlines()) + 1
    assert f"{path}:{number}" in view.error
    assert says in view.error or "never closed" in view.error
    assert [each.kind for each in view.waiting_on] == ["paused"]
    assert states(view)["one"] == "succeeded"
    workshop.resume()  # nothing has changed: it says the same again
    workshop.until_no_engine()
    assert workshop.view().row.status is RunStatus.PAUSED
    path.write_text(good)
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["one", "two"]


def test_a_file_that_is_gone_pauses_the_run(workshop: Workshop) -> None:
    path = parked(workshop)
    text = path.read_text()
    path.unlink()
    workshop.approve()
    assert str(path) in workshop.until_status(RunStatus.PAUSED).error
    path.write_text(text)
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["one", "two"]


def beside(workshop: Workshop, *, rest: str = "") -> str:
    """A check that can be held beside a gate, so that its engine lives when the gate is decided."""
    return f"""
        return Sequence(
            Parallel(
                Check("held", {hold(workshop, "held")!r} + f"; echo held >>{{OUT}}/marks"),
                Approval("ship", "Ship it?"),
            ),
            Check("two", f"echo two >>{{OUT}}/marks"),
            {rest}
        )
    """


def test_what_runs_when_the_file_breaks_finishes_and_is_kept(workshop: Workshop) -> None:
    path = Path(workshop.flow(beside(workshop)))
    workshop.up(str(path))
    workshop.until_file("held.reached")
    workshop.until(lambda view: view.gates)
    good = path.read_text()
    path.write_text(good + "nonsense!\n")
    workshop.approve()
    workshop.touch("held.go")
    view = workshop.until_status(RunStatus.PAUSED)
    workshop.until_no_engine()
    assert states(view)["held"] == "succeeded"
    path.write_text(good)
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["held", "two"]
    assert workshop.attempts()["held"] == ["succeeded"]


@pytest.mark.parametrize("broken", ["while it runs", "while it is parked"])
def test_a_run_whose_file_is_broken_can_be_cancelled(workshop: Workshop, broken: str) -> None:
    path = Path(workshop.flow(beside(workshop)))
    workshop.up(str(path))
    workshop.until_file("held.reached")
    workshop.until(lambda view: view.gates)
    path.write_text("nonsense!\n")
    workshop.approve()
    if broken == "while it is parked":
        workshop.kill_engine()
    control.cancel(workshop.root, "r", actor=ACTOR)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.CANCELLED
    assert not any(alive(pid) for pid in pids(workshop, "held"))
    assert workshop.attempts()["held"][-1] in {"stopped", "interrupted"}
    assert set(states(view).values()) == {"cancelled"}, workshop.tell()


def test_an_added_step_runs_and_nothing_is_done_again(workshop: Workshop) -> None:
    path = parked(workshop)
    more = 'Check("three", f"echo three >>{OUT}/marks"),\n'
    early = 'Check("zero", f"echo zero >>{OUT}/marks"),\n'
    text = path.read_text().replace('    Check("one"', f'    {early}        Check("one"')
    path.write_text(
        text.replace('>>{OUT}/marks"),\n    )', f'>>{{OUT}}/marks"),\n        {more}    )')
    )
    workshop.approve()
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.lines("marks") == ["one", "zero", "two", "three"]
    assert set(states(view)) == {"zero", "one", "ship", "two", "three"}


def test_a_changed_prompt_counts_for_what_has_not_run_and_for_nothing_else(
    workshop: Workshop,
) -> None:
    path = Path(
        workshop.flow("""
        return Sequence(
            Task("first", agent="coder", prompt="Old words"),
            Approval("ship", "Ship it?"),
            Task("code", agent="coder", prompt="Old words"),
        )
        """)
    )
    workshop.up(str(path), write("a", "a", step="first"), write("b", "b", step="code"))
    workshop.until_status(RunStatus.WAITING)
    path.write_text(path.read_text().replace("Old words", "New words"))
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.prompts("first") == ["Old words"]
    assert workshop.prompts("code") == ["New words"]


def test_a_running_step_that_left_the_plan_is_stopped(workshop: Workshop) -> None:
    path = Path(workshop.flow(beside(workshop)))
    workshop.up(str(path))
    workshop.until_file("held.reached")
    workshop.until(lambda view: view.gates)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if '"held"' not in line))
    workshop.approve()
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.lines("marks") == ["two"]
    assert workshop.attempts()["held"] == ["stopped"]
    assert [step.key for step in view.steps if step.gone] == ["held"]
    assert not any(alive(pid) for pid in pids(workshop, "held"))


def test_an_edit_within_the_same_second_and_of_the_same_length_counts(workshop: Workshop) -> None:
    path = parked(workshop)
    at = path.stat()
    path.write_text(path.read_text().replace("echo two", "echo 2nd"))
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns + 1))
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["one", "2nd"]
