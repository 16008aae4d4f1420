"""A writer for the recorder: `python -m tests.store.power_writer FOLDER SCENE`, which says what it has done."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from smithers.store import database, runs
from smithers.store.database import Reader, Store
from tests.store.store_kit import run

CHECKPOINT_BYTES = 96 * 1024
COMMITS = 60
LOOSE = (1, 2)
"""Of each four commits, those that are not durable."""


def durable(n: int) -> bool:
    return n % 4 not in LOOSE


@cache
def value(n: int) -> str:
    """What commit n writes: from a few bytes to some pages."""
    chance = random.Random(n)
    return chance.randbytes(chance.choice((8, 200, 1_000, 5_000))).hex()


def commit(store: Store, n: int) -> None:
    """One transaction over several tables, whose parts must come together."""
    with store.write(durable=durable(n)) as db:
        db.execute("INSERT INTO frames (run, n, at, why) VALUES (1, ?, ?, 'x')", (n, n))
        db.execute("INSERT INTO outputs (run, key, value) VALUES (1, ?, ?)", (f"s{n}", value(n)))
        db.execute("UPDATE runs SET frame = ? WHERE seq = 1", (n,))


def made(folder: Path) -> Store:
    database.create(folder, store_id="power")
    store = Store(folder)
    runs.create(store, run(), created_by="person:t")
    return store


def say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


def _say_commit(store: Store, n: int) -> None:
    commit(store, n)
    say(f"{n} {'full' if durable(n) else 'normal'}")


def commits(folder: Path) -> None:
    """A life from nothing: commits over several checkpoints, a reader in the way, a reopening."""
    store = made(folder)
    say("0 full")
    for n in range(1, 21):
        _say_commit(store, n)
    reader = Reader(folder)
    with reader.transaction():
        reader.all("SELECT frame FROM runs")
        for n in range(21, 37):
            _say_commit(store, n)
    reader.close()
    for n in range(37, 43):
        _say_commit(store, n)
    store.close()
    store = Store(folder)
    for n in range(43, COMMITS + 1):
        _say_commit(store, n)
    store.close()


def upgrade(folder: Path) -> None:
    """An older database is opened, which migrates it, and written to."""
    store = Store(folder)
    say("0 full")
    for n in range(1, 4):
        _say_commit(store, n)
    store.close()


def careless(folder: Path) -> None:
    """What must be found: commits that are acknowledged before they are synced."""
    real = database.connect

    def connect(path: Path, *, readonly: bool) -> database.sqlite3.Connection:
        db = real(path, readonly=readonly)
        db.execute("PRAGMA synchronous = OFF")
        return db

    database.connect = connect
    commits(folder)


SCENES: dict[str, Callable[[Path], None]] = {
    "commits": commits,
    "upgrade": upgrade,
    "careless": careless,
}


if __name__ == "__main__":
    database.CHECKPOINT_BYTES = CHECKPOINT_BYTES
    say("ready")
    sys.stdin.readline()
    SCENES[sys.argv[2]](Path(sys.argv[1]))
