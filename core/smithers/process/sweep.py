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
from typing import TypeAlias

from smithers.process import cgroup, identity, spawn, table
from smithers.process.table import Entry

_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_ROUNDS = 5
_CHASE = 1.0  # seconds in a round for what forks faster than one can look
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
    left: set[int] = set()
    for _ in range(_ROUNDS):
        for token in tokens:
            cgroup.kill(token)
        caught = _catch(tokens)
        if caught.keys() <= left:
            break
        _kill(caught)
        left = {pid for pid, (entry, _) in caught.items() if _lives(entry)}
    for token in tokens:
        cgroup.remove(token)
    return sorted(left)


Caught: TypeAlias = dict[int, tuple[Entry, int | None]]


def _catch(tokens: Collection[int]) -> Caught:
    """Stop targets until no new ones turn up: what is stopped cannot fork any more.

    Some are never the same process for long. So the newest are looked at first, each is stopped as
    soon as it is seen, and it is all there is only when nothing has vanished before it was seen.
    """
    caught: Caught = {}
    known: set[int] = set()
    own, line = os.getsid(0), _ancestors()
    end = time.monotonic() + _CHASE
    while time.monotonic() < end:
        settled = True
        for pid in sorted(set(table.pids()) - known, reverse=True):
            known.add(pid)
            if table.tokens(pid).isdisjoint(tokens):
                settled = settled and table.exists(pid)
                continue
            entry = table.read(pid)
            if entry is None:
                settled = False
            elif entry.session != own and pid not in line:
                settled = False
                _stop(entry, caught)
        if settled and not _follow(caught):
            break
    return caught


def _follow(caught: Caught) -> bool:
    """Stop what descends from those that are caught, or shares a session; whether any did."""
    if not caught:
        return False
    seen = table.everything()
    more = closure(caught, seen, _spared(seen)) - caught.keys()
    for pid in more:
        _stop(seen[pid], caught)
    return not more.isdisjoint(caught)


def _stop(entry: Entry, caught: Caught) -> None:
    if not entry.dead:
        handle = identity.open_handle(entry.pid)
        identity.send(entry.pid, entry.start_time, signal.SIGSTOP, handle)
        caught[entry.pid] = entry, handle


def _lives(entry: Entry) -> bool:
    now = table.read(entry.pid)
    return (
        now is not None and not now.dead and identity.same_start(now.start_time, entry.start_time)
    )


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
    return {pid for pid, entry in seen.items() if entry.session == mine} | _ancestors()


def _ancestors() -> set[int]:
    """The caller and all above it."""
    line: set[int] = {0, 1}
    pid = os.getpid()
    while pid not in line:
        line.add(pid)
        entry = table.read(pid)
        pid = entry.parent if entry is not None else 0
    return line


def _kill(caught: Caught) -> None:
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


def _await_unheld(caught: Caught, deadline: float) -> None:
    """Wait for the end of those that no pidfd tells about."""
    left = [entry for entry, handle in caught.values() if handle is None]
    while (left := [entry for entry in left if _lives(entry)]) and time.monotonic() < deadline:
        time.sleep(0.005)
