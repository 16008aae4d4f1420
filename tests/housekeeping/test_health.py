"""`doctor`: every finding can be made to appear, and what it prints makes it vanish."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smithers.cli.app import main
from smithers.process import sandbox
from smithers.process.marks import Mark
from smithers.service import backup, gc
from smithers.service.directory import open_directory
from smithers.service.health import database, home
from smithers.service.health.examine import cure, examine
from smithers.store import pruning
from smithers.store.database import open_reader
from tests.housekeeping.house import TOKEN
from tests.running import alive, hold, until, write

HEALTHY = {"run directory", "shield", "database", "disk", "containment", "sandbox"}
BIN = Path(sys.executable).parent


def findings(root, **more):
    """What is wrong with it; whether this machine can make boxes is another matter."""
    return [
        each
        for each in examine(root, actor="person:ada", **more)
        if each.state != "ok" and each.name != "sandbox"
    ]


def the_one(root, name, **more):
    (found,) = [each for each in findings(root, **more) if each.name == name]
    return found


def obey(root, command):
    """Type what was printed."""
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=root,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode in {0, 1}, (command, done.stdout, done.stderr)


def test_a_healthy_run_directory_has_nothing_to_cure(house):
    house.run("job", files={"new.txt": "new\n"})
    before = house.digest()
    assert findings(house.root, verify=True) == []
    assert {each.name for each in examine(house.root, actor="x")} == HEALTHY
    assert house.digest() == before


def _open_to_others(house):
    house.state.chmod(0o755)
    (house.state / "smithers.db").chmod(0o644)


def _unshielded(house):
    shutil.rmtree(house.state / ".git")


def _not_ignored(house):
    (house.root / ".smithers" / ".gitignore").write_text("other\n")


def _other_journal(house):
    house.store.all("PRAGMA wal_checkpoint(TRUNCATE)")
    assert house.store.all("PRAGMA journal_mode = DELETE") == [("delete",)]


def _stray(house):
    (house.state / "logs" / "gone").mkdir()


def _stray_work(house):
    house.run("job", files={"new.txt": "new\n"})
    with house.store.write() as db:
        for table in (*pruning.tables(house.store), "runs"):
            db.execute(f"DELETE FROM {table}")


def _cut_short(house):
    house.run("job")
    (row,) = pruning.all_runs(house.store)
    assert pruning.mark(house.store, row, actor="x")
    shutil.rmtree(house.worktree("job"))


def _lost_ref(house):
    house.run("job", files={"new.txt": "new\n"})
    house.git("update-ref", "-d", "refs/smithers/job/code/1/after")


def _killed_git(house):
    house.run("job")
    (lock,) = house.root.glob(".git/worktrees/job/smithers")
    _aged(lock / "index.snapshot.lock")


def _index_lock(house):
    _aged(house.root / ".git" / "index.lock")


def _aged(path):
    path.touch()
    os.utime(path, (time.time() - 600,) * 2)


def _bad_config(house):
    (house.root / ".smithers" / "config.toml").write_text("[limits]\nconcurrency = 0\n")


def _no_reserve(house):
    house.run("job")
    (house.state / ".reserve").unlink()


def _short_reserve(house):
    house.run("job")
    os.truncate(house.state / ".reserve", 1000)


CURED_BY_COMMAND = {
    _open_to_others: "run directory", _unshielded: "shield", _not_ignored: "shield",
    _other_journal: "journal", _stray: "strays", _stray_work: "strays", _cut_short: "strays",
    _no_reserve: "reserve", _short_reserve: "reserve",
    _lost_ref: "snapshots", _killed_git: "locks", _index_lock: "locks",
}  # fmt: skip


@pytest.mark.parametrize("harm", CURED_BY_COMMAND, ids=lambda each: each.__name__.strip("_"))
def test_what_doctor_prints_cures_what_it_finds(house, harm):
    harm(house)
    found = the_one(house.root, CURED_BY_COMMAND[harm])
    assert found.detail
    obey(house.root, found.cure)
    assert [(each.name, each.detail[-60:]) for each in findings(house.root)] == []
    assert house.check() == []


def test_fix_cures_all_that_can_do_no_harm_at_once_and_says_who_asked(house, capsys):
    for harm in (_open_to_others, _unshielded, _stray, _cut_short, _other_journal):
        harm(house)
    names = {each.name for each in findings(house.root)}
    assert names >= {"run directory", "shield", "journal", "strays"}
    assert main(["doctor", "--fix", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["name"] for each in told["fixed"]} == names
    assert findings(house.root) == []
    records = [
        json.loads(line) for line in (house.state / "housekeeping.jsonl").read_text().splitlines()
    ]
    assert {record["actor"] for record in records} == {"agent:cli"}
    assert {f"cured {name}" for name in names} <= {record["did"] for record in records}


@pytest.mark.parametrize(
    ("agents", "said"),
    [(("none-such",), "none-such is not installed"), (("a-", "b-"), "none of a-, b- is installed")],
)
def test_agents_that_are_not_there_are_named(house, capsys, monkeypatch, agents, said):
    monkeypatch.setattr("smithers.cli.doctor.AGENTS", agents)
    main(["doctor"])
    assert said in capsys.readouterr().out


def test_a_reserve_that_finds_no_room_is_not_said_to_be_there(house, monkeypatch):
    _no_reserve(house)
    monkeypatch.setattr("smithers.engine.room._KEPT_FREE", (2**62, 1))
    (told,) = [each for each in cure(house.root, actor="x") if each.name == "reserve"]
    assert told.state == "failed"
    assert "no room" in told.detail


def test_fix_never_takes_work_and_never_starts_a_run(house):
    _stray_work(house)
    house.run("idle", status="running", held=False, in_place=True)
    before = house.rows()
    obey(house.root, "smithers doctor --fix")
    assert house.rows() == before
    assert {each.name for each in findings(house.root)} == {"strays", "run idle"}
    assert house.git("show", "smithers/job:new.txt") == "new"


def test_a_file_that_cannot_be_read_as_a_database_is_restored_from_the_last_backup(house):
    house.run("job")
    kept = backup.backup(house.root)
    house.run("later", in_place=True)
    house.store.close()
    path = house.state / "smithers.db"
    for other in (path, path.with_name("smithers.db-wal"), path.with_name("smithers.db-shm")):
        other.unlink(missing_ok=True)
    path.write_bytes(b"no database " * 1000)
    found = the_one(house.root, "database")
    assert found.state == "failed"
    assert str(kept.path) in found.cure
    obey(house.root, found.cure)
    from smithers.store.database import Store

    house.store = Store(house.state)
    assert house.ids() == ["job"]
    assert "database" not in {each.name for each in findings(house.root)}
    assert (house.state / "damaged" / "smithers.db").is_file()


def test_a_page_that_was_overwritten_is_found(house):
    for number in range(30):
        house.insert("outputs", run=1, key=f"k{number}", value=json.dumps("x" * 3000))
    house.store.all("PRAGMA wal_checkpoint(TRUNCATE)")
    house.store.close()
    script = (
        "import sys; f = open(sys.argv[1], 'r+b'); f.seek(30 * 4096); f.write(b'\\x7f' * 40960)"
    )
    subprocess.run([sys.executable, "-c", script, house.state / "smithers.db"], check=True)
    from smithers.store.database import Store

    house.store = Store(house.state)
    found = the_one(house.root, "database")
    assert found.state == "failed"
    assert "cp BACKUP" in found.cure


def test_a_bad_configuration_is_named_with_its_key(house):
    _bad_config(house)
    found = the_one(house.root, "config")
    assert "limits.concurrency" in found.detail
    assert found.cure
    (house.root / ".smithers" / "config.toml").write_text("[limits]\nconcurrency = 4\n")
    assert findings(house.root) == []


def test_a_snapshot_that_is_gone_for_good_is_said_and_not_made_up(house):
    house.run("job", files={"new.txt": "new\n"})
    with house.store.write() as db:
        db.execute("UPDATE snapshots SET commit_id = ? WHERE side = 'after'", ("1" * 40,))
    house.git("update-ref", "-d", "refs/smithers/job/code/1/after")
    found = the_one(house.root, "snapshots")
    assert found.state == "failed"
    assert found.fix is None
    assert "1" * 40 in found.cure


def test_refs_of_another_run_directory_are_no_trouble(house):
    house.git("update-ref", "refs/smithers/theirs/code/1/after", "HEAD")
    assert findings(house.root) == []
    assert "refs" in {each.name for each in examine(house.root, actor="x")}


def test_little_room_is_said(house):
    (found,) = home.disk(house.root, least=2**60)
    assert (found.state, found.cure) == ("warning", "smithers gc")


def test_a_log_that_a_reader_keeps_long_is_named_and_shrinks_when_he_is_gone(house):
    reader = open_reader(house.state)
    with reader.transaction():
        reader.all("SELECT * FROM meta")
        for number in range(1200):
            house.insert("outputs", run=1, key=f"k{number}", value=json.dumps("x" * 8000))
        with open_directory(house.root) as db:
            (found,) = database.log(db, longest=4_000_000)
            assert f"process {os.getpid()} reads" in found.detail
            assert (found.cure.split(",")[0], found.fix) == (f"kill {os.getpid()}", None)
    with open_directory(house.root) as db:
        (found,) = database.log(db, longest=4_000_000)
        found.fix()
        assert list(database.log(db, longest=4_000_000)) == []
    reader.close()


def test_verify_tells_every_record_that_does_not_follow(house):
    house.run("job", in_place=True)
    house.run("other", in_place=True)
    with house.store.write() as db:
        db.execute("UPDATE runs SET done = 7 WHERE id = 'job'")
    assert findings(house.root) == []
    found = the_one(house.root, "run job", verify=True)
    assert "done 7" in found.detail
    before = house.rows()
    obey(house.root, "smithers doctor --fix --verify")
    assert house.rows() == before, "nobody makes facts fit"


def test_a_process_that_outlived_its_attempt_is_found_and_ended(house):
    house.run("job", in_place=True)
    mark = Mark("job", "code", 1, TOKEN)
    left = subprocess.Popen(
        ["sleep", "600"], env={**os.environ, **mark.environ()}, start_new_session=True
    )
    try:
        until(lambda: b"sleep" in Path(f"/proc/{left.pid}/cmdline").read_bytes())
        found = the_one(house.root, "processes")
        assert str(left.pid) in found.detail
        obey(house.root, found.cure)
        assert left.wait(10) == -signal.SIGKILL
        assert findings(house.root) == []
    finally:
        left.kill()
        left.wait()


def test_processes_of_somebody_else_are_left_alone(house):
    house.run("job", in_place=True)
    mark = Mark("theirs", "code", 1, TOKEN + 1)
    other = subprocess.Popen(
        ["sleep", "600"], env={**os.environ, **mark.environ()}, start_new_session=True
    )
    try:
        until(lambda: b"sleep" in Path(f"/proc/{other.pid}/cmdline").read_bytes())
        assert findings(house.root) == []
        obey(house.root, "smithers doctor --fix")
        assert alive(other.pid)
    finally:
        other.kill()
        other.wait()


def _sandbox(house, level=""):
    (house.root / ".smithers/config.toml").write_text(
        f'[sandbox]\nlevel = "{level}"\n' if level else ""
    )
    (found,) = [each for each in examine(house.root, actor="x") if each.name == "sandbox"]
    return found.state, found.detail, found.cure


def test_it_is_said_whether_the_sandbox_is_in_force_and_what_would_bring_it(house, monkeypatch):
    monkeypatch.setattr(sandbox, "unavailable", lambda: "")
    assert _sandbox(house)[:2] == ("ok", "workspace: bubblewrap is there and works")
    assert _sandbox(house, "strict")[1].startswith("strict: ")
    assert _sandbox(house, "off") == ("ok", "off, by config.toml", "")
    monkeypatch.setattr(sandbox, "unavailable", lambda: "bubblewrap (bwrap) is not installed")
    state, detail, cure = _sandbox(house)
    assert (state, cure) == ("warning", "sudo apt-get install bubblewrap")
    assert "not in force: bubblewrap" in detail
    assert _sandbox(house, "strict")[0] == "failed"
    monkeypatch.setattr(sandbox, "unavailable", lambda: "setting up uid map: Permission denied")
    assert "allow user namespaces" in _sandbox(house)[2]


def test_an_engine_that_hangs_is_named_with_what_ends_it(house):
    house.run("job", status="running", held=True, in_place=True)  # the lease is of this process
    found = the_one(house.root, "run job")
    assert "hangs" in found.detail
    assert found.cure == "smithers resume job"


def test_a_skill_of_another_version_and_one_that_was_edited_are_brought_up(house, capsys):
    obey(house.root, "smithers skill install --yes")
    place = house.root / ".claude" / "skills" / "smithers" / "SKILL.md"
    shipped = place.read_text()
    from smithers.cli.skill.install import seal

    for text in (shipped + "edited\n", seal("---\nname: smithers\n---\nan old one\n")):
        place.write_text(text)
        main(["doctor", "--json"])
        (found,) = [
            each
            for each in json.loads(capsys.readouterr().out)["checks"]
            if each["name"] == "skill"
        ]
        obey(house.root, found["next"])
        assert place.read_text() == shipped
    main(["doctor", "--json"])
    assert '"name": "skill"' not in capsys.readouterr().out


@pytest.mark.slow
def test_runs_without_a_driver_go_on_by_what_is_printed(workshop):
    held = hold(workshop, "check")
    flow = workshop.flow(
        f'return Sequence(Task("code", agent="coder", prompt="x"), Check("held", {held!r}))'
    )
    workshop.up(flow, write("new.txt", "new\n"))
    workshop.until_file("check.reached")
    assert {each.name for each in findings(workshop.root)} == set()

    engine = workshop.engine()
    os.kill(engine, signal.SIGSTOP)
    until(lambda: [each for each in findings(workshop.root) if "stopped" in each.detail])
    obey(workshop.root, the_one(workshop.root, "run r").cure)
    until(lambda: not findings(workshop.root), tell=workshop.tell)

    workshop.kill_engine()
    found = the_one(workshop.root, "run r")
    assert "interrupted" in found.detail
    workshop.touch("check.go")
    obey(workshop.root, found.cure)
    workshop.until_ended()
    assert findings(workshop.root, verify=True) == []
    assert gc.look(workshop.root, gc.Filter(0)).removed
