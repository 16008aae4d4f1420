"""All that carries a mark is found and ended, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smithers.clock import SYSTEM
from smithers.process import cgroup, spawn, sweep, table
from smithers.process.marks import Mark
from smithers.process.table import Entry
from tests.process.leftovers import living, nasty, noted
from tests.running import until

linux = pytest.mark.skipif(sys.platform != "linux", reason="the second mark is a Linux limit")


@pytest.fixture(autouse=True)
def without_cgroup(monkeypatch):
    """What the marks alone can do."""
    monkeypatch.setattr(cgroup, "home", lambda: None)


@pytest.fixture
def mark():
    mark = Mark("run", "step", 1, SYSTEM.token())
    yield mark
    sweep.sweep({mark.token})


@pytest.fixture
def start(mark):
    """Starts a marked shell; returns the pids that it prints before it closes its output."""
    processes = []

    def start(script):
        read, write = os.pipe()
        process = spawn.spawn(
            ["/bin/sh", "-c", script],
            cwd=None,
            env={**os.environ, **mark.environ()},
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=subprocess.DEVNULL,
            mark=mark,
        )
        os.close(write)
        processes.append(process)
        with os.fdopen(read) as output:
            return process, [int(line) for line in output]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        spawn.forget(process)


def alive(pid):
    entry = table.read(pid)
    return entry is not None and not entry.dead


SLEEP = "sleep 100 >/dev/null"
DOUBLE_FORK = f"(setsid sh -c 'echo $$; exec {SLEEP}' &) ; exec {SLEEP}"
EMPTIED = f"(setsid env -i /bin/sh -c 'echo $$; exec {SLEEP}' &) ; exec {SLEEP}"


def test_an_orphan_in_a_session_of_its_own_is_found_and_ended(start, mark):
    process, [orphan] = start(DOUBLE_FORK)
    assert sweep.find({mark.token}) == {process.pid, orphan}
    assert sweep.sweep({mark.token}) == []
    assert not alive(orphan)
    assert process.wait() == -9


@linux
def test_an_orphan_that_emptied_its_environment_is_found_and_ended(start, mark):
    process, [orphan] = start(EMPTIED)
    assert Path(f"/proc/{orphan}/environ").read_bytes().count(b"SMITHERS") == 0
    assert sweep.find({mark.token}) == {process.pid, orphan}
    assert sweep.sweep({mark.token}) == []
    assert not alive(orphan)


def test_the_environment_alone_is_mark_enough(mark):
    process = subprocess.Popen(
        ["sleep", "100"], env=mark.environ() | {"PATH": os.environ["PATH"]}, start_new_session=True
    )
    try:
        assert sweep.find({mark.token}) == {process.pid}
        assert sweep.sweep({mark.token}) == []
        assert process.wait() == -9
    finally:
        process.kill()
        process.wait()


def test_a_process_of_another_attempt_is_left_alone(start, mark):
    process, _ = start(f"exec {SLEEP}")
    assert sweep.sweep({mark.token ^ 1}) == []
    assert process.poll() is None


def test_a_process_that_forks_while_it_is_swept_does_not_get_away(start, mark):
    bomb = "while :; do (setsid env -i /bin/sleep 100 >/dev/null &) ; done"
    _, [_, first] = start(
        f"echo $$; (setsid sh -c 'echo $$; exec >/dev/null; {bomb}' &) ; exec {SLEEP}"
    )
    assert alive(first)
    assert sweep.sweep({mark.token}) == []
    assert sweep.find({mark.token}) == set()


@linux
def test_who_is_never_the_same_process_for_long_does_not_get_away(start, mark, tmp_path):
    for number in range(5):
        name = f"chain{number}"
        start(f"exec {nasty(tmp_path, name, 'stay', ['chain'])} >/dev/null")
        until(lambda name=name: len(noted(tmp_path, name)) > 5)
        assert sweep.sweep({mark.token}) == []
        assert living(noted(tmp_path, name)) == []


def test_the_sweeper_its_parents_and_its_session_are_spared(mark):
    code = (
        "import os, sys; from smithers.process.sweep import sweep;"
        "child = os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '100');"
        "print(sweep({int(sys.argv[1])})); os.kill(child, 0); os.kill(child, 9)"
    )
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            f'"{sys.executable}" -c "$1" {mark.token}; echo parent lives',
            "sh",
            code,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, **mark.environ(), "PYTHONPATH": "core"},
        start_new_session=True,
    )
    assert done.stdout == "[]\nparent lives\n", done.stderr


def entry(pid, parent, session):
    return Entry(pid, parent, session, "S", 1)


def test_descendants_and_session_mates_of_the_marked_are_targets_too():
    seen = {
        e.pid: e
        for e in [
            entry(1, 0, 1),
            entry(10, 1, 10),  # us
            entry(20, 10, 20),  # marked
            entry(21, 20, 21),  # its child, elsewhere
            entry(22, 1, 21),  # an orphan of that session
            entry(23, 22, 23),  # the orphan's child
            entry(30, 10, 10),  # our own helper
            entry(40, 1, 40),  # somebody else
        ]
    }
    assert sweep.closure({20}, seen, {0, 1, 10, 30}) == {20, 21, 22, 23}


def test_what_is_spared_is_no_way_to_others():
    seen = {e.pid: e for e in [entry(10, 5, 10), entry(5, 1, 5), entry(11, 10, 11), entry(6, 5, 5)]}
    # we (10) run inside the marked session of 5
    assert sweep.closure({5, 10}, seen, {0, 1, 5, 10}) == set()


@linux
def test_dead_orphans_are_reaped_by_pid_and_other_children_are_left_to_their_owners():
    code = """
import os, subprocess, sys
from smithers.process import spawn, sweep, table
from smithers.process.marks import Mark

sweep.become_subreaper()
mark = Mark("r", "s", 1, 77)
read, write = os.pipe()
shell = spawn.spawn(["/bin/sh", "-c", "(sleep 100 & echo $!) "], cwd=None, env=None,
                    stdin=subprocess.DEVNULL, stdout=write, stderr=None, mark=mark)
os.close(write)
orphan = int(os.read(read, 20))
plain = subprocess.Popen(["true"])
for pid in (shell.pid, plain.pid):
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
assert table.read(orphan).parent == os.getpid()
os.kill(orphan, 9)
os.waitid(os.P_PID, orphan, os.WEXITED | os.WNOWAIT)
sweep.reap_adopted(())
assert table.read(orphan) is None, "reaped"
assert shell.wait() == 0, "left to its owner"
os.waitid(os.P_PID, plain.pid, os.WEXITED | os.WNOWAIT)
assert plain.wait() == 0
sweep.sweep({77})
print("good")
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "core"},
    )
    assert done.stdout == "good\n", done.stderr
