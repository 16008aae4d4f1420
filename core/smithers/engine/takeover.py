"""The first thing an engine does with a run.

Have its files there, and end what a dead engine left behind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from smithers.clock import Clock
from smithers.engine.attempt import Ended
from smithers.engine.log import last_written
from smithers.engine.unfinished import NO_VERDICT, Interrupted, taken_up
from smithers.engine.workspace import Workspace, prepare
from smithers.errors import SmithersError
from smithers.model.run import Run
from smithers.model.step import Attempt, AttemptStatus
from smithers.process import sweep
from smithers.process.marks import token_of_folder
from smithers.store import recovery, runs
from smithers.store.database import Store
from smithers.store.drive import SnapshotRow


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
    known = runs.get(store, run_id)
    tries = runs.attempts_of(store, run_id)
    running = [each[-1] for each in tries.values() if each[-1].status is AttemptStatus.RUNNING]
    tokens = {attempt.token for attempt in running} | _of_setup(store, known)
    if tokens:
        left = sweep.sweep(tokens)
        if left:
            raise SmithersError(
                f"processes of an interrupted attempt will not die: {left}",
                kept="everything",
                next=f"end them, then `smithers resume {run_id}`",
            )
    run, workspace, made = prepare(known)
    if run != known:
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
            attempt,
            status=AttemptStatus.INTERRUPTED,
            finished_at=_last_sign(store, run_id, attempt, clock.now()),
            charged=False,
        )
        rows = _unrecorded(workspace, attempt)
        left_behind.ended.append(Ended(done, snapshots=rows, tree=left_behind.tree))
        tries[attempt.key][-1] = done
    for key, each in tries.items():
        if each[-1].status in NO_VERDICT:
            left_behind.interrupted[key] = taken_up(each, workspace)
    return left_behind


def _of_setup(store: Store, run: Run) -> set[int]:
    """The mark of a `[workspace] setup` that was begun and did not come to its end."""
    logs = store.path.parent / "logs" / run.id
    cut_short = (logs / "setup.jsonl").exists() and not (logs / "setup.done").exists()
    return {token_of_folder(run.workspace)} if cut_short else set()


def _last_sign(store: Store, run_id: str, attempt: Attempt, now: int) -> int:
    """When it last wrote to its log: the time until its run was taken up again is nobody's work."""
    log = store.path.parent / "logs" / run_id / f"{attempt.id}.jsonl"
    seen = last_written(log) or attempt.started_at
    return min(max(seen, attempt.started_at), now)


def _unrecorded(workspace: Workspace, attempt: Attempt) -> list[SnapshotRow]:
    """Snapshots of an attempt that did not come to the frame which would have recorded them."""
    sides = [(attempt.n, "before"), (attempt.n - 1, "found")]
    return [
        SnapshotRow(attempt.key, number, side, commit)
        for number, side in sides
        if number
        and (commit := workspace.kept(attempt.key, number, side, since=attempt.started_at))
    ]
