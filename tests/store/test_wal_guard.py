"""No checkpoint beside a commit, no plain open of the database: on every connection of every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smithers.store import database
from smithers.store.database import NAME, Reader, Store
from tests.running import Workshop
from tests.store.store_kit import make, new_run

SPY = Path(__file__).parent / "spy"
TOP = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_command_and_engine_keeps_the_guards(workshop: Workshop, monkeypatch):
    report = workshop.out / "spy.txt"
    path = os.pathsep.join([str(SPY), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("STORE_SPY", str(report))
    flow = workshop.flow('return Sequence(Check("a", "true"), Approval("ship", "Ship?"))')
    for command in (
        ["up", flow, "--run-id", "r", "--in-place"],
        ["ps"],
        ["why", "r"],
        ["inspect", "r"],
        ["logs", "r"],
        ["doctor", "--verify"],
        ["backup"],
        ["export", "r"],
        ["cancel", "r"],
        ["gc", "--dry-run"],
    ):
        done = _smithers(workshop.root, command)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in {0, 1, 3}, (command, done.stderr)
    workshop.until_ended()
    lines = report.read_text().splitlines()
    assert [line for line in lines if line.startswith("BAD")] == []
    for wanted in ("saw a connection", "saw BEGIN IMMEDIATE", "saw COMMIT", "saw INSERT"):
        assert any(line.startswith(wanted) for line in lines), wanted
    assert any("smithers/supervise/main.py" in line for line in lines), "the engine was watched"


def _smithers(root: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smithers.cli", *command],
        cwd=root,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_the_product_has_one_way_to_connect_to_a_run_directory():
    users = sorted(
        path.relative_to(TOP / "core").as_posix()
        for folder in ("core", "smithers_tui", "recipes")
        for path in (TOP / folder).rglob("*.py")
        if "sqlite3.connect(" in path.read_text() or "aiosqlite" in path.read_text()
    )
    # The other one opens copies and exported files, which nobody else has open.
    assert users == ["smithers/store/copying.py", "smithers/store/database.py"]


def _sizes(state: Path) -> tuple[int, int]:
    return (state / NAME).stat().st_size, (state / f"{NAME}-wal").stat().st_size


def test_closing_checkpoints_nothing_while_another_connection_is_open(tmp_path):
    store, other = make(tmp_path), Store(tmp_path)
    new_run(store)
    before = _sizes(tmp_path)
    assert before[1] > 0
    store.close()
    assert _sizes(tmp_path) == before
    new_run(other, "second")
    other.close()
    assert not (tmp_path / f"{NAME}-wal").exists()
    assert Store(tmp_path).all("SELECT id FROM runs") == [("r",), ("second",)]


def test_a_reader_never_checkpoints_also_as_the_last_to_close(tmp_path):
    store, reader = make(tmp_path), Reader(tmp_path)
    new_run(store)
    store.close()
    before = _sizes(tmp_path)
    reader.close()
    assert _sizes(tmp_path) == before
    assert Store(tmp_path).all("SELECT id FROM runs") == [("r",)]


def _grow(store: Store, megabytes: int) -> None:
    for number in range(megabytes * 10):
        with store.write(durable=False) as db:
            db.execute("UPDATE meta SET store_id = ?", (f"{number:05}" * 20_000,))


def _log(state: Path) -> int:
    return (state / f"{NAME}-wal").stat().st_size


def test_a_log_that_a_reader_made_long_is_emptied_by_the_next_writer_that_closes(tmp_path):
    store, reader = make(tmp_path), Reader(tmp_path)
    with reader.transaction():
        reader.all("SELECT store_id FROM meta")
        _grow(store, 10)
    assert _log(tmp_path) > 2 * database.CHECKPOINT_BYTES
    store.close()
    assert _log(tmp_path) == 0
    reader.close()


def test_a_log_that_is_begun_anew_is_cut_and_watched_from_its_beginning(tmp_path):
    store, reader, other = make(tmp_path), Reader(tmp_path), Store(tmp_path)
    with reader.transaction():
        reader.all("SELECT store_id FROM meta")
        _grow(store, 20)
    long = _log(tmp_path)
    other._move_log("PASSIVE")  # as a reader at the end of the log leaves it
    _grow(store, 1)
    assert _log(tmp_path) <= database.LONGEST_EMPTY_LOG < long
    _grow(store, 10)
    assert _log(tmp_path) < database.LONGEST_EMPTY_LOG
