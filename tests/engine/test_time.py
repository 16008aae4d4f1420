"""Clocks that are set, machines that sleep, engines that are stopped: nothing lost, nothing stolen."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from smithers.clock import SYSTEM, Clock
from smithers.engine import alarm, limits, watch
from smithers.engine.alarm import Alarm
from smithers.engine.limits import Pulse, within
from smithers.errors import LeaseLost, Refused
from smithers.model.run import Lease, RunStatus
from smithers.model.step import Attempt, AttemptStatus
from smithers.process.identity import Life, life, me
from smithers.schedule import retry
from smithers.service import locate
from smithers.store.database import Store
from smithers.store.drive import claim
from smithers.supervise import spawn
from smithers.supervise.owner import replaceable
from tests.engine import inside
from tests.running import Workshop, alive, hold, pids, until

DAY = 86_400.0
LONG = 60.0
ELSEWHERE = replace(me(), pid_ns=1)
"""An owner whose process nobody can see from here."""


class Set(Clock):
    """A clock that somebody sets: `wall` and `awake` are seconds by which it is off."""

    def __init__(self) -> None:
        self.wall = self.awake = 0.0

    def now(self) -> int:
        return super().now() + int(self.wall * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self.awake


both_ways = pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forth", "back"])


# -- waiting --


def test_a_sleep_is_never_long_and_ends_by_whichever_clock_comes_first() -> None:
    clock = Set()
    bell = Alarm(clock)
    assert bell.wait() is None
    due = clock.now() + 600_000
    bell.set(due)
    assert bell.wait() == alarm.LOOK_SECONDS
    clock.wall += 601
    assert bell.wait() == 0
    assert bell.now() >= due
    clock.wall = -DAY
    assert bell.wait() == alarm.LOOK_SECONDS
    assert bell.now() < due
    clock.awake += 601
    assert bell.wait() == 0
    assert bell.now() == due


def test_a_pause_decided_on_before_the_clock_was_set_back_is_as_long_as_it_was() -> None:
    clock = Set()
    ended = clock.now()
    clock.wall = -DAY
    tried = Attempt(
        "a", 1, 1, AttemptStatus.FAILED, ended, finished_at=ended, retry_at=ended + 5000
    )
    bell = Alarm(clock)
    bell.set(ended + 5000, [[tried]])
    wait = bell.wait()
    assert wait is not None
    assert 4 < wait <= 5


@pytest.mark.slow
@both_ways
@pytest.mark.parametrize("again", [False, True], ids=["awaited", "resumed"])
def test_a_retry_comes_though_the_clock_was_set(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, jump: float, again: bool
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 1.0)
    clock = Set()
    once = "test -e {out}/tried || { touch {out}/tried; exit 3; }".replace(
        "{out}", str(workshop.out)
    )
    inside.write_down(workshop, workshop.flow(f'return Check("work", {once!r}, retries=1)'))

    async def turn(engine: asyncio.Task[None]) -> None:
        tried = {"work": ["failed"]}
        await inside.soon(lambda: workshop.attempts() == tried, workshop)
        clock.wall += jump
        if again:
            engine.cancel()

    async def wait(engine: asyncio.Task[None]) -> None:
        pass

    if again:
        with pytest.raises(asyncio.CancelledError):
            inside.drive(workshop, turn, clock=clock)
    ended = inside.drive(workshop, wait if again else turn, clock=clock)
    assert ended is None
    assert workshop.view().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["failed", "succeeded"]}


# -- the lease --


@pytest.mark.slow
@both_ways
def test_the_lease_is_good_again_at_once_when_the_clock_was_set(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    monkeypatch.setattr(watch, "RENEW_SECONDS", 3600.0)
    clock = Set()
    inside.write_down(
        workshop, workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")')
    )

    async def script(engine: asyncio.Task[None]) -> None:
        await inside.soon((workshop.out / "work.reached").exists, workshop)
        before = workshop.lease()[0]
        assert not replaceable(before, clock.now())
        clock.wall += jump
        await inside.soon(lambda: workshop.lease()[0] != before, workshop)
        lease = workshop.lease()[0]
        assert lease.fence == before.fence
        assert not replaceable(lease, clock.now())
        assert lease.expires_at < clock.now() + LONG * 1000
        workshop.touch("work.go")

    assert inside.drive(workshop, script, clock=clock, owner=ELSEWHERE) is None
    assert workshop.attempts() == {"work": ["succeeded"]}


@pytest.mark.slow
@pytest.mark.parametrize("asleep", ["wall", "awake"])
def test_after_a_gap_the_lease_is_read_before_anything_is_started_or_written(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, asleep: str
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 3600.0)  # it learns of it by asking, or not at all
    clock = Set()
    flow = workshop.flow(
        """
        return Parallel(
            Task("code", agent="coder", prompt="go", output=Answer),
            Check("first", f"until [ -e {OUT}/first.go ]; do sleep 0.02; done"),
        )
        """
    )
    first = {"step": "code", "do": [{"run": hold(workshop, "code")}], "output": {"wrong": "shape"}}
    second = {"step": "code", "do": [{"run": f"touch {workshop.out}/spawned"}], "output": {}}
    inside.write_down(workshop, flow, first, second)
    stolen: list[Lease] = []

    async def script(engine: asyncio.Task[None]) -> None:
        await inside.soon((workshop.out / "code.reached").exists, workshop)
        setattr(clock, asleep, LONG)
        stolen.append(steal(workshop))
        stolen_at.append(recorded(workshop))
        workshop.touch("code.go")

    stolen_at: list[tuple[str, ...]] = []
    assert isinstance(inside.drive(workshop, script, clock=clock), LeaseLost)
    assert not (workshop.out / "spawned").exists()
    assert stolen_at == [recorded(workshop)]
    assert workshop.lease()[0] == stolen[0]
    give_back(workshop)


def steal(workshop: Workshop) -> Lease:
    """Take the run as an engine elsewhere does, to which this one's lease seems to have run out."""
    store = Store(locate.state_dir(workshop.root))
    try:
        return claim(store, "r", ELSEWHERE, now=SYSTEM.now(), replaceable=lambda _: True)
    finally:
        store.close()


