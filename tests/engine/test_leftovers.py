"""Nothing is left over, whatever a program does and however its attempt ends."""

from __future__ import annotations

import shlex
import sys

import pytest

from smithers.engine.log import PART_BYTES
from smithers.model.run import RunStatus
from smithers.service import control, reading
from tests.process.flood import flood
from tests.process.leftovers import (
    PROGRAM,
    all_tricks,
    living,
    nasty,
    noted,
    survivors,
    zombies,
)
from tests.running import ACTOR, Workshop, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what holds elsewhere is less"),
]

CHECK = "return Check('nasty', {command!r}, timeout={limit})"
TASK = "return Task('nasty', agent='coder', prompt='do it', retries=0, timeout={limit})"


def begin(
    workshop: Workshop, name: str, ending: str, *, agent: bool = False, limit: float = 60
) -> None:
    """A run of one step that plays all tricks, and the moment when it has."""
    command = nasty(workshop.out, name, ending, all_tricks())
    flow = workshop.flow((TASK if agent else CHECK).format(command=command, limit=limit), name=name)
    workshop.up(flow, run=name, agents={"coder": f"command:{command}"})
    workshop.until_file(f"{name}.ready")
    assert len(noted(workshop.out, name)) >= len(all_tricks())


def ended(workshop: Workshop, name: str, status: str, attempt: str) -> None:
    """The verdict is right, and when it is there nothing of the attempt is."""
    view = workshop.until(lambda view: view.row.status in {status, *ENDED}, name)
    assert survivors(workshop, name, name) == [], workshop.tell()
    assert view.row.status == status, workshop.tell()
    assert workshop.attempts(name)["nasty"] == [attempt]


ENDED = {status for status in RunStatus if status.ended}


@pytest.mark.parametrize("agent", [False, True], ids=["check", "agent"])
def test_after_success_and_failure(workshop: Workshop, agent: bool) -> None:
    begin(workshop, "good", "0", agent=agent)
    ended(workshop, "good", "succeeded", "succeeded")
    begin(workshop, "bad", "3", agent=agent)
    ended(workshop, "bad", "failed", "failed")


def test_after_a_time_limit_a_cancel_and_a_pause(workshop: Workshop) -> None:
    begin(workshop, "late", "stay", limit=4)
    begin(workshop, "cancelled", "stay", agent=True)
    begin(workshop, "paused", "stay")
    control.cancel(workshop.root, "cancelled", actor=ACTOR)
    control.pause(workshop.root, "paused", now=True, actor=ACTOR)
    ended(workshop, "late", "failed", "timed_out")
    ended(workshop, "cancelled", "cancelled", "stopped")
    ended(workshop, "paused", "paused", "stopped")


def test_when_the_engine_was_killed_the_next_attempt_begins_alone(workshop: Workshop) -> None:
    look = shlex.join([sys.executable, "-S", str(PROGRAM), f"{workshop.out}/r.pids", "look"])
    first = nasty(workshop.out, "r", "stay", all_tricks())
    command = (
        f"if [ -e {workshop.out}/r.ready ]; then {look} >{workshop.out}/seen; else {first}; fi"
    )
    workshop.up(workshop.flow(CHECK.format(command=command, limit=60)))
    workshop.until_file("r.ready")
    workshop.kill_engine()
    assert living(noted(workshop.out, "r"))
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.lines("seen") == []
    assert survivors(workshop, "r", "r") == []
    assert workshop.attempts() == {"nasty": ["interrupted", "succeeded"]}


def test_after_the_cancel_of_a_run_whose_engine_is_dead(workshop: Workshop) -> None:
    begin(workshop, "r", "stay", agent=True)
    workshop.kill_engine()
    control.cancel(workshop.root, "r", actor=ACTOR)
    workshop.until_ended()
    ended(workshop, "r", "cancelled", "interrupted")


def test_no_zombie_stays_while_an_attempt_runs_or_after_it(workshop: Workshop) -> None:
    first = nasty(workshop.out, "first", "0", ["daemon", "bomb", "child"])
    second = nasty(workshop.out, "second", "stay", ["short"] * 20)
    flow = workshop.flow(f"return Sequence(Check('first', {first!r}), Check('second', {second!r}))")
    workshop.up(flow)
    workshop.until_file("second.ready")
    engine = workshop.engine()
    until(lambda: not zombies(engine), tell=lambda: str(zombies(engine)))
    assert workshop.attempts() == {"first": ["succeeded"], "second": ["running"]}
    assert len(noted(workshop.out, "second")) == 21


def test_a_line_without_end_costs_neither_memory_nor_disk_and_its_end_is_kept(
    workshop: Workshop,
) -> None:
    cost = flood(workshop, "check line", 120_000_000)
    assert 20 < cost.megabytes < 100
    assert 2 * PART_BYTES < cost.disk <= 3 * PART_BYTES
    lines = reading.log(workshop.db, "check-line", limit=10**6)
    said = [line.text for line in lines if line.stream == "out"]
    assert said[0].startswith("xxx")
    assert said[-1] == "end"
    assert [line.n for line in lines] != list(range(1, len(lines) + 1)), "all of it is kept"
