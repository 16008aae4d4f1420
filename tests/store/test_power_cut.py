"""A power cut at any moment: writes in the order that survives it, and databases that go on after it."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from smithers.errors import StoreError
from smithers.store.database import NAME, VERSION, Store
from tests.store import recorder
from tests.store.disk import Disk, Image
from tests.store.power_writer import CHECKPOINT_BYTES, COMMITS, commit, durable, made, value
from tests.store.recorder import Event, record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not recorder.SUPPORTED, reason=recorder.WHY_NOT),
]

LOG = f"{NAME}-wal"
DATA = Path(__file__).parents[1] / "data"
SHARED = 0x40000002
"""The first byte of the range whose lock is that of the whole database, once it is for writing."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """In memory where there is such a place: thousands of small databases are made here."""
    memory = Path("/dev/shm")
    made_here = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    yield Path(made_here)
    shutil.rmtree(made_here)


def _recorded(folder: Path, scene: str) -> list[Event]:
    state = folder / scene
    state.mkdir(exist_ok=True)
    return record(state, "tests.store.power_writer", str(state), scene)


@pytest.fixture(scope="module")
def events(folder: Path) -> list[Event]:
    return _recorded(folder, "commits")


def _said(event: Event) -> tuple[int, bool] | None:
    """The commit that was acknowledged, and whether as durable."""
    if event.what != "say":
        return None
    number, how = event.data.decode().split()
    return int(number), how == "full"


# -- the order --


def _out_of_order(events: list[Event]) -> list[str]:
    """What a power cut could turn into a loss."""
    disk, found = Disk(), []
    for place, event in enumerate(events):
        said = _said(event)
        log = [write for write in disk.pending(LOG) if write.data]
        database = disk.pending(NAME)
        if said and said[1] and log:
            found.append(f"{place}: commit {said[0]} acknowledged, {len(log)} writes not synced")
        if event.what == "write" and event.name == NAME and log:
            found.append(f"{place}: the database is written before its log is synced")
        if event.name == LOG and _begins_anew(event, disk) and database:
            found.append(f"{place}: the log is given up before the database is synced")
        disk.feed(event)
    return found


def _begins_anew(event: Event, disk: Disk) -> bool:
    return event.what in {"truncate", "unlink"} or (
        event.what == "write" and event.offset == 0 and LOG in disk.now
    )


def test_each_durable_commit_and_each_checkpoint_is_in_an_order_that_survives(events):
    assert _out_of_order(events) == []


def test_the_recording_saw_every_commit_and_several_checkpoints_of_each_kind(events):
    said = [each for event in events if (each := _said(event))]
    assert said == [(0, True)] + [(n, durable(n)) for n in range(1, COMMITS + 1)]
    ends = [event for event in events if event.what == "truncate" and event.name == LOG]
    assert len(ends) >= 3, "the log was emptied"
    assert max(event.offset for event in events if event.name == LOG) > 2 * CHECKPOINT_BYTES
    assert sum(event.what == "unlink" and event.name == LOG for event in events) == 3


def test_commits_that_need_not_be_durable_are_not_synced_and_the_next_durable_one_covers_them(
    events,
):
    disk, loose = Disk(), set()
    for event in events:
        disk.feed(event)
        said = _said(event)
        if said and any(write.data for write in disk.pending(LOG)):
            loose.add(said[0])
    unsynced = {n for n in range(1, COMMITS + 1) if not durable(n)}
    assert loose <= unsynced
    assert len(loose) > len(unsynced) / 2, "the others met a checkpoint"


def test_an_order_that_does_not_survive_is_found(folder):
    found = _out_of_order(_recorded(folder, "careless"))
    assert any("acknowledged" in one for one in found)
    assert any("before its log is synced" in one for one in found)
    assert any("before the database is synced" in one for one in found)


def test_everything_is_written_under_the_lock_of_the_directory_or_by_the_only_connection(events):
    queued = alone = False
    for place, event in enumerate(events):
        if event.what == "flock":
            queued = event.offset == 2
        elif event.what == "range" and event.offset in {0, SHARED}:
            alone = event.offset == SHARED and event.data == b"w"
        elif event.what in {"write", "truncate", "unlink"} and event.name in {NAME, LOG}:
            assert queued or alone, (place, event.what, event.name)


# -- the images --


def _goes_on(folder: Path, image: Image, *, made_before: bool) -> int:
    """Write on in what is left of a database. The number of the last commit that is there."""
    for name in (NAME, LOG, f"{NAME}-shm", f"{NAME}-journal"):
        (folder / name).unlink(missing_ok=True)
    for name, content in image.items():
        (folder / name).write_bytes(content)
    try:
        store = Store(folder)
    except StoreError:
        assert not made_before
        store = made(folder)
    try:
        last = _checked(store)
        if last is not None:
            commit(store, last + 1)
            assert _checked(store) == last + 1
    finally:
        store.close()
    return -1 if last is None else last


def _checked(store: Store) -> int | None:
    """The number of commits in a sound database that holds exactly the first ones."""
    assert store.all("PRAGMA integrity_check") == [("ok",)]
    rows = store.all("SELECT frame FROM runs")
    if not rows:
        return None
    ((last,),) = rows
    wanted = range(1, last + 1)
    assert store.all("SELECT n FROM frames ORDER BY n") == [(n,) for n in wanted]
    outputs = dict(store.all("SELECT key, value FROM outputs"))
    assert outputs == {f"s{n}": value(n) for n in wanted}
    return int(last)


def _cuts(
    events: list[Event], disk: Disk, folder: Path, *, damages: int = 1, seed: int = 4
) -> tuple[int, int]:
    """Cut the power after each event, in so many ways each. Images tried, and commits lost in the worst."""
    chance = random.Random(seed)
    acknowledged = newest = -1
    tried = worst = 0
    seen: set[int] = set()
    for place, event in enumerate(events):
        disk.feed(event)
        if said := _said(event):
            newest = said[0]
            acknowledged = newest if said[1] else acknowledged
        for how, image in disk.images(chance, damages=damages):
            digest = hash((acknowledged, *sorted(image.items())))
            if digest in seen:
                continue
            seen.add(digest)
            tried += 1
            try:
                last = _goes_on(folder, image, made_before=acknowledged >= 0)
            except Exception as error:
                raise AssertionError(
                    f"after event {place} ({event.what} {event.name}), {how}"
                ) from error
            assert last >= acknowledged, (place, how)
            assert last <= newest + 1, (place, how)
            worst = max(worst, newest - last)
    return tried, worst


def test_after_a_power_cut_at_any_moment_every_durable_commit_is_there_and_work_goes_on(
    events, folder
):
    state = folder / "image"
    state.mkdir()
    tried, worst = _cuts(events, Disk(), state)
    assert tried > 1_200
    assert 1 <= worst <= 2, "only commits that need not be durable were lost, and some were"


def test_a_power_cut_in_a_migration_leaves_the_old_or_the_new_database(folder):
    state = folder / "upgrade"
    state.mkdir()
    db = sqlite3.connect(state / NAME, isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL;" + (DATA / "schema-1.sql").read_text())
    db.execute("INSERT INTO meta VALUES (1, 'store')")
    db.execute(
        "INSERT INTO runs (seq, id, recipe, title, source, source_digest, input, created_at, "
        "created_by, root, workspace) VALUES (1, 'r', 'law', '', '', '', '{}', 1, 'p', '/r', '/r')"
    )
    db.close()
    disk = Disk.of({NAME: (state / NAME).read_bytes()})
    image = folder / "upgraded"
    image.mkdir()
    tried, _ = _cuts(_recorded(folder, "upgrade"), disk, image)
    assert tried > 50
    assert VERSION > 1
