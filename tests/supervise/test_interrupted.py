"""A run whose engine was killed says so at once, everywhere, without anyone writing a word."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from smithers.model.run import RunStatus
from smithers.service import control, reading
from tests.running import ACTOR, Workshop, fail, hold, states, until

pytestmark = pytest.mark.slow


def in_an_attempt(workshop: Workshop) -> None:
    workshop.up(workshop.flow(f'return Check("work", {hold(workshop, "work")!r})'))
    workshop.until_file("work.reached")


def in_setup(workshop: Workshop) -> None:
    workshop.config(f'[workspace]\nsetup = "touch {workshop.out}/setting; sleep 60"\n')
    workshop.up(workshop.flow('return Check("work", "true")', edits=True))
    workshop.until_file("setting")


def in_back_off(workshop: Workshop) -> None:
    turn = fail("rate_limit", step="work", retry_after=600)
    workshop.up(workshop.flow('return Task("work", agent="coder", prompt="x")'), turn)
    workshop.until_step("work", "retrying")


MOMENTS: dict[str, tuple[Callable[[Workshop], None], dict[str, str]]] = {
    "in an attempt": (in_an_attempt, {"work": "ready"}),
    "in setup": (in_setup, {}),
    "in back-off": (in_back_off, {"work": "retrying"}),
}


def said(workshop: Workshop, *words: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "smithers.cli", *words, "--json"],
        cwd=workshop.root,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture
def follower(workshop: Workshop) -> Iterator[Callable[[], str]]:
    """`events -f` of the run, from where it cannot start an engine itself. Gives what it said."""
    path = workshop.out / "events"
    inside = {**os.environ, "SMITHERS_RUN": "outer"}
    started: list[subprocess.Popen[bytes]] = []

    def text() -> str:
        if not started:
            command = [sys.executable, "-m", "smithers.cli", "events", "r", "-f", "--json"]
            with path.open("wb") as file:
                started.append(
                    subprocess.Popen(command, cwd=workshop.root, stdout=file, env=inside)
                )
        return path.read_text()

    yield text
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_it_reads_interrupted_at_the_next_look(
    workshop: Workshop, follower: Callable[[], str], moment: str
) -> None:
    begin, steps = MOMENTS[moment]
    begin(workshop)
    pid = workshop.engine()
    frames = len(reading.frames(workshop.db, "r"))
    until(lambda: follower().count("\n") == frames)
    reading.changed(workshop.db)
    workshop.kill_engine()

    view = workshop.view()
    assert view.row.status is RunStatus.INTERRUPTED
    assert view.row.counts.running == 0
    assert states(view) == steps
    assert reading.runs(workshop.db)[0].status is RunStatus.INTERRUPTED
    assert reading.summary(workshop.db).need_you == 1
    first = reading.why(workshop.db, "r")[0]
    assert (first.kind, first.next) == ("interrupted", "smithers resume r")
    assert str(pid) in first.text

    (listed,) = said(workshop, "ps")["runs"]  # type: ignore[misc]
    assert listed["status"] == "interrupted"
    for command in ("inspect", "why"):
        assert said(workshop, command, "r")["status"] == "interrupted"
    until(lambda: follower().count("\n") > frames)
    told = json.loads(follower().splitlines()[-1])
    assert told["status"] == "interrupted"
    assert told["why"] == f"interrupted: its engine, process {pid}, is gone"
    assert not reading.changed(workshop.db), "nobody had to write that down"
    control.cancel(workshop.root, "r", actor=ACTOR)
    workshop.until_ended()


def follow(workshop: Workshop, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "smithers.cli", *words],
        cwd=workshop.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


FOLLOWERS = [["wait", "r"], ["logs", "r", "-f"], ["events", "r", "-f"], ["up"]]


@pytest.mark.parametrize("words", FOLLOWERS, ids=lambda words: words[0])
def test_who_stays_with_it_brings_it_back_and_says_that_it_was_lost(
    workshop: Workshop, words: list[str]
) -> None:
    if words[0] == "up":
        flow = workshop.flow(f'return Check("work", {hold(workshop, "work")!r})')
        process = follow(workshop, "up", flow, "--run-id", "r")
        workshop.until_file("work.reached").unlink()
    else:
        in_an_attempt(workshop)
        (workshop.out / "work.reached").unlink()
        process = follow(workshop, *words)
    workshop.kill_engine()
    workshop.until_file("work.reached")
    workshop.touch("work.go")
    out, noted = process.communicate(timeout=60)
    assert process.returncode == 0
    said = [line for line in (out + noted).splitlines() if "is gone" in line]
    assert len(said) == 1
    assert said[0].startswith("~ ")
    assert said[0].endswith("it is brought back")
    assert (said[0] in out) is (words[0] == "events"), "words go to standard error"
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["interrupted", "succeeded"]}


def test_a_broken_configuration_is_said_and_ends_no_follower(workshop: Workshop) -> None:
    in_an_attempt(workshop)
    workshop.config("[supervise]\ndoors = 5\n")
    logs = follow(workshop, "logs", "r", "-f")
    workshop.kill_engine()
    assert logs.stderr is not None
    said = logs.stderr.readline()
    assert "is gone. not brought back: " in said
    assert "supervise.doors must be a string" in said
    workshop.config("")
    workshop.touch("work.go")
    logs.communicate(timeout=60)
    assert logs.returncode == 0
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_doors_that_are_to_offer_it_say_the_command_and_start_nothing(workshop: Workshop) -> None:
    workshop.config('[supervise]\ndoors = "offer"\n')
    in_an_attempt(workshop)
    logs, waits = follow(workshop, "logs", "r", "-f"), follow(workshop, "wait", "r", "--json")
    workshop.kill_engine()
    out, noted = waits.communicate(timeout=60)
    assert (waits.returncode, json.loads(out)["reason"]) == (3, "needs-me")
    assert noted.strip().endswith("is gone. next: smithers resume r")
    assert control.ensure_engine(workshop.root, "r") is False
    assert workshop.view().row.status is RunStatus.INTERRUPTED
    assert logs.stderr is not None
    assert logs.stderr.readline().endswith("is gone. next: smithers resume r\n")
    workshop.touch("work.go")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    _, noted = logs.communicate(timeout=60)
    assert (logs.returncode, noted) == (0, ""), "who follows stays, and sees it go on"
