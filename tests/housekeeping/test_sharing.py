"""`export`, `view` and `backup`: what is in the file, and what can be done with it elsewhere."""

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from smithers.cli.app import main
from smithers.errors import Refused, UnknownRun, UsageError
from smithers.service import backup, export, reading
from smithers.store.database import NAME
from smithers.vcs import diffs, packing, repository

EVIL = "\x1b]52;c;aGk=\x07\u202etxt"


@pytest.fixture
def exported(house, tmp_path):
    """A run that changed two files of three, in one file, in a folder with nothing else in it."""
    house.run("job", files={"a.txt": f"one\n{EVIL}\n", "new.txt": "new\n"})
    target = tmp_path / "elsewhere" / "job.zip"
    target.parent.mkdir()
    export.export(house.root, "job", target, actor="person:ada")
    return target


@pytest.fixture
def view(exported, monkeypatch, capsys, house):
    """`smithers view`, as it is on a machine that has never seen the repository."""
    house.root.rename(house.root.with_name("out-of-reach"))
    monkeypatch.chdir(exported.parent)

    def call(*words):
        capsys.readouterr()
        code = main(["view", str(exported), *words])
        out, err = capsys.readouterr()
        return code, out, err

    yield call
    house.root.with_name("out-of-reach").rename(house.root)


SHOWN = [
    ((), "succeeded  job  flow"),
    (("inspect", "--json"), '"id": "job"'),
    (("--json",), '"id": "job"'),
    (("why",), "ended, took"),
    (("events",), "code succeeded"),
    (("logs",), "hi"),
    (("logs", "code", "--json"), '"text": "hi"'),
    (("output", "code"), "done"),
    (("diff", "--stat"), "new.txt"),
    (("diff", "code", "--attempt", "1"), "+new"),
]


def test_an_exported_run_shows_everything_without_its_repository(view):
    for words, text in SHOWN:
        code, out, err = view(*words)
        assert code == 0, err
        assert text in out, words
        assert "run job as it was at 2" in err


def test_a_diff_elsewhere_is_the_diff_here(house, exported):
    with reading.open_directory(house.root) as db:
        here = [reading.diff(db, "job"), reading.diff(db, "job", "code", 1)]
    with export.opened(exported) as found, reading.open_directory(found.root) as db:
        there = [reading.diff(db, "job"), reading.diff(db, "job", "code", 1)]
    assert there == here
    assert "+new" in here[0].patch
    assert here[0].right.startswith("branch smithers/job")


WRITING = ("cancel", "resume", "approve", "retry", "gc", "up", "land", "export", "doctor", "view")


def test_whatever_would_change_something_is_refused(view, exported):
    before = exported.read_bytes()
    for word in WRITING:
        code, out, err = view(word)
        assert (code, out) == (5, ""), word
        assert "is only looked at" in err
    for words in (("logs", "-f"), ("events", "--fol")):
        code, _, err = view(*words)
        assert code == 2
        assert "nothing follows" in err
    assert exported.read_bytes() == before


def test_looking_leaves_nothing_behind(view, exported, tmp_path, monkeypatch):
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(export.tempfile, "tempdir", str(temp))
    before = exported.read_bytes()
    assert view("diff")[0] == 0
    assert view("output", "nowhere")[0] == 2
    assert list(temp.iterdir()) == []
    assert exported.read_bytes() == before
    assert "SMITHERS_DIR" not in os.environ
    assert [path.name for path in exported.parent.iterdir()] == ["job.zip"]


def test_only_the_run_and_what_it_changed_leaves_the_house(house, exported):
    house.run("kept-private", in_place=True)
    exported.unlink()
    export.export(house.root, "job", exported, actor="x")
    with zipfile.ZipFile(exported) as archive:
        names = set(archive.namelist())
        whole = b"".join(archive.read(name) for name in names)
    assert names == {
        "run.json", "run.db", "run.patch", "objects.pack", "logs/code.1.000000abcdef.jsonl",
    }  # fmt: skip
    assert exported.stat().st_mode & 0o777 == 0o600
    assert b"kept-private" not in whole
    with export.opened(exported) as found:
        listed = subprocess.run(
            ["git", "cat-file", "--batch-all-objects", "--batch"],
            cwd=found.root, capture_output=True, check=True,
        ).stdout  # fmt: skip
    assert b"new\n" in listed
    assert b"secret of the project" not in listed


def test_a_run_that_still_goes_on_can_be_exported(house, tmp_path):
    house.run("open", status="paused", files={"new.txt": "n\n"}, committed=False)
    done = export.export(house.root, "open", tmp_path / "open.zip", actor="x")
    with export.opened(done.path) as found, reading.open_directory(found.root) as db:
        assert reading.run(db, "open").row.title == "Title of open"
        assert "+n" in reading.diff(db, "open", "code").patch


def test_a_run_outside_git_has_no_diff_and_everything_else(house, tmp_path):
    house.run("job", in_place=True)
    (house.root / ".git").rename(tmp_path / "no-git")
    done = export.export(house.root, "job", tmp_path / "job.zip", actor="x")
    with export.opened(done.path) as found, reading.open_directory(found.root) as db:
        assert reading.run(db, "job").steps[0].key == "code"
        assert reading.diff(db, "job").note
    (tmp_path / "no-git").rename(house.root / ".git")


