"""Keeping house while engines are at work: real runs, real processes."""

import sqlite3
import threading

import pytest

from smithers.model.run import RunStatus
from smithers.service import backup, gc, locate
from smithers.store.database import NAME, Store
from tests.running import hold, write

pytestmark = pytest.mark.slow

EVERYTHING = gc.Filter(older_than=0, including_unlanded=True)
FLOW = """
return Sequence(
    Task("code", agent="coder", output=Answer, prompt="write"),
    Check("held", {held!r}),
)
"""


def test_collecting_never_touches_a_run_that_lives_and_it_ends_as_it_would_have(workshop):
    flow = workshop.flow(FLOW.format(held=hold(workshop, "check")), edits=True)
    workshop.up(flow, write("new.txt", "new\n"))
    workshop.until_file("check.reached")
    engine = workshop.engine()
    before = workshop.facts()
    found = gc.collect(workshop.root, EVERYTHING, actor="person:tester")
    assert [(each.name, each.reason) for each in found.kept] == [("r", "it has not ended")]
    assert workshop.facts() == before
    assert workshop.engine() == engine
    workshop.touch("check.go")
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    found = gc.collect(workshop.root, gc.Filter(older_than=0), actor="person:tester")
    assert [each.reason for each in found.kept] == ["smithers/r has commits that are not in main"]
    gc.collect(workshop.root, EVERYTHING, actor="person:tester")
    assert workshop.git("for-each-ref", "refs/smithers", "refs/heads/smithers") == ""
    # The id and everything that it names is free again.
    workshop.up(flow, write("other.txt", "other\n"))
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.git("ls-tree", "--name-only", "smithers/r").split() == ["README", "other.txt"]


def test_collecting_leaves_a_run_whose_engine_died_as_it_is(workshop):
    flow = workshop.flow(FLOW.format(held=hold(workshop, "check")), edits=True)
    workshop.up(flow, write("new.txt", "new\n"))
    workshop.until_file("check.reached")
    workshop.kill_engine()
    assert workshop.view().row.status is RunStatus.INTERRUPTED
    found = gc.collect(workshop.root, EVERYTHING, actor="person:tester")
    assert [each.reason for each in found.kept] == ["it has not ended"]
    workshop.touch("check.go")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


STEPS = 'return Sequence(*[Call(f"s{n}", str, n) for n in range(250)])'


def test_a_backup_taken_at_full_speed_restores_and_passes_every_check(workshop):
    workshop.up(workshop.flow(STEPS))
    taken = []
    copies = workshop.out / "copies"
    copies.mkdir()
    while not (row := workshop.view().row).status.ended or not taken:
        frame = row.frame
        done = backup.backup(workshop.root, copies / f"{len(taken)}.db")
        taken.append((frame, done.path))
    workshop.until_ended()
    assert len(taken) > 1
    for frame, path in taken:
        assert path.stat().st_mode & 0o777 == 0o600
        root = workshop.out / path.stem
        locate.state_dir(root).mkdir(parents=True)
        path.rename(locate.state_dir(root) / NAME)
        store = Store(locate.state_dir(root))  # as it is restored: put in place and opened
        try:
            ((mode,),) = store.all("PRAGMA journal_mode")
            ((sound,),) = store.all("PRAGMA integrity_check")
            ((frames, said),) = store.all("SELECT (SELECT count(*) FROM frames), frame FROM runs")
            assert (mode, sound) == ("wal", "ok")
            assert frames == said >= frame
            from smithers.engine import checker

            assert checker.check(store, "r") == []
        finally:
            store.close()
    assert [path.name for path in copies.iterdir()] == []


def test_a_backup_holds_what_was_acknowledged_before_it_began(house):
    from smithers.store.database import Store

    house.insert("messages", run=0, n=0, key="", body="", actor="", sent_at=0)
    acknowledged = [0]
    over = threading.Event()

    def write_on():
        store = Store(house.state)
        while not over.is_set():
            with store.write() as db:
                db.execute("UPDATE messages SET sent_at = sent_at + 1")
            acknowledged[0] += 1
        store.close()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for number in range(5):
            before = acknowledged[0]
            done = backup.backup(house.root, house.root / f"{number}.db")
            copy = sqlite3.connect(done.path)
            ((count,),) = copy.execute("SELECT sent_at FROM messages").fetchall()
            copy.close()
            assert count >= before
    finally:
        over.set()
        writer.join()
