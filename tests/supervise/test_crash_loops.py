"""Engines that die at the same place again and again: slower each time, and then somebody is asked."""

from __future__ import annotations

import pytest

from smithers.clock import Clock
from smithers.errors import Refused
from smithers.model.gate import Answer, GateKind
from smithers.model.run import RunStatus
from smithers.service import control, locate, reading
from smithers.store.database import Store
from smithers.store.drive import LEASE_MS
from smithers.supervise.reviving import Did, Revival, revive
from smithers.supervise.spawn import spawn
from tests.running import ACTOR, Workshop, alive, hold, pids, states, until
from tests.supervise.conftest import Supervised

pytestmark = pytest.mark.slow

DIES = """
import os
if os.path.exists(f"{OUT}/die"):
    os._exit(9)
"""


class Later(Clock):
    """So many milliseconds after the last sign of life of the engine that drove `r`."""

    def __init__(self, workshop: Workshop, after: int) -> None:
        self.at = workshop.lease()[0].expires_at - LEASE_MS + after

    def now(self) -> int:
        return self.at


def again(workshop: Workshop, after: int) -> Revival:
    return revive(locate.state_dir(workshop.root), "r", Later(workshop, after))


def poisoned(workshop: Workshop) -> None:
    """An engine was killed in its first step; all that come after it die as soon as they load."""
    flow = workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")')
    path = workshop.out / "flow.py"
    path.write_text(path.read_text().replace("@workflow", f"{DIES}\n@workflow"))
    workshop.up(flow)
    workshop.until_file("work.reached")
    workshop.touch("die")
    workshop.kill_engine()


def cured(workshop: Workshop) -> None:
    (workshop.out / "die").unlink()
    workshop.touch("work.go")


def crashes(store: Store) -> int:
    ((count,),) = store.all("SELECT crashes FROM leases")
    return int(count)


def forget_all_but(store: Store, count: int) -> None:
    """As if so many engines had died here, the last one included."""
    with store.write() as db:
        db.execute("UPDATE leases SET crashes = ?, crash_frame = 0", (count - 1,))


def until_asked(workshop: Workshop, store: Store) -> None:
    poisoned(workshop)
    forget_all_but(store, 5)
    assert again(workshop, 0).did is Did.ASKED


def test_the_second_death_at_a_place_waits_and_each_after_it_twice_as_long(
    workshop: Workshop, store: Store
) -> None:
    poisoned(workshop)
    assert again(workshop, 0) == Revival(Did.STARTED, 1)
    for count, pause in ((2, 1000), (3, 2000), (4, 4000)):
        workshop.until_no_engine()
        assert again(workshop, pause - 1) == Revival(Did.LATER, count, 0.001)
        assert not workshop.engine_lives()
        if count < 4:
            assert again(workshop, pause) == Revival(Did.STARTED, count)
    a_day_before = -86_400_000
    assert again(workshop, a_day_before) == Revival(Did.STARTED, 4), "the clock was set back"
    workshop.until_no_engine()
    assert again(workshop, 0) == Revival(Did.ASKED, 5)
    assert workshop.view().row.status is RunStatus.WAITING


def test_the_gate_says_what_the_engine_said_last_and_ends_what_it_left(
    workshop: Workshop, supervised: Supervised, store: Store
) -> None:
    poisoned(workshop)
    forget_all_but(store, 5)
    log = locate.state_dir(workshop.root) / "logs" / "r" / "engine.log"
    with log.open("a") as said:
        said.write("no luck at this place\n")
    (left,) = pids(workshop, "work")
    assert alive(left)
    supervised.begin()
    view = workshop.until(lambda view: view.gates)
    assert view.row.status is RunStatus.WAITING
    assert view.row.status_reason == "its engines died 5 times at the same place"
    assert not alive(left)
    (gate,) = view.gates
    assert gate.kind is GateKind.CRASHES
    assert "no luck at this place" in reading.gate(workshop.db, "r", gate.id).body
    (waits,) = view.waiting_on
    assert (waits.kind, waits.next) == ("crashes", "smithers approve r @crashes")
    assert states(view) == {"work": "ready"}, "nobody is there to run it"
    assert view.row.counts.running == 0
    assert control.ensure_engine(workshop.root, "r") is False
    cured(workshop)
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["interrupted", "succeeded"]}
    until(lambda: supervised.said() == [("r", "asked")], tell=supervised.words)