def test_no_file_is_overwritten_and_nothing_half_stays(house, tmp_path):
    house.run("job")
    target = tmp_path / "there"
    target.write_text("mine")
    with pytest.raises(Refused, match="is there already"):
        export.export(house.root, "job", target, actor="x")
    with pytest.raises(Refused, match="is there already"):
        backup.backup(house.root, target)
    assert target.read_text() == "mine"
    with pytest.raises(UnknownRun):
        export.export(house.root, "nobody", tmp_path / "new.zip", actor="x")
    assert [path.name for path in tmp_path.iterdir() if path.name != "project"] == ["there"]


HARM = {
    "no zip": lambda path: path.write_bytes(b"PK nonsense"),
    "no rows": lambda path: _repack(path, drop="run.db"),
    "other rows": lambda path: _repack(path, **{"run.db": b"nonsense" * 200}),
    "no objects": lambda path: _repack(path, **{"objects.pack": b"PACKnonsense"}),
    "no manifest": lambda path: _repack(path, **{"run.json": b"[]"}),
    "other run": lambda path: _repack(path, **{"run.json": _about(run="other")}),
    "way out": lambda path: _repack(path, **{"run.json": _about(run="../../x")}),
    "newer": lambda path: _repack(path, **{"run.json": _about(format=2)}),
    "a trigger": lambda path: _repack(path, **{"run.db": _with_trigger(path)}),
}


def _about(**more):
    about = {"format": 1, "run": "job", "tip": "", "exported_at": "2026"}
    return json.dumps({**about, **more}).encode()


def _with_trigger(path):
    with zipfile.ZipFile(path) as archive:
        archive.extract("run.db", path.parent)
    db = sqlite3.connect(path.parent / "run.db")
    db.execute("CREATE TRIGGER t AFTER UPDATE ON runs BEGIN DELETE FROM runs; END")
    db.close()
    return (path.parent / "run.db").read_bytes()


def _repack(path, *, drop=None, **changed):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != drop}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**parts, **changed}.items():
            archive.writestr(name, data)


def test_a_file_that_is_no_export_is_one_clear_line(exported, capsys):
    whole = exported.read_bytes()
    for name, harm in HARM.items():
        exported.write_bytes(whole)
        harm(exported)
        assert main(["view", str(exported)]) == 2, name
        out, err = capsys.readouterr()
        assert out == ""
        assert "is no run that smithers exported" in err
        assert "Traceback" not in err


def test_a_file_from_anybody_writes_only_where_it_is_unpacked(exported, tmp_path):
    more = {"../../escaped": b"x", "logs/../../../escaped": b"x", "/escaped": b"x"}
    _repack(exported, **more)
    with export.opened(exported) as found:
        names = {path.name for path in found.root.rglob("*")}
    assert "escaped" not in names
    assert not list(tmp_path.rglob("escaped"))
    with pytest.raises(UsageError, match="there is no file"), export.opened(Path("nowhere")):
        pass


GUARD = """
import sys
def hook(event, args):
    if event == "open" and str(args[0]).endswith(("smithers.db", "smithers.db-wal", "smithers.db-shm")):
        print("OPENED", args[0], file=sys.stderr)
sys.addaudithook(hook)
from smithers.cli.app import main
for words in (["backup"], ["backup", "b.db"], ["export", "job", "w.zip"], ["view", "w.zip"], ["view", "w.zip", "diff"],
              ["doctor", "--fix", "--verify"], ["gc", "--older-than", "0", "--yes", "--including-unlanded"]):
    main(words)
"""


def test_nothing_but_sqlite_opens_the_three_files(house):
    house.run("job", files={"new.txt": "n\n"})
    done = subprocess.run(
        [sys.executable, "-c", GUARD], cwd=house.root, capture_output=True, text=True, check=True
    )
    assert "OPENED" not in done.stderr
    assert "freed" in done.stdout, done.stdout + done.stderr


def test_any_two_commits_of_a_pack_compare_as_in_the_repository(house, tmp_path):
    house.run("job", files={"a.txt": "1\n", "dir.txt": "2\n"})
    house.git("checkout", "-q", "smithers/job^{commit}")
    base = house.git("rev-parse", "main")
    (house.root / "deep").mkdir()
    commits = [house.git("rev-parse", "HEAD")]
    for number in range(3):
        (house.root / "deep" / f"f{number}").write_text(f"{number}\n" * 40)
        (house.root / "same.txt").unlink(missing_ok=True)
        house.git("add", "-A")
        house.git("commit", "-qm", "next")
        commits.append(house.git("rev-parse", "HEAD"))
    there = tmp_path / "there"
    there.mkdir()
    objects = packing.pack(house.root, base, commits)
    packing.unpack(there, objects, branch="b", tip=commits[-1])
    for left in (base, *commits):
        for right in (base, *commits):
            assert diffs.patch(there, left, right) == diffs.patch(house.root, left, right)
    assert repository.discover(there).branch == "b"


# -- backup --


def test_a_backup_is_private_whole_and_tells_what_it_holds(house):
    house.run("one")
    house.run("two", status="failed")
    done = backup.backup(house.root)
    assert done.path.parent == house.state / "backups"
    assert done.path.stat().st_mode & 0o777 == 0o600
    assert done.path.parent.stat().st_mode & 0o777 == 0o700
    assert {status.value: count for status, count in done.runs.items()} == {
        "succeeded": 1, "failed": 1,
    }  # fmt: skip
    assert done.newest == "two"
    assert [path.name for path in done.path.parent.iterdir()] == [done.path.name]
    db = sqlite3.connect(done.path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    db.close()
    assert NAME not in {path.name for path in house.root.iterdir()}
