"""Helper commands, and processes that outlive their starter."""

from __future__ import annotations

import os
import select
import time

import pytest

from smithers.process import table
from smithers.process.run import detach, run


def test_code_and_both_streams_come_back():
    done = run(["/bin/sh", "-c", "cat; echo no >&2; exit 4"], stdin=b"in\xff")
    assert (done.code, done.out, done.err) == (4, b"in\xff", b"no\n")


def test_folder_and_environment_are_as_given(tmp_path):
    done = run(["/bin/sh", "-c", "pwd; echo $A$HOME"], cwd=tmp_path, env={"A": "b"})
    assert done.out.decode() == f"{tmp_path}\nb\n"


def test_more_output_than_a_pipe_holds_is_no_trouble():
    assert len(run(["head", "-c", "5000000", "/dev/zero"]).out) == 5_000_000


def test_a_daemon_that_it_leaves_behind_is_not_waited_for():
    begun = time.monotonic()
    done = run(["/bin/sh", "-c", "sleep 100 & echo $!"])
    os.kill(int(done.out), 9)
    assert time.monotonic() - begun < 5


def test_time_runs_out_for_the_whole_group(tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(TimeoutError, match="did not end within"):
        run(["/bin/sh", "-c", f"sleep 100 & echo $! > {pid}; wait"], timeout=0.3)
    entry = table.read(int(pid.read_text()))
    assert entry is None or entry.dead or entry.parent == 1


def test_a_command_that_is_not_there_is_an_os_error():
    with pytest.raises(FileNotFoundError):
        run(["/no/such/command"])


def test_a_detached_process_has_its_own_session_a_log_and_the_ready_pipe(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    read, write = os.pipe()
    script = f"echo out; echo err >&2; cat; echo ready >&{write}"
    pid = detach(
        ["/bin/bash", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        log=log,
        ready_fd=write,
    )
    os.close(write)
    assert os.getsid(pid) == pid or table.read(pid) is None
    with os.fdopen(read) as ready:
        assert ready.read() == "ready\n"
    handle = os.pidfd_open(pid)
    select.select([handle], [], [], 10)
    os.close(handle)
    assert log.read_text() == "before\nout\nerr\n"
    detach(["true"], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, log=log, ready_fd=None)
    assert table.read(pid) is None, "reaped at the next call"