def test_the_gate_ends_a_setup_that_a_dead_engine_left(workshop: Workshop, store: Store) -> None:
    workshop.config(f"[workspace]\nsetup = {hold(workshop, 'setup')!r}\n")
    workshop.up(workshop.flow('return Check("work", "true")', edits=True))
    workshop.until_file("setup.reached")
    workshop.kill_engine()
    (left,) = pids(workshop, "setup")
    forget_all_but(store, 5)
    assert alive(left)
    assert again(workshop, 0).did is Did.ASKED
    assert not alive(left)


def test_approved_it_is_counted_anew(workshop: Workshop, store: Store) -> None:
    until_asked(workshop, store)
    workshop.approve()
    workshop.until_no_engine()
    assert crashes(store) == 0
    assert again(workshop, 0) == Revival(Did.STARTED, 1)
    workshop.until_no_engine()
    forget_all_but(store, 5)
    assert again(workshop, 0).did is Did.ASKED
    assert [gate.id for gate in workshop.view().gates] == ["@crashes#1", "@crashes#2"]


def test_denied_it_stays_paused_until_somebody_resumes(workshop: Workshop, store: Store) -> None:
    until_asked(workshop, store)
    workshop.decide(Answer.DENY)
    view = workshop.view()
    assert view.row.status is RunStatus.PAUSED
    assert "its engines died" in view.row.status_reason
    assert again(workshop, 60_000).did is Did.NOTHING
    cured(workshop)
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_resume_counts_as_none_and_opens_the_gate(workshop: Workshop, store: Store) -> None:
    poisoned(workshop)
    workshop.resume()
    assert crashes(store) == 0
    workshop.until_no_engine()
    forget_all_but(store, 5)
    assert again(workshop, 0).did is Did.ASKED
    cured(workshop)
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    (gate,) = workshop.view().gates
    assert gate.decision is not None
    assert (gate.decision.answer, gate.decision.actor) == ("approve", ACTOR)


def test_at_the_gate_no_other_verb_starts_an_engine_and_cancel_ends_the_run(
    workshop: Workshop, store: Store
) -> None:
    until_asked(workshop, store)
    control.stop(workshop.root, "r", actor=ACTOR)
    with pytest.raises(Refused, match="again and again"):
        spawn(locate.state_dir(workshop.root), "r")
    assert workshop.lease()[0].fence == 1
    cured(workshop)
    control.cancel(workshop.root, "r", actor=ACTOR)
    assert workshop.until_ended().row.status is RunStatus.CANCELLED


def test_a_step_that_takes_its_engine_with_it_is_one_place(
    workshop: Workshop, store: Store
) -> None:
    """Each engine begins a frame before it dies: the place is where nothing came forward."""
    kill = f"echo x >>{workshop.out}/tries; [ -e {workshop.out}/cured ] || kill -9 $PPID; sleep 60"
    workshop.up(
        workshop.flow(
            f'return Sequence(Check("first", "true"), Check("deadly", {kill!r}, timeout=300))'
        )
    )
    until(lambda: len(workshop.lines("tries")) == 1, tell=workshop.tell)
    workshop.until_no_engine()
    frame = workshop.view().row.frame
    assert again(workshop, 0) == Revival(Did.STARTED, 1)
    until(lambda: len(workshop.lines("tries")) == 2, tell=workshop.tell)
    workshop.until_no_engine()
    assert workshop.view().row.frame > frame
    with store.write() as db:
        # As where one of several waited for its turn once more.
        db.execute(
            "INSERT INTO step_history (run, frame, key, status) "
            "SELECT seq, frame, 'deadly', 'running' FROM runs"
        )
    assert again(workshop, 0) == Revival(Did.LATER, 2, 1.0)
    assert workshop.attempts()["deadly"] == ["interrupted"] * 2


def test_who_gets_on_is_not_counted(workshop: Workshop, store: Store) -> None:
    names = [f"s{number}" for number in range(2)]
    steps = ", ".join(f'Check("{name}", {hold(workshop, name)!r})' for name in names)
    workshop.up(workshop.flow(f"return Sequence({steps})"))
    for name in names:
        workshop.until_file(f"{name}.reached").unlink()
        workshop.kill_engine()
        assert again(workshop, 0) == Revival(Did.STARTED, 1)
        workshop.touch(f"{name}.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
