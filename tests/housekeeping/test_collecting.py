"""`gc`: what goes, what stays, and what a collection that was cut short leaves behind."""

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from smithers.errors import Refused
from smithers.model.run import RunStatus
from smithers.service import control, gc, inventory, reading
from smithers.store import pruning
from smithers.vcs import clearing
from tests.housekeeping.house import DAY

ALL = gc.Filter(older_than=0)
EVERYTHING = gc.Filter(older_than=0, including_unlanded=True)
CANCELLED = gc.Filter(older_than=0, including_unlanded=True, status=(RunStatus.CANCELLED,))


def collect(house, wanted=ALL):
    return gc.collect(house.root, wanted, actor="person:ada")


def reasons(found):
    return {each.name: each.reason for each in found.kept}


def test_a_landed_run_leaves_no_trace_and_everything_still_checks(house):
    house.run("gone", files={"new.txt": "new\n"})
    house.land("gone")
    house.run("young", age=DAY)
    done = collect(house, gc.Filter(older_than=30 * 86400))
    assert [each.name for each in done.removed] == ["gone"]
    assert done.removed[0].bytes > 0
    assert house.traces("gone") == []
    assert (house.root / "new.txt").read_text() == "new\n"
    assert house.ids() == ["young"]
    assert house.check() == []
    assert "missing" not in house.git("fsck", "--connectivity-only")
    assert {table: rows for table, rows in house.rows().items() if len(rows) > 2} == {}


