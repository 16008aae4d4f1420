"""The file: how it is made, who may write, and what is never lost without a word."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest

from smithers.errors import StoreError, StoreGone, StoreTooNew
from smithers.store import database
from smithers.store.database import NAME, Reader, Store, open_reader
from tests.store.store_kit import make, new_run

DATA = Path(__file__).parents[1] / "data"


def test_only_its_owner_can_read_it(tmp_path):
    store = make(tmp_path)
    new_run(store)
    for name in (NAME, f"{NAME}-wal", f"{NAME}-shm"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_making_it_twice_keeps_what_is_in_it(tmp_path):
    store = make(tmp_path)
    new_run(store)
    database.create(tmp_path, store_id="other")
    assert store.all("SELECT id FROM runs") == [("r",)]
    assert store.all("SELECT store_id FROM meta") == [("test",)]


def test_one_that_was_never_finished_is_finished(tmp_path):
    half = sqlite3.connect(tmp_path / NAME)
    half.execute("PRAGMA journal_mode = WAL")
    half.close()
    with pytest.raises(StoreError, match="never finished"):
        Store(tmp_path)
    assert make(tmp_path).all("SELECT count(*) FROM runs") == [(0,)]


def test_a_newer_database_is_refused_and_not_touched(tmp_path):
    store = make(tmp_path)
    with store.write() as db:
        db.execute("UPDATE meta SET version = 99")
    store.close()
    before = (tmp_path / NAME).stat().st_mtime_ns
    for opening in (Store, Reader):
        with pytest.raises(StoreTooNew, match="newer smithers"):
            opening(tmp_path)
    assert (tmp_path / NAME).stat().st_mtime_ns == before


@pytest.mark.parametrize("opening", [Store, Reader])
def test_a_file_that_is_no_database_is_named(tmp_path, opening):
    (tmp_path / NAME).write_bytes(b"this is no database, it is a text of some length" * 40)
    with pytest.raises(StoreError, match="not a database"):
        opening(tmp_path)


def test_a_commit_into_a_deleted_file_is_refused(tmp_path):
    store = make(tmp_path)
    (tmp_path / NAME).unlink()
    with pytest.raises(StoreGone, match="deleted or moved"):
        new_run(store)


def test_a_commit_into_a_replaced_file_is_refused(tmp_path):
    store = make(tmp_path)
    (tmp_path / NAME).rename(tmp_path / "elsewhere")
    (tmp_path / NAME).write_bytes(b"")
    with pytest.raises(StoreGone):
        new_run(store)


def test_an_exception_inside_a_write_leaves_nothing_behind(tmp_path):
    store = make(tmp_path)
    with pytest.raises(sqlite3.OperationalError), store.write() as db:
        _change_then_fail(db)
    assert store.all("SELECT store_id FROM meta") == [("test",)]


def _change_then_fail(db):
    db.execute("UPDATE meta SET store_id = 'changed'")
    db.execute("UPDATE nothing SET x = 1")


def test_no_connection_checkpoints_by_itself_and_the_log_stays_bounded(tmp_path):
    store = make(tmp_path)
    reader = Reader(tmp_path)
    assert store.all("PRAGMA wal_autocheckpoint") == [(0,)]
    assert reader.all("PRAGMA wal_autocheckpoint") == [(0,)]
    for number in range(150):
        with store.write(durable=False) as db:
            db.execute("UPDATE meta SET store_id = ?", (f"{number:05}" * 20_000,))
    size = (tmp_path / f"{NAME}-wal").stat().st_size
    assert size < 2 * database.CHECKPOINT_BYTES, "15 MB were written"


def test_a_reader_in_a_transaction_delays_the_checkpoint_and_nothing_else(tmp_path):
    store, reader = make(tmp_path), Reader(tmp_path)
    with reader.transaction():
        first = reader.all("SELECT store_id FROM meta")
        for number in range(100):
            with store.write(durable=False) as db:
                db.execute("UPDATE meta SET store_id = ?", (f"{number:05}" * 20_000,))
        assert reader.all("SELECT store_id FROM meta") == first
    assert reader.one("SELECT length(store_id) FROM meta") == (100_000,)


def test_commits_at_full_are_synced_before_they_return(tmp_path):
    store = make(tmp_path)
    with store.write() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    with store.write(durable=False) as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_store_is_of_one_process(tmp_path, monkeypatch):
    store = make(tmp_path)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(StoreError, match="fork"), store.write():
        pass


def test_an_older_database_is_migrated_after_a_rehearsal_and_a_copy(tmp_path, monkeypatch):
    state, scripts = tmp_path / "state", tmp_path / "migrations"
    state.mkdir()
    scripts.mkdir()
    (scripts / "0004_add_colour.sql").write_text("ALTER TABLE runs ADD COLUMN colour TEXT;")
    make(state).close()
    monkeypatch.setattr(database, "VERSION", 4)
    monkeypatch.setattr(database, "MIGRATIONS", scripts)
    store = Store(state)
    assert store.all("SELECT version FROM meta") == [(4,)]
    assert store.all("SELECT colour FROM runs") == []
    assert (state / f"{NAME}.v3").exists()


def test_a_migration_that_fails_on_the_copy_leaves_the_database_as_it_was(tmp_path, monkeypatch):
    state, scripts = tmp_path / "state", tmp_path / "migrations"
    state.mkdir()
    scripts.mkdir()
    (scripts / "0004_broken.sql").write_text("ALTER TABLE nothing ADD COLUMN colour TEXT;")
    make(state).close()
    with monkeypatch.context() as patched:
        patched.setattr(database, "VERSION", 4)
        patched.setattr(database, "MIGRATIONS", scripts)
        with pytest.raises(StoreError, match="0004_broken"):
            Store(state)
    assert Store(state).all("SELECT version FROM meta") == [(3,)]


def _count_up(folder: str, times: int) -> None:
    from pathlib import Path

    store = Store(Path(folder))
    for _ in range(times):
        with store.write(durable=False) as db:
            (value,) = db.execute("SELECT store_id FROM meta").fetchone()
            db.execute("UPDATE meta SET store_id = ?", (str(int(value) + 1),))


@pytest.mark.slow
def test_many_writers_take_turns_without_an_error(tmp_path):
    database.create(tmp_path, store_id="0")
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_count_up, args=(str(tmp_path), 100)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert Reader(tmp_path).one("SELECT store_id FROM meta") == ("400",)


def _schema(db):
    """Every table and index, without comments and however it is laid out."""
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    plain = {name: re.sub(r"--[^\n]*|[\s\"]+", " ", sql) for name, sql in rows}
    return {name: sorted(re.findall(r"[^\s(),]+", sql)) for name, sql in plain.items()}


def test_a_database_of_version_1_comes_to_the_schema_of_a_new_one(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    db = sqlite3.connect(old / NAME, isolation_level=None)
    db.executescript((DATA / "schema-1.sql").read_text())
    db.execute("INSERT INTO meta VALUES (1, 'store')")
    db.close()
    Store(old).close()
    make(new).close()
    with (
        contextlib.closing(sqlite3.connect(old / NAME)) as one,
        contextlib.closing(sqlite3.connect(new / NAME)) as other,
    ):
        assert _schema(one) == _schema(other)


def test_who_only_reads_an_older_database_has_it_migrated_first(tmp_path):
    db = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    db.executescript("PRAGMA journal_mode = WAL;" + (DATA / "schema-1.sql").read_text())
    db.execute("INSERT INTO meta VALUES (1, 'store')")
    db.close()
    reader = open_reader(tmp_path)
    assert reader.all("SELECT version FROM meta") == [(database.VERSION,)]
    reader.close()
