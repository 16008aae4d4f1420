"""What steps start: nothing of it outlives them, and a run started from inside one lives by itself."""

from __future__ import annotations

import sys

import pytest

from smithers.model.run import RunStatus
from smithers.process import table
from tests.running import Workshop, alive, hold, pids

pytestmark = pytest.mark.slow

SMITHERS = f"{sys.executable} -m smithers.cli"


def test_nothing_that_a_successful_check_started_is_left(workshop: Workshop) -> None:
    flow = workshop.flow("""
        daemons = f'''
            sleep 1000 & echo $! >>{OUT}/left.pids
            setsid sleep 1001 & echo $! >>{OUT}/left.pids
            env -i /bin/sleep 1002 & echo $! >>{OUT}/left.pids
            env -i setsid sh -c 'echo $$ >>{OUT}/left.pids; touch {OUT}/ready; exec sleep 1003' &
            until [ -e {OUT}/ready ]; do sleep 0.02; done
        '''
        alive = f"for pid in $(cat {OUT}/left.pids); do kill -0 $pid && echo $pid >>{OUT}/seen; done; true"
        return Sequence(Check("starts", daemons), Check("looks", alive))
    """)
    workshop.up(flow)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert len(pids(workshop, "left")) == 4
    assert not any(alive(pid) for pid in pids(workshop, "left"))


def test_a_server_that_holds_the_pipes_does_not_hold_up_the_check(workshop: Workshop) -> None:
    flow = workshop.flow('return Check("starts", "echo started; sleep 1000 &")')
    workshop.up(flow)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert "text: started" in workshop.log("starts")


def test_attempts_ignore_no_signal_and_have_no_terminal(workshop: Workshop) -> None:
    flow = workshop.flow("""
        return Check("look", f"grep SigIgn /proc/self/status >{OUT}/ignored; "
                             f"(exec </dev/tty) 2>/dev/null && touch {OUT}/tty; true")
    """)
    workshop.up(flow)
    workshop.until_ended()
    ignored = int((workshop.out / "ignored").read_text().split()[1], 16)
    assert not ignored & 1 << 1, "SIGINT"
    assert not (workshop.out / "tty").exists()


def nested(workshop: Workshop, tail: str) -> str:
    inner = workshop.flow(
        f"""
        return Check("work", {hold(workshop, "inner")!r} + f"; echo inner >>{{OUT}}/marks")
        """,
        name="inner",
    )
    run = f"{SMITHERS} up {inner} --run-id inner -d && {tail}"
    return workshop.flow(f'return Check("start", {run!r} + f"; echo outer >>{{OUT}}/marks")')


def test_a_run_started_inside_an_attempt_is_started_by_the_outer_engine(
    workshop: Workshop,
) -> None:
    workshop.up(nested(workshop, "true"))
    workshop.until_ended()
    assert workshop.attempts() == {"start": ["succeeded"]}, workshop.tell()
    workshop.until_file("inner.reached")
    assert workshop.view("inner").parent.startswith("r/start.1.")
    workshop.touch("inner.go")
    assert workshop.until_ended("inner").row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["outer", "inner"]


def test_an_attempt_can_wait_for_the_run_that_it_started(workshop: Workshop) -> None:
    workshop.touch("inner.go")
    workshop.up(nested(workshop, f"{SMITHERS} wait inner --timeout 30s"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell() + workshop.log("start")
    assert workshop.view("inner").row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["inner", "outer"]


def test_a_run_started_inside_an_attempt_outlives_it(workshop: Workshop) -> None:
    workshop.up(nested(workshop, f"until [ -e {workshop.out}/inner.reached ]; do sleep 0.02; done"))
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED, workshop.tell()
    engine = workshop.engine("inner")
    assert alive(engine)
    assert table.tokens(engine) == set()
    workshop.touch("inner.go")
    assert workshop.until_ended("inner").row.status is RunStatus.SUCCEEDED
