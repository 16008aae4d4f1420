"""Whether a process lives is judged by more than its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from smithers.model.run import Owner
from smithers.process import identity, table
from smithers.process.identity import Life
from smithers.process.table import Entry, parse_stat

HERE = Owner("host/1234", "boot-1", 40, 500, 9000)


def seen(state="S", start=9000):
    return Entry(pid=500, parent=1, session=500, state=state, start_time=start)


@pytest.mark.parametrize(
    ("owner", "entry", "verdict"),
    [
        (HERE, seen(), Life.ALIVE),
        (HERE, seen("T"), Life.SUSPENDED),
        (HERE, seen("t"), Life.SUSPENDED),
        (HERE, None, Life.DEAD),
        (HERE, seen("Z"), Life.DEAD),
        (HERE, seen("X"), Life.DEAD),
        (HERE, seen(start=90000), Life.DEAD),
        (replace(HERE, boot_id="boot-0"), seen(), Life.DEAD),
        (replace(HERE, boot_id="boot-0", pid_ns=41), None, Life.DEAD),
        (replace(HERE, host="other", boot_id="boot-7"), None, Life.ELSEWHERE),
        (replace(HERE, pid_ns=41), None, Life.ELSEWHERE),
        (replace(HERE, host="renamed"), seen(), Life.ALIVE),
    ],
)
def test_the_verdict_follows_from_machine_boot_namespace_and_start(owner, entry, verdict):
    assert identity.judge(owner, HERE, entry) is verdict


def test_we_are_alive():
    assert identity.me().pid == os.getpid()
    assert identity.life(identity.me()) is Life.ALIVE


def test_identity_stays_the_same_while_a_process_lives():
    assert identity.me() == identity.me()


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "100"])
    entry = table.read(process.pid)
    assert entry is not None
    yield process, replace(identity.me(), pid=process.pid, start_time=entry.start_time)
    process.kill()
    process.wait()


def test_a_stopped_process_is_suspended_and_alive_again_when_it_goes_on(sleeper):
    process, owner = sleeper
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert identity.life(owner) is Life.SUSPENDED
    process.send_signal(signal.SIGCONT)
    os.waitid(os.P_PID, process.pid, os.WCONTINUED)
    assert identity.life(owner) is Life.ALIVE


def test_a_zombie_is_dead(sleeper):
    process, owner = sleeper
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert identity.life(owner) is Life.DEAD
    assert not identity.signal_owner(owner, signal.SIGTERM)


def test_another_process_under_the_same_pid_is_not_the_owner_and_gets_no_signal(sleeper):
    process, owner = sleeper
    earlier = replace(owner, start_time=owner.start_time - 100_000)
    assert identity.life(earlier) is Life.DEAD
    assert not identity.signal_owner(earlier, signal.SIGKILL)
    assert process.poll() is None


def test_a_signal_reaches_the_owner(sleeper):
    process, owner = sleeper
    assert identity.signal_owner(owner, signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
    assert not identity.signal_owner(owner, signal.SIGTERM)


def test_nothing_is_sent_to_another_machine(sleeper):
    process, owner = sleeper
    assert not identity.signal_owner(replace(owner, boot_id="x", host="y"), signal.SIGKILL)
    assert process.poll() is None


def test_a_name_with_brackets_and_spaces_does_not_shift_the_fields():
    tail = b" S 7 500 501 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 1\n"
    entry = parse_stat(42, b"42 (a) Z 1 2 (b)" + tail)
    assert entry == Entry(pid=42, parent=7, session=501, state="S", start_time=123456)


def test_asking_loads_neither_asyncio_nor_pydantic():
    code = (
        "import sys, smithers.process.identity, smithers.process.sweep, smithers.process.run;"
        "print([m for m in ('asyncio', 'pydantic', 'jinja2', 'textual') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "core"},
    )
    assert done.stdout == "[]\n", done.stderr
