"""Ends every process that carries a mark, whatever it did to hide: sessions, orphans, `env -i`."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from smithers.process import identity, spawn, table
from smithers.process.table import Entry

_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_ROUNDS = 5
_DEATH_WAIT = 2.0  # seconds


def become_subreaper() -> None:
    """Let orphans among our descendants become our own children. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_adopted(own: Collection[int]) -> None:
    """Collect the exit codes of dead orphans that came to us.

    Only of those that carry a mark, and neither of `own` nor of children that this package started:
    a code that is taken here is lost to whoever waits for it.
    """
    with spawn.lock:
        for pid in table.children(os.getpid()):
            if pid not in own and pid not in spawn.started and table.tokens(pid):
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def find(tokens: Collection[int]) -> set[int]:
    """Living processes that carry a mark with one of these tokens."""
    return {
        pid
        for pid in table.pids()
        if not table.tokens(pid).isdisjoint(tokens)
        and (entry := table.read(pid)) is not None
        and not entry.dead
    }


def sweep(tokens: Collection[int]) -> list[int]:
    """Kill all that carries a mark, its descendants, and what shares a session with it.

    Never the caller, its ancestors, or its session. Returns the pids that would not die.
    """
    left: dict[int, Entry] = {}
    for _ in range(_ROUNDS):
        caught = _catch(tokens)
        if not caught:
            return []
        _kill(caught)
        left = _targets(tokens)
        if left.keys() <= caught.keys():
            break
    return sorted(left)


def _catch(tokens: Collection[int]) -> dict[int, tuple[Entry, int | None]]:
    """Stop targets until no new ones turn up: what is stopped cannot fork any more."""
    caught: dict[int, tuple[Entry, int | None]] = {}
    for _ in range(_ROUNDS):
        fresh = {pid: e for pid, e in _targets(tokens).items() if pid not in caught}
        if not fresh:
            break
        for pid, entry in fresh.items():
            handle = identity.open_handle(pid)
            identity.send(pid, entry.start_time, signal.SIGSTOP, handle)
            caught[pid] = entry, handle
    return caught


def _targets(tokens: Collection[int]) -> dict[int, Entry]:
    seen = table.everything()
    spared = _spared(seen)
    marked = find(tokens)
    wanted = closure(marked, seen, spared)
    return {pid: seen[pid] for pid in wanted if pid in seen and not seen[pid].dead}


def closure(
    marked: Collection[int], seen: Mapping[int, Entry], spared: Collection[int]
) -> set[int]:
    """Join the marked, their descendants and session mates, around the spared. Pure."""
    offspring: dict[int, list[int]] = {}
    mates: dict[int, list[int]] = {}
    for entry in seen.values():
        offspring.setdefault(entry.parent, []).append(entry.pid)
        mates.setdefault(entry.session, []).append(entry.pid)
    own_sessions = {seen[pid].session for pid in spared if pid in seen} | {0}
    wanted: set[int] = set()
    todo = list(marked)
    while todo:
        pid = todo.pop()
        if pid not in seen or pid in wanted or pid in spared:
            continue
        wanted.add(pid)
        todo += offspring.get(pid, ())
        session = seen[pid].session
        if session not in own_sessions:
            todo += mates[session]
    return wanted


def _spared(seen: Mapping[int, Entry]) -> set[int]:
    """Return the caller, its ancestors, and its session."""
    mine = os.getsid(0)
    spared = {pid for pid, entry in seen.items() if entry.session == mine}
    line: set[int] = {0, 1}
    pid = os.getpid()
    while pid not in line:
        line.add(pid)
        pid = seen[pid].parent if pid in seen else 0
    return spared | line


def _kill(caught: Mapping[int, tuple[Entry, int | None]]) -> None:
    poll = select.poll()
    waiting: set[int] = set()
    try:
        for pid, (entry, handle) in caught.items():
            identity.send(pid, entry.start_time, signal.SIGKILL, handle)
            if handle is not None:
                poll.register(handle, select.POLLIN)
                waiting.add(handle)
        deadline = time.monotonic() + _DEATH_WAIT
        while waiting and (left := deadline - time.monotonic()) > 0:
            for handle, _ in poll.poll(left * 1000):
                poll.unregister(handle)
                waiting.discard(handle)
        _await_unheld(caught, deadline)
    finally:
        for _, handle in caught.values():
            if handle is not None:
                os.close(handle)


def _await_unheld(caught: Mapping[int, tuple[Entry, int | None]], deadline: float) -> None:
    """Wait for the end of those that no pidfd tells about."""
    left = {pid: entry for pid, (entry, handle) in caught.items() if handle is None}
    while left and time.monotonic() < deadline:
        for pid, entry in list(left.items()):
            now = table.read(pid)
            if now is None or now.dead or not identity.same_start(now.start_time, entry.start_time):
                del left[pid]
        if left:
            time.sleep(0.005)