def give_back(workshop: Workshop) -> None:
    store = Store(locate.state_dir(workshop.root))
    with store.write() as db:
        db.execute("UPDATE leases SET held = 0")
    store.close()


def recorded(workshop: Workshop) -> tuple[str, ...]:
    """All that an engine writes: the rows, and git's refs."""
    path = locate.state_dir(workshop.root) / "smithers.db"
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = tuple(db.iterdump())
    db.close()
    return (*rows, workshop.git("for-each-ref"))


@contextmanager
def short_lease(workshop: Workshop) -> Iterator[subprocess.Popen[str]]:
    """An engine of the run `r`, once its step `work` is at work."""
    state = locate.state_dir(workshop.root)
    engine = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.short", str(state), "r", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        workshop.until_file("work.reached")
        yield engine
    finally:
        engine.kill()
        engine.communicate()


def stop(workshop: Workshop, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    owner = workshop.lease()[0].owner
    until(lambda: life(owner) in {Life.SUSPENDED, Life.ELSEWHERE})


def until_expired(workshop: Workshop) -> None:
    until(lambda: workshop.lease()[0].expires_at < SYSTEM.now())


@pytest.mark.slow
def test_stopped_with_its_children_for_longer_than_the_lease_it_goes_on(workshop: Workshop) -> None:
    inside.write_down(
        workshop, workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")')
    )
    with short_lease(workshop) as engine:
        stopped = [engine.pid, *pids(workshop, "work")]
        for pid in stopped:
            stop(workshop, pid)
        until_expired(workshop)
        with pytest.raises(Refused):
            take(workshop)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        until(lambda: workshop.lease()[0].expires_at > SYSTEM.now())
        workshop.touch("work.go")
        assert engine.wait(40) == 0
    assert workshop.view().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["succeeded"]}
    assert workshop.lease()[0].fence == 1


def take(workshop: Workshop) -> Lease:
    store = Store(locate.state_dir(workshop.root))
    try:
        now = SYSTEM.now()
        return claim(store, "r", me(), now=now, replaceable=lambda other: replaceable(other, now))
    finally:
        store.close()


@pytest.mark.slow
def test_stopped_until_another_has_taken_over_it_ends_its_agents_and_writes_nothing(
    workshop: Workshop,
) -> None:
    flow = workshop.flow(
        f"""
        return Parallel(
            Check("work", {hold(workshop, "work")!r} + "; true"),
            Check("beside", {hold(workshop, "beside")!r} + "; true"),
        )
        """,
        edits=True,
    )
    inside.write_down(workshop, flow)
    with short_lease(workshop) as engine:
        workshop.until_file("beside.reached")
        stop(workshop, engine.pid)
        store = Store(locate.state_dir(workshop.root))
        with store.write() as db:
            db.execute("UPDATE leases SET pid_ns = 1")
        store.close()
        until_expired(workshop)
        assert take(workshop).fence == 2
        before = recorded(workshop)
        workshop.touch("work.go")
        until(lambda: not any(alive(pid) for pid in pids(workshop, "work")))
        os.kill(engine.pid, signal.SIGCONT)
        _, words = engine.communicate(timeout=40)
        assert engine.returncode == LeaseLost("").exit_code
        assert "another engine drives run r now" in words
    assert not any(alive(pid) for pid in pids(workshop, "beside"))
    assert recorded(workshop) == before
    give_back(workshop)


@pytest.mark.slow
def test_an_explicit_resume_ends_an_engine_that_hangs_and_goes_on(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "RENEW_GRACE_SECONDS", 0.2)
    flow = workshop.flow(
        """
        async def hang():
            import pathlib, time
            seen = pathlib.Path(OUT) / "seen"
            if not seen.exists():
                seen.touch()
                time.sleep(600)
        return Call("work", hang)
        """
    )
    workshop.up(flow)
    workshop.until_file("seen")
    hung = workshop.lease()[0].owner
    with pytest.raises(Refused, match="live engine"):
        workshop.resume()  # its lease has not run out
    store = Store(locate.state_dir(workshop.root))
    with store.write() as db:
        db.execute("UPDATE leases SET expires_at = 1")
    store.close()
    workshop.resume()
    assert life(hung) is Life.DEAD
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["interrupted", "succeeded"]}


# -- limits --


@pytest.mark.parametrize(("timeout", "stall"), [(LONG, None), (None, LONG), (LONG, LONG)])
def test_time_in_which_the_engine_was_stopped_counts_for_no_limit(
    monkeypatch: pytest.MonkeyPatch, timeout: float | None, stall: float | None
) -> None:
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.005)
    clock = Set()

    async def work() -> str:
        await asyncio.sleep(0.02)
        clock.awake += DAY
        clock.wall += DAY
        await asyncio.sleep(0.05)
        return "done"

    done = within(work(), clock=clock, pulse=Pulse(clock), timeout=timeout, stall=stall)
    assert asyncio.run(done) == "done"


def test_a_limit_is_reached_by_time_awake_though_the_clock_is_set_back() -> None:
    clock = Set()

    async def work() -> None:
        clock.wall -= DAY
        await asyncio.sleep(LONG)

    with pytest.raises(limits.OutOfTime):
        asyncio.run(within(work(), clock=clock, pulse=Pulse(clock), timeout=None, stall=0.02))
