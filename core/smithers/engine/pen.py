"""Committing frames: patiently, and the last one together with the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from smithers.clock import Clock
from smithers.engine.attempt import Ended
from smithers.engine.frames import counted, standing, why
from smithers.engine.workspace import Workspace
from smithers.errors import SmithersError, StoreBusy, StoreFull
from smithers.model.run import Intent, Run, RunStatus
from smithers.schedule.decision import Decision
from smithers.store import runs
from smithers.store.database import Store
from smithers.store.drive import Drive, Transition, given_up
from smithers.vcs.snapshots import commit_to_branch

BUSY_SECONDS = 0.2


class Pen:
    """Writes for one engine. What it raises beside StoreBusy: LeaseLost, StoreError."""

    def __init__(self, store: Store, drive: Drive, workspace: Workspace, clock: Clock) -> None:
        self._store = store
        self._drive = drive
        self._workspace = workspace
        self._clock = clock

    async def commit(self, move: Transition, *, release_at: int | None = None) -> bool:
        """Commit a frame, however long others hold the writer: what it says is true meanwhile."""
        while True:
            try:
                return self.write(move, release_at=release_at)
            except StoreBusy:
                await asyncio.sleep(BUSY_SECONDS)

    def write(self, move: Transition, *, release_at: int | None = None) -> bool:
        """The same at once. Raises StoreBusy."""
        done = self._drive.commit(move, now=self._clock.now(), release_at=release_at)
        if done:
            self._workspace.recorded(move.snapshots)
        return done

    def say(self, reason: str, *, wake_at: int | None) -> None:
        """Have the run's row say why nothing new starts, if there is room for as much."""
        counts = self._drive.counts()
        with suppress(StoreBusy, StoreFull):
            self.write(Transition(why=reason, reason=reason, wake_at=wake_at, counts=counts))

    async def park(self, move: Transition, run: Run, *, rev: int) -> bool:
        """Give the lease back with the last frame, unless something came from outside meanwhile."""
        if move.status is RunStatus.SUCCEEDED and self._workspace.own:
            message = f"{run.title}\n\nRun {run.id} of recipe {run.recipe}."
            try:
                commit_to_branch(self._workspace.path, message)
            except SmithersError as error:
                move.reason = f"done, but not committed to its branch: {error.what}"
        if await self.commit(move, release_at=rev):
            return True
        # What came from outside is heard first: it may be that the run is to be cancelled.
        await self.commit(move.kept_open())
        return False

    async def give_up(self, error: SmithersError, done: list[Ended], *, rev: int) -> bool:
        """Leave the run paused, or cancelled if that is asked, with what ended meanwhile."""
        cancelled = self.intent() is Intent.CANCEL
        move = given_up(error.what, str(error), cancelled=cancelled)
        move.attempts = [one.attempt for one in done]
        move.outputs = [one.output for one in done if one.output is not None]
        move.changes = {one.attempt.key: standing(one) for one in done}
        move.snapshots = [row for one in done for row in one.snapshots]
        move.counts = counted(done, self._drive.counts())
        # The rev that the plan was made from: a resume since then must not be overwritten.
        return await self.commit(move, release_at=rev)

    def intent(self) -> Intent:
        """What was last asked of the run."""
        return runs.get(self._store, self._drive.lease.run).intent

    def transition(self, decision: Decision, done: Iterable[Ended]) -> Transition:
        """What a frame says of attempts that ended and of what follows."""
        ended = list(done)
        return Transition(
            why=why(ended, decision),
            attempts=[*(one.attempt for one in ended), *decision.begun],
            outputs=[*(one.output for one in ended if one.output is not None), *decision.outputs],
            gates=decision.gates,
            placed=decision.placed,
            gone=decision.gone,
            changes=decision.changes,
            snapshots=[
                *self._workspace.unrecorded(),
                *(row for one in ended for row in one.snapshots),
            ],
            status=decision.status,
            reason=decision.reason,
            error=decision.error,
            pause=bool(decision.error),
            source_digest=decision.source_digest,
            wake_at=decision.wake_at,
            counts=decision.counts,
        )
