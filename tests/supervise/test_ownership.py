"""Who drives a run: one engine at a time, never replaced while it lives, always once it is dead."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from smithers.clock import SYSTEM
from smithers.errors import Refused
from smithers.model.run import Lease, RunStatus
from smithers.process import identity
from smithers.process.identity import Life, life
from smithers.service import control, locate
from smithers.store.database import Store
from smithers.store.drive import claim
from smithers.supervise import owner
from smithers.supervise.spawn import driven, patient_lock
from tests.running import Workshop, alive, hold, pids, until

pytestmark = pytest.mark.slow


@pytest.fixture
def store(workshop: Workshop) -> Iterator[Store]:
    """A second writer beside the engine of the run `r`, whose step `work` is held."""
    flow = workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")')
    workshop.up(flow)
    workshop.until_file("work.reached")
    opened = Store(locate.state_dir(workshop.root))
    yield opened
    opened.close()


def take(store: Store, now: int | None = None) -> Lease:
    now = SYSTEM.now() if now is None else now
    return claim(
        store, "r", identity.me(), now=now, replaceable=lambda other: owner.replaceable(other, now)
    )


def let_expire(store: Store) -> None:
    with store.write() as db:
        db.execute("UPDATE leases SET expires_at = 1")


def test_a_live_engine_is_not_replaced_however_late_its_lease(
    workshop: Workshop, store: Store
) -> None:
    let_expire(store)
    with pytest.raises(Refused, match="driven by a live engine"):
        take(store)
    with pytest.raises(Refused, match="driven by a live engine"):
        take(store, SYSTEM.now() + 10 * 365 * 86_400_000)
    control.ensure_engine(workshop.root, "r")
    assert workshop.lease()[0].fence == 1
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_a_dead_engine_is_replaced_at_once_however_fresh_its_lease(
    workshop: Workshop, store: Store
) -> None:
    workshop.kill_engine()
    lease, held = workshop.lease()
    assert held
    assert lease.expires_at > SYSTEM.now()
    assert take(store).fence == 2
    with store.write() as db:
        db.execute("UPDATE leases SET held = 0")


def test_a_stopped_engine_is_not_stolen_from_and_an_explicit_resume_ends_it(
    workshop: Workshop, store: Store
) -> None:
    old = workshop.lease()[0].owner
    os.kill(old.pid, signal.SIGSTOP)
    until(lambda: life(old) is Life.SUSPENDED)
    view = workshop.view()
    assert view.row.status is RunStatus.RUNNING
    assert "suspended" in view.row.status_reason
    with pytest.raises(Refused, match="live engine"):
        workshop.resume()  # its lease has time left: it may only have been put to sleep for a moment
    let_expire(store)
    with pytest.raises(Refused, match="live engine"):
        take(store)
    control.ensure_engine(workshop.root, "r")
    assert workshop.lease()[0].owner == old
    workshop.resume()
    assert life(old) is Life.DEAD
    assert workshop.lease()[0].fence == 2
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["interrupted", "succeeded"]}


def test_an_engine_that_was_stopped_for_a_while_goes_on_as_if_nothing_had_been(
    workshop: Workshop, store: Store
) -> None:
    old = workshop.lease()[0].owner
    os.kill(old.pid, signal.SIGSTOP)
    until(lambda: life(old) is Life.SUSPENDED)
    let_expire(store)
    workshop.touch("work.go")
    os.kill(old.pid, signal.SIGCONT)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["succeeded"]}


def test_an_engine_whose_lease_is_gone_writes_nothing_more_and_ends_its_processes(
    workshop: Workshop, store: Store
) -> None:
    old = workshop.lease()[0].owner
    lease = claim(store, "r", identity.me(), now=SYSTEM.now(), replaceable=lambda _: True)
    frame = workshop.view().row.frame
    workshop.touch("work.go")
    until(lambda: life(old) is Life.DEAD, tell=workshop.tell)
    assert workshop.view().row.frame == frame
    assert workshop.lease()[0] == lease
    assert workshop.attempts() == {"work": ["running"]}
    assert not any(alive(pid) for pid in pids(workshop, "work"))
    with store.write() as db:
        db.execute("UPDATE leases SET held = 0")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"work": ["interrupted", "succeeded"]}


def test_of_an_engine_elsewhere_only_the_expiry_counts(workshop: Workshop, store: Store) -> None:
    there = replace(identity.me(), pid_ns=1)
    workshop.kill_engine()
    now = SYSTEM.now()
    lease = claim(store, "r", there, now=now, replaceable=lambda _: True)
    assert driven(store, "r", now)
    with pytest.raises(Refused):
        take(store, now)
    assert not driven(store, "r", lease.expires_at + 1)
    assert take(store, lease.expires_at + 1).fence == lease.fence + 1
    with store.write() as db:
        db.execute("UPDATE leases SET held = 0")


def test_the_lock_is_held_for_the_life_of_an_engine_and_no_longer(
    workshop: Workshop, store: Store
) -> None:
    state = store.path.parent
    assert owner.lock(state, "r") is None
    workshop.kill_engine()
    handle = owner.lock(state, "r")
    assert handle is not None, "what the engine started has not inherited it"
    assert any(alive(pid) for pid in pids(workshop, "work"))
    os.close(handle)


def test_a_lock_file_that_was_deleted_has_one_holder_still(tmp_path: Path) -> None:
    first = owner.lock(tmp_path, "r")
    (tmp_path / "engines" / "r.lock").unlink()
    second = owner.lock(tmp_path, "r")
    assert first is not None
    assert second is not None
    assert owner.lock(tmp_path, "r") is None
    os.close(first)
    assert owner.lock(tmp_path, "r") is None
    os.close(second)


def test_the_lock_of_an_engine_that_is_leaving_is_waited_for(
    workshop: Workshop, store: Store
) -> None:
    state = store.path.parent
    assert patient_lock(store, state, "r") is None, "it is driven: at once"
    workshop.kill_engine()
    with store.write() as db:
        db.execute("UPDATE leases SET held = 0")
    leaving = owner.lock(state, "r")
    assert leaving is not None
    found: list[int | None] = []

    def come() -> None:
        second = Store(state)
        found.append(patient_lock(second, state, "r"))
        second.close()

    coming = threading.Thread(target=come)
    coming.start()
    coming.join(0.1)
    assert coming.is_alive()
    os.close(leaving)
    coming.join()
    (handle,) = found
    assert handle is not None
    os.close(handle)
