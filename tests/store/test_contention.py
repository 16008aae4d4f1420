"""Many processes on one database, and those that hold on to it: nobody fails, and who is in the way is named."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smithers.errors import StoreBusy
from smithers.store import database, locking
from smithers.store.database import NAME, Reader, Store
from tests.running import until
from tests.store.contention import ENGINES, FOLLOWERS, READERS, contend
from tests.store.store_kit import make, new_run

TOP = Path(__file__).parents[2]
LOCKS = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="/proc/locks says who holds")


@pytest.mark.slow
def test_no_lock_error_reaches_engines_followers_and_apps_on_one_database(tmp_path):
    done = contend(tmp_path, 2)
    assert [len(each) for each in done.values()] == [ENGINES, FOLLOWERS, READERS]
    assert all(one["steps"] > 0 for one in done["engine"])
    assert all(one["questions"] > 0 for one in done["reader"])


@contextmanager
def _process(state: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has run code with `state`, said so, and waits for a line or its end."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom smithers.store.database import Reader, Store\n"
        f"state = Path({str(state)!r})\n{code}"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "there\n"
            yield process
        finally:
            process.kill()


WAIT = "print('there', flush=True)\n    sys.stdin.readline()\n"
WRITES = f"""
with Store(state).write() as db:
    db.execute("UPDATE meta SET store_id = 'theirs'")
    {WAIT}
print('done', flush=True)
"""
READS = f"""
reader = Reader(state)
with reader.transaction():
    reader.all("SELECT store_id FROM meta")
    {WAIT}
print('done', flush=True)
"""
FOREIGN = f"""
import sqlite3
db = sqlite3.connect(state / 'smithers.db', isolation_level=None)
db.execute("BEGIN IMMEDIATE")
if True:
    {WAIT}
"""


def _stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    stat = Path(f"/proc/{pid}/stat")
    until(lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "T")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(locking, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.2)


def _busy(store: Store) -> str:
    with pytest.raises(StoreBusy) as error:
        new_run(store)
    return str(error.value)


@LOCKS
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("continues", [True, False], ids=["continued", "killed"])
def test_a_writer_that_was_stopped_is_named_and_readers_go_on(tmp_path, continues):
    store = make(tmp_path)
    reader = Reader(tmp_path)
    with _process(tmp_path, WRITES) as stopped:
        _stop(stopped.pid)
        said = _busy(store)
        assert f"process {stopped.pid} holds the writer" in said
        assert f"kill -CONT {stopped.pid}" in said
        assert reader.all("SELECT store_id FROM meta") == [("test",)]
        if continues:
            os.kill(stopped.pid, signal.SIGCONT)
            assert stopped.communicate("go\n")[0] == "done\n"
        else:
            stopped.kill()
            stopped.wait()
        new_run(store)
    assert reader.all("SELECT id FROM runs") == [("r",)]
    wanted = "theirs" if continues else "test"
    assert reader.all("SELECT store_id FROM meta") == [(wanted,)]


@LOCKS
@pytest.mark.usefixtures("impatient")
def test_another_program_that_writes_is_named(tmp_path):
    store = make(tmp_path)
    with _process(tmp_path, FOREIGN) as other:
        assert f"process {other.pid} holds the writer" in _busy(store)
    new_run(store)


def test_what_is_waited_for_without_a_holder_to_name_is_said_all_the_same(tmp_path):
    assert re.match("another process holds .* smithers doctor$", str(locking.busy([])))
    assert locking.writers(tmp_path / NAME) == locking.readers(tmp_path / NAME) == []


@LOCKS
def test_a_reader_that_stays_costs_no_writer_an_error_and_is_named(tmp_path):
    store = make(tmp_path)
    log = tmp_path / f"{NAME}-wal"
    with _process(tmp_path, READS) as reads:
        for number in range(300):
            with store.write(durable=False) as db:
                db.execute("UPDATE meta SET store_id = ?", (f"{number:05}" * 10_000,))
        assert log.stat().st_size > 2 * database.CHECKPOINT_BYTES, "no log is emptied under it"
        assert locking.readers(tmp_path / NAME) == [reads.pid]
        assert reads.communicate("go\n")[0] == "done\n"
    assert locking.readers(tmp_path / NAME) == []
    for _ in range(database.CHECKPOINT_BYTES // 50_000 + 1):
        with store.write(durable=False) as db:
            db.execute("UPDATE meta SET store_id = ?", ("later" * 10_000,))
            db.execute("UPDATE meta SET store_id = ?", (os.urandom(25_000).hex(),))
    assert log.stat().st_size < database.CHECKPOINT_BYTES
