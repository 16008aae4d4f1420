"""What an attempt has to show for itself, and the files that it finds to begin with."""

from __future__ import annotations

import asyncio
from typing import Any

from smithers.engine.unfinished import Interrupted
from smithers.engine.workspace import Workspace
from smithers.model.step import JSON, Attempt, Usage
from smithers.store.drive import SnapshotRow
from smithers.vcs import snapshots
from smithers.vcs.repository import resolve
from smithers.vcs.workspace import locked, move_ref, of

_NOTE = "An earlier attempt at this task was interrupted before it ended."
_STILL_THERE = f"{_NOTE} Its changes, if any, are still in the files: look before you edit."


class Work:
    """What an attempt has to show for itself, also when it ends badly."""

    def __init__(self, doing: Any = None) -> None:
        self.doing = doing
        self.snapshots: list[SnapshotRow] = []
        self.tree = ""
        self.usage = Usage()
        self.session = ""
        self.agents: tuple[str, ...] = ()
        """Who can do it, in order."""
        self.agent = ""
        self.model = ""
        self.exit_code: int | None = None

    async def run(self) -> JSON:
        return await self.doing  # type: ignore[no-any-return]

    def forget_before(self) -> None:
        """What it has found are not the files that it begins with."""
        self.snapshots[:] = [row for row in self.snapshots if row.side != "before"]


async def look(workspace: Workspace, attempt: Attempt, work: Work) -> str:
    """Snapshot the files as the attempt finds them; returns the commit, if there is one."""
    reading = await asyncio.to_thread(workspace.read, attempt.key, attempt.n, "before")
    if reading is None:
        return ""
    work.forget_before()
    work.snapshots.append(reading.row)
    return reading.row.commit


async def start_over(
    workspace: Workspace, old: Interrupted, work: Work, looked: Attempt | None = None
) -> str:
    """Keep what an interrupted attempt left, set the files back if safe, say what was done.

    `looked`: the attempt that starts over, if it has looked at what is to be discarded already.
    """
    if not workspace.tracked:
        return _STILL_THERE
    found = await asyncio.to_thread(workspace.read, old.attempt.key, old.attempt.n, "found")
    if found is not None:
        work.snapshots.append(found.row)
    safe = workspace.own and old.alone and old.before
    if not safe or found is None or found.row.incomplete:
        return _STILL_THERE
    if looked is not None:
        work.forget_before()
        await asyncio.to_thread(_disown, workspace, looked, old.before)
    await asyncio.to_thread(workspace.set_back, old.before)
    return (
        f"{_NOTE} The files are as they were before it; "
        f"what it had written is in commit {found.row.commit} (`git show {found.row.commit}`)."
    )


def _disown(workspace: Workspace, attempt: Attempt, earlier: str) -> None:
    """Have what an attempt has found be what an earlier one did.

    Wherever its engine ends now, nobody takes what is discarded for where the work began.
    """
    ref = snapshots.ref(workspace.run.id, attempt.key, attempt.n, "before")
    space = of(workspace.path)
    with locked(space.own):
        workspace.allowed()
        move_ref(space, ref, earlier, resolve(space.top, ref))
