"""Fault points: numbered crossings of named places, at any of which a process of the product may end.

The product knows nothing of them. Its commits are seen through the hook of the store's one write door;
its effects by wrapping functions from outside, once, in a parent that every case is forked from.
"""

from __future__ import annotations

import copy
import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smithers.author.steps import Call
from smithers.engine import pen as pen_module
from smithers.engine import room, turns
from smithers.engine.attempt import Attempts
from smithers.engine.log import AttemptLog
from smithers.process import child, spawn, sweep, table
from smithers.schedule import retry
from smithers.service import control
from smithers.store import database
from smithers.store.database import Store
from smithers.store.drive import Drive
from smithers.vcs import land, snapshots, worktrees
from tests.faults.board import ENGINE, NAMES, VERB, Board

role = ""
"""What this process plays; only an engine and a verb can end at a point."""
at: dict[str, Callable[[int], None]] = {}
"""Called when a point is crossed, with how often it has been: a race at a named place."""
seen: set[str] = set()
"""What was crossed in this process where nobody ends."""
_passed: dict[str, int] = {}

board = Board()
acknowledged = Path()
"""Where an engine says which outputs it holds for committed."""


def cross(name: str) -> None:
    """This process passes a point, or ends at it."""
    if not role:
        seen.add(name)
        return
    board.cross(name, role)
    if name in at:
        _passed[name] = _passed.get(name, 0) + 1
        at[name](_passed[name])


def _name(name: str) -> str:
    if name not in NAMES:
        NAMES.append(name)
    return name


def replace(owner: Any, name: str, value: Any) -> None:
    """Put something in the place of a part of the product, in this process and its children."""
    setattr(owner, name, value)


def around(owner: Any, function: str, label: str, sides: str = "before after") -> None:
    """Make two points, or one, of a function of the product."""
    real = getattr(owner, function)
    before = _name(f"{label}.before") if "before" in sides else ""
    after = _name(f"{label}.after") if "after" in sides else ""

    async def later(*args: Any, **named: Any) -> Any:
        if before:
            cross(before)
        found = await real(*args, **named)
        if after:
            cross(after)
        return found

    def wrapped(*args: Any, **named: Any) -> Any:
        if before:
            cross(before)
        found = real(*args, **named)
        if after:
            cross(after)
        return found

    replace(owner, function, later if inspect.iscoroutinefunction(real) else wrapped)


def install() -> None:
    """Wrap the product. Once, in a process that is there for nothing else."""
    _commits()
    _processes()
    _calls()
    around(snapshots, "take", "snapshot")
    around(snapshots, "_name", "snapshot.ref")
    around(snapshots, "restore", "restore")
    around(worktrees, "create", "worktree")
    around(worktrees, "_make", "worktree.make")
    around(pen_module, "commit_to_branch", "branch")
    around(turns.Conversation, "answer", "answer", "after")
    around(Attempts, "perform", "attempt", "after")
    around(AttemptLog, "write", "log.write", "after")
    around(AttemptLog, "close", "log.close", "after")
    for place in (sweep, child):
        around(place, "sweep", "sweep")
    _first_look()
    around(sweep, "_catch", "sweep.stop", "after")
    around(sweep, "_kill", "sweep.kill")
    around(land, "_merge", "land.merge")
    around(control, "_wake", "wake")
    around(Store, "_move_log", "checkpoint")
    database.CHECKPOINT_BYTES = 48 * 1024  # so that even short runs make some
    retry.FIRST_WAIT = 0.005  # seconds: long enough to be waited for
    room._RESERVE = (4096, 16)  # what is written again in each of a thousand lives


def _commits() -> None:
    real = Store.__init__
    names = {
        (who, side): _name(f"{who}.commit.{side}")
        for who in (ENGINE, VERB)
        for side in ("before", "after")
    }

    def opened(self: Store, state: Path, *, crossing: Any = None) -> None:
        def crossed(side: str) -> None:
            if role:
                cross(names[role, side])

        real(self, state, crossing=crossing or crossed)

    Store.__init__ = opened  # type: ignore[method-assign]
    commit, check = Drive.commit, Drive._check_fence
    parks, checked = _name("park.before"), _name("fence.checked")

    def in_force(self: Drive, *args: Any) -> Any:
        found = check(self, *args)
        cross(checked)
        return found

    def committed(self: Drive, move: Any, **how: Any) -> bool:
        if how.get("release_at") is not None:
            cross(parks)
        done = commit(self, move, **how)
        if done:
            board.committed()
            if move.outputs:
                _append(acknowledged, json.dumps({o.key: o.value for o in move.outputs}))
        return done

    Drive.commit = committed  # type: ignore[method-assign]
    Drive._check_fence = in_force  # type: ignore[method-assign]


def _processes() -> None:
    """A marked child is started before anybody has recorded more than that it will be; git is not."""
    real = spawn.spawn
    before, after, git = _name("child.before"), _name("child.started"), _name("git.started")

    def spawned(*args: Any, **named: Any) -> Any:
        marked = named.get("mark") is not None
        if marked:
            cross(before)
        process = real(*args, **named)
        cross(after if marked else git)
        return process

    spawn.spawn = spawned
    around(child.Child, "stop", "child.stop")


def _first_look() -> None:
    """How often a sweep looks is chance: only the first time is a point."""
    real, look = table.pids, _name("sweep.look.after")

    def pids() -> Any:
        found = real()
        if role and board.last == "sweep.before":
            cross(look)
        return found

    replace(table, "pids", pids)


def _calls() -> None:
    """A Call leaves its mark from in here: only its engine knows which attempt it is."""
    real = Attempts.perform
    begun, done = _name("call.begun"), _name("call.done")

    def marking(fn: Callable[..., Any], mark: str) -> Callable[..., Any]:
        async def later(*args: Any) -> Any:
            _append(acknowledged.with_name("marks"), mark)
            cross(begun)
            found = await fn(*args)
            cross(done)
            return found

        def now(*args: Any) -> Any:
            _append(acknowledged.with_name("marks"), mark)
            cross(begun)
            found = fn(*args)
            cross(done)
            return found

        return later if inspect.iscoroutinefunction(fn) else now

    async def perform(self: Attempts, step: Any, leaf: Any, attempt: Any, **how: Any) -> Any:
        if isinstance(leaf, Call):
            leaf = copy.copy(leaf)
            mark = f"{self.run.id}/{step.key}.{attempt.n}.{attempt.token:012x}"
            object.__setattr__(leaf, "fn", marking(leaf.fn, mark))
        return await real(self, step, leaf, attempt, **how)

    Attempts.perform = perform  # type: ignore[method-assign]


def _append(path: Path, line: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)