def test_who_removed_what_and_where_its_branch_stood_is_kept(house):
    house.run("gone", files={"new.txt": "new\n"})
    tip = house.git("rev-parse", "smithers/gone")
    collect(house, EVERYTHING)
    (line,) = (house.state / "housekeeping.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert record["actor"] == "person:ada"
    assert record["did"] == "removed gone"
    assert (record["branch"], record["commit"]) == ("smithers/gone", tip)
    house.git("branch", "back", record["commit"])
    assert house.git("show", "back:new.txt") == "new"


@pytest.mark.parametrize("status", ["queued", "running", "waiting", "paused"])
def test_a_run_that_has_not_ended_is_never_touched(house, status):
    house.run("open", status=status)
    before = house.digest()
    done = collect(house, EVERYTHING)
    assert reasons(done) == {"open": "it has not ended"}
    assert house.digest() == before


def test_open_runs_cannot_even_be_asked_for(house):
    with pytest.raises(Refused, match="running are never removed"):
        gc.check_filter(gc.Filter(older_than=0, status=(RunStatus.RUNNING,)))


def test_what_is_chosen_is_old_large_and_of_the_state_asked_for(house):
    house.run("old", age=40 * DAY)
    house.run("young", age=DAY)
    house.run("failed", status="failed")
    (house.state / "logs" / "old" / "big.jsonl").write_text("x" * 300_000)
    month = 30 * 86400
    assert _names(house, gc.Filter(month)) == {"old", "failed"}
    assert _names(house, gc.Filter(month, status=(RunStatus.FAILED,))) == {"failed"}
    assert _names(house, gc.Filter(0, larger_than=250_000)) == {"old"}
    assert _names(house, gc.Filter(0)) == {"old", "young", "failed"}


def _names(house, wanted):
    return {each.name for each in gc.look(house.root, wanted).removed}


def test_looking_changes_nothing(house):
    house.run("gone")
    house.run("job", files={"new.txt": "new\n"})
    before = house.digest()
    found = gc.look(house.root, ALL)
    assert [each.name for each in found.removed] == ["gone"]
    assert list(reasons(found)) == ["job"]
    assert house.digest() == before


def _commit(house):
    house.run("job", files={"new.txt": "new\n"})


def _changes(house):
    house.run("job", status="failed", files={"new.txt": "new\n"}, committed=False)


def _only_a_snapshot(house):
    _changes(house)
    house.git("worktree", "remove", "-f", "-f", str(house.worktree("job")))


def _commit_beside_the_branch(house):
    house.run("job")
    house.git("checkout", "-q", "--detach", cwd=house.worktree("job"))
    (house.worktree("job") / "aside.txt").touch()
    house.git("add", "-A", cwd=house.worktree("job"))
    house.git("commit", "-q", "-m", "aside", cwd=house.worktree("job"))


def _no_checkout(house):
    house.run("job")
    (house.worktree("job") / ".git").unlink()


UNLANDED = {
    _commit: "smithers/job has commits that are not in main",
    _changes: "its worktree has changes that no commit holds",
    _only_a_snapshot: "its last snapshot has changes that are not in main",
    _commit_beside_the_branch: "its worktree has commits that are not in main",
    _no_checkout: "its worktree is no checkout any more, so nobody can tell what is in it",
}


@pytest.mark.parametrize("leave", UNLANDED, ids=lambda each: each.__name__.strip("_"))
def test_work_that_was_never_merged_goes_only_when_that_is_said(house, leave):
    leave(house)
    before = house.digest()
    assert reasons(collect(house)) == {"job": UNLANDED[leave]}
    assert house.digest() == before
    assert [each.name for each in collect(house, EVERYTHING).removed] == ["job"]
    assert house.traces("job") == []


def test_a_squashed_branch_counts_as_merged(house):
    house.run("job", files={"new.txt": "new\n"})
    house.git("merge", "-q", "--squash", "smithers/job")
    house.git("commit", "-qm", "squashed")
    (house.root / "other.txt").write_text("more\n")
    house.git("add", "-A")
    house.git("commit", "-qm", "later")
    assert [each.name for each in collect(house).removed] == ["job"]


def test_a_branch_that_a_person_has_checked_out_stays_whatever_is_said(house):
    house.run("job", files={"new.txt": "new\n"})
    house.git("worktree", "remove", "-f", "-f", str(house.worktree("job")))
    house.git("switch", "-q", "smithers/job")
    done = collect(house, EVERYTHING)
    assert reasons(done)["job"] == f"its branch is checked out in {house.root}"
    assert house.git("rev-parse", "HEAD")


def test_a_branch_below_the_name_of_a_run_is_somebody_elses(house):
    house.run("job", in_place=True)
    house.git("branch", "smithers/job/mine")
    house.git("branch", "smithers/other")
    done = collect(house)
    assert [each.name for each in done.removed] == ["job"]
    assert house.git("branch", "--list", "smithers/*").split() == [
        "smithers/job/mine", "smithers/other",
    ]  # fmt: skip


def test_a_run_that_works_in_place_takes_nothing_of_the_checkout_along(house):
    house.run("job", in_place=True)
    (house.root / "a.txt").write_text("changed\n")
    collect(house)
    assert house.ids() == []
    assert (house.root / "a.txt").read_text() == "changed\n"


def test_an_outer_run_that_is_open_keeps_the_runs_that_it_started(house):
    house.run("outer", status="waiting")
    house.run("inner", parent="outer/build[1]/code.1.0000")
    house.run("innermost", parent="inner/code.1.0000")
    before = house.digest()
    done = collect(house, EVERYTHING)
    assert reasons(done)["inner"] == "it was started by outer, which has not ended"
    assert reasons(done)["innermost"] == "it was started by outer, which has not ended"
    assert house.digest() == before


def test_a_run_whose_engine_is_still_leaving_waits_for_the_next_time(house):
    house.run("job")
    with (house.state / "engines" / "job.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert reasons(collect(house)) == {"job": "its engine is still leaving"}
    assert [each.name for each in collect(house).removed] == ["job"]


def test_a_run_that_was_asked_for_meanwhile_is_not_removed(house, monkeypatch):
    house.run("job")

    def retried(*args, **more):
        with house.store.write() as db:
            db.execute("UPDATE runs SET status = 'queued', finished_at = NULL, rev = rev + 1")
        return ""

    monkeypatch.setattr(clearing, "unlanded", retried)
    assert reasons(collect(house)) == {"job": "it has changed meanwhile"}
    assert house.worktree("job").is_dir()


def test_folders_that_nobody_may_write_to_go_as_well(house, monkeypatch):
    house.run("job")
    cache = house.worktree("job") / "cache.log" / "mod"
    cache.mkdir(parents=True)
    (cache / "file").touch()
    for folder in (cache, cache.parent):
        folder.chmod(0o555)
    if os.getuid() == 0:
        real = clearing.shutil.rmtree

        def rmtree(path):  # root may do anything: say no as the system would to anybody else
            for folder, _, _ in os.walk(path):
                if not stat.S_IMODE(Path(folder).stat().st_mode) & 0o200:
                    raise PermissionError(13, "Permission denied", folder)
            real(path)

        monkeypatch.setattr(clearing.shutil, "rmtree", rmtree)
    assert [each.name for each in collect(house).removed] == ["job"]
    assert house.traces("job") == []


# -- what no run has --


def test_what_is_left_of_runs_that_are_gone_goes_too_but_never_their_work(house):
    house.run("job", files={"new.txt": "new\n"})
    house.run("idle")
    for name in ("job", "idle"):
        (row,) = [each for each in pruning.all_runs(house.store) if each.id == name]
        assert pruning.mark(house.store, row, actor="x")
        pruning.erase(house.store, row)
    (house.state / "logs" / "old-logs").mkdir()
    done = collect(house, gc.Filter(older_than=0, strays=True))
    assert {each.name for each in done.removed} == {"idle", "old-logs"}
    assert reasons(done) == {"job": "smithers/job has commits that are not in main"}
    collect(house, gc.Filter(older_than=0, strays=True, including_unlanded=True))
    assert [*house.traces("job"), *house.traces("idle"), *house.traces("old-logs")] == []


def test_refs_that_another_run_directory_may_own_stay(house):
    house.git("update-ref", "refs/smithers/theirs/code/1/after", "HEAD")
    done = collect(house)
    assert "may belong to another run directory" in reasons(done)["theirs"]
    assert house.git("rev-parse", "refs/smithers/theirs/code/1/after")


def test_files_of_other_names_are_none_of_our_business(house):
    for name in ("*", "a b", "-x", "x.lock"):
        (house.state / "worktrees" / name).mkdir()
        (house.state / "worktrees" / name / "file").touch()
    house.git("branch", "smithers/kept")
    collect(house)
    assert {path.name for path in (house.state / "worktrees").iterdir()} == {
        "*", "a b", "-x", "x.lock",
    }  # fmt: skip
    assert house.git("branch", "--list", "smithers/kept")


# -- cut short --


class Killed(BaseException):
    """What a SIGKILL is to the process: nothing after it happens."""


EFFECTS = [
    (pruning, "mark"), (clearing, "remove"), (clearing, "discard"), (clearing, "_delete"),
    (clearing.shutil, "rmtree"), (gc.diary, "note"), (pruning, "erase"),
]  # fmt: skip


@pytest.mark.slow
def test_a_collection_that_is_killed_anywhere_is_completed_by_the_next(house, monkeypatch):
    crossings = 0
    while _killed_at(house, monkeypatch, crossings):
        row = [each for each in pruning.all_runs(house.store) if each.id == "job"]
        if row and row[0].going:
            # Nobody takes up what is half gone, and everybody says so.
            with pytest.raises(Refused):
                control.retry(house.root, "job", "code", agents={}, actor="x")
            with pytest.raises(Refused):
                control.land(house.root, "job", actor="x")
            view = reading.run(reading.open_directory(house.root), "job")
            assert view.row.status_reason == "is being removed by person:ada"
        elif row:
            assert house.worktree("job").is_dir()
        # The next one asks for no unlanded work, and for nothing so young.
        collect(house, gc.Filter(older_than=10**9 if row and row[0].going else 0))
        if row and not row[0].going:
            assert house.ids() == ["kept", "job"]
            collect(house, CANCELLED)
        assert house.traces("job") == [], crossings
        assert house.ids() == ["kept"]
        assert house.check() == []
        crossings += 1
    assert crossings > 8


def _killed_at(house, monkeypatch, number):
    """Collect, and die before the so-maniest effect. False if there are no more."""
    if not house.ids():
        house.run("kept", files={"keep.txt": "k\n"})
    if "job" not in house.ids():
        house.run("job", status="cancelled", files={"new.txt": "new\n"})
    left = [number]

    def cross():
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    def wrapped(effect):
        def perform(*args, **more):
            cross()  # between two effects it is all the same which of them one dies at
            return effect(*args, **more)

        return perform

    with monkeypatch.context() as patch:
        for module, name in EFFECTS:
            patch.setattr(module, name, wrapped(getattr(module, name)))
        try:
            collect(house, CANCELLED)
        except Killed:
            return True
    return False


def test_two_collections_at_once_remove_each_run_once(house):
    for number in range(4):
        house.run(f"job{number}")
    command = [sys.executable, "-m", "smithers.cli", "gc", "--older-than", "0", "--yes", "--json"]
    both = [
        subprocess.Popen(command, cwd=house.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    removed = [each["run"] for out, _ in said for each in json.loads(out)["removed"]]
    assert sorted(removed) == [f"job{number}" for number in range(4)]
    assert [each for number in range(4) for each in house.traces(f"job{number}")] == []
    assert house.check() == []


def test_what_another_collection_has_just_finished_is_not_counted_twice(house, monkeypatch):
    house.run("job")
    place, _ = gc.survey(house.root)
    collect(house)
    # It had been seen on disk, and its row was gone when the rows were read.
    monkeypatch.setattr(gc, "survey", lambda _root: (place, [inventory.Case("job", None)]))
    assert collect(house).removed == ()


def test_every_table_that_tells_of_runs_is_emptied(house):
    house.run("job")
    ((seq,),) = house.store.all("SELECT seq FROM runs")
    for table in pruning.tables(house.store):
        ((kind,),) = house.store.all(
            "SELECT type FROM pragma_table_info(?) WHERE name = 'run'", (table,)
        )
        assert kind == "INTEGER", f"{table}.run is no number of a run"
    house.insert("gates", run=seq, id="g#1", key="g", kind="approval", title="", decided_by="anyone", why="", show="", body="", digest="", opened_at=1)  # fmt: skip
    house.insert("decisions", run=seq, gate="g#1", answer="deny", actor="x", established="", note="", digest="", decided_at=1)  # fmt: skip
    house.insert("messages", run=seq, n=1, key="code", body="", actor="", sent_at=1)
    filled = {table for table, rows in house.rows().items() if rows}
    assert filled == {*pruning.tables(house.store), "runs", "meta"}, "a table without a row"
    collect(house)
    assert {table for table, rows in house.rows().items() if rows} == {"meta"}


def test_the_database_says_how_much_room_the_removed_left(house):
    house.run("job")
    ((seq,),) = house.store.all("SELECT seq FROM runs")
    for number in range(50):
        house.insert("outputs", run=seq, key=f"k{number}", value=json.dumps("x" * 4000))
    assert collect(house).free_bytes > 150_000
