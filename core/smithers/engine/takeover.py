"""The first thing an engine does with a run.

Have its files there, and end what a dead engine left behind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from smithers.clock import Clock
from smithers.engine.attempt import Ended, Interrupted
from smithers.engine.workspace import Workspace, prepare
from smithers.errors import SmithersError
from smithers.model.step import AttemptStatus
from smithers.process import sweep
from smithers.store import recovery, runs
from smithers.store.database import Store


@dataclass(slots=True)
class Inheritance:
    """What the loop begins with."""

    workspace: Workspace
    tree: str = ""
    made: bool = False
    """The worktree was made just now."""
    ended: list[Ended] = field(default_factory=list)
    """Attempts found running, recorded as interrupted with the first frame."""
    interrupted: dict[str, Interrupted] = field(default_factory=dict)


def take_over(store: Store, run_id: str, clock: Clock) -> Inheritance:
    """End what a dead engine left. SmithersError when it will not die, or files are missing."""
    facts = runs.facts(store, run_id)
    last = [attempts[-1] for attempts in facts.attempts.values()]
    running = [attempt for attempt in last if attempt.status is AttemptStatus.RUNNING]
    if running:
        left = sweep.sweep({attempt.token for attempt in running})
        if left:
            raise SmithersError(
                f"processes of an interrupted attempt will not die: {left}",
                kept="everything",
                next=f"end them, then `smithers resume {run_id}`",
            )
    run, workspace, made = prepare(facts.run)
    if run != facts.run:
        recovery.settle_workspace(
            store, run_id, branch=run.branch, base=run.base, notes=json.dumps(run.notes)
        )
    newest = recovery.newest_snapshot(store, run_id)
    if newest:
        workspace.last = newest
        if made:
            workspace.set_back(newest)
    left_behind = Inheritance(workspace, made=made)
    left_behind.tree = workspace.tree()
    for attempt in running:
        done = replace(
            attempt, status=AttemptStatus.INTERRUPTED, finished_at=clock.now(), charged=False
        )
        left_behind.ended.append(Ended(done, tree=left_behind.tree))
    for attempt in [*last, *(ended.attempt for ended in left_behind.ended)]:
        if attempt.status is AttemptStatus.INTERRUPTED:
            before = recovery.snapshot(store, run_id, attempt.key, attempt.n, "before")
            left_behind.interrupted[attempt.key] = Interrupted(
                attempt, before, recovery.alone(store, run_id, attempt)
            )
    return left_behind
