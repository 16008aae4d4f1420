"""Bringing back one run that has work and no engine: at once, later, or once somebody says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from smithers.clock import SYSTEM, Clock
from smithers.model.run import Lease
from smithers.model.step import AttemptStatus
from smithers.process.identity import me
from smithers.process.marks import token_of_folder
from smithers.store import crashes, due, runs
from smithers.store.database import Reader, Store, open_reader
from smithers.store.drive import LEASE_MS
from smithers.supervise.owner import replaceable
from smithers.supervise.spawn import inside_attempt, spawn

_LAST_BYTES = 4_000
_LAST_LINES = 30


class Did(StrEnum):
    STARTED = "started"
    LATER = "later"
    """Its engines die here: a pause lies between two of them."""
    ASKED = "asked"
    """Its engines died here too often: it waits at a gate now."""
    NOTHING = "nothing"
    """Nothing to do for it, or not from here."""


@dataclass(frozen=True, slots=True)
class Revival:
    did: Did
    crashes: int = 0
    """Engines in a row that died at the place where the run stands, a dead holder included."""
    wait: float = 0.0
    """Seconds until `LATER` has come."""


def lost(row: due.Open, now: int) -> bool:
    """The run has something to do and nobody drives it."""
    return row.due(now) and (not row.held or replaceable(row.lease, now))


def back_off(count: int) -> int:
    """Milliseconds between the last sign of life of an engine and the next one: 0, 1, 2, 4 s."""
    return 0 if count < 2 else 1000 * 2 ** (count - 2)


def revive(state: Path, run_id: str, clock: Clock = SYSTEM) -> Revival:
    """Start an engine for the run if it is lost, unless its engines die where it stands.

    Never for one that was paused or cancelled. Raises SmithersError when the engine does not come
    up, Refused when another one was faster.
    """
    if inside_attempt():
        return Revival(Did.NOTHING)
    reader = open_reader(state)
    try:
        now = clock.now()
        found = due.open_runs(reader, run_id)
        if not found or not lost(found[0], now):
            return Revival(Did.NOTHING)
        (row,) = found
        count = _count(reader, row)
        tokens = _tokens(reader, run_id)
    finally:
        reader.close()
    if count >= crashes.MOST:
        return _ask(state, row.lease, count, tokens, now)
    wait = row.lease.expires_at - LEASE_MS + back_off(count) - now
    # Longer than it ever is: the clock was set back.
    if 0 < wait <= back_off(count):
        return Revival(Did.LATER, count, wait / 1000)
    spawn(state, run_id)
    return Revival(Did.STARTED, count)


def _count(reader: Reader, row: due.Open) -> int:
    return crashes.tally(reader, row.seq, dead=row.lease.owner, here=me()).died if row.held else 0


def _tokens(reader: Reader, run_id: str) -> set[int]:
    """Marks of the attempts that a dead engine left running, and of its setup."""
    last = [attempts[-1] for attempts in runs.attempts_of(reader, run_id).values()]
    running = {attempt.token for attempt in last if attempt.status is AttemptStatus.RUNNING}
    return running | {token_of_folder(runs.get(reader, run_id).workspace)}


def _ask(state: Path, lease: Lease, count: int, tokens: set[int], now: int) -> Revival:
    """The run waits, perhaps for days: what its last engine started is not left at work so long."""
    from smithers.process.sweep import sweep  # noqa: PLC0415  only a run that is stuck pays for it

    sweep(tokens)
    words = last_words(state / "logs" / lease.run / "engine.log")
    store = Store(state)
    try:
        asked = crashes.ask(store, lease, count, words=words, now=now)
    finally:
        store.close()
    return Revival(Did.ASKED if asked else Did.NOTHING, count)


def last_words(log: Path) -> str:
    """The end of an engine's log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.strip().splitlines()[-_LAST_LINES:])
