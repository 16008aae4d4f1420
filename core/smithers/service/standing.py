"""How a run stands now: its stored line, with who drives it and what that makes of its status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from smithers.model.run import Owner, RunStatus
from smithers.process.identity import Life, life
from smithers.service.directory import Directory
from smithers.service.overlay import Standing, overlay
from smithers.store import queries
from smithers.store.queries import Head


class Stood(NamedTuple):
    head: Head
    status: RunStatus
    life: Life | None
    """Of the holder of the lease; None if nobody holds it."""
    alive: bool

    @property
    def stale(self) -> bool:
        """What is stored as running is not: nobody is there to run it."""
        return not (self.alive or self.head.status.ended) and self.head.running > 0

    @property
    def reason(self) -> str:
        """The stored reason, or what only a reader can see."""
        asked = self.status in {RunStatus.PAUSED, RunStatus.CANCELLED}
        if asked and self.status is not self.head.status and self.head.intent_by:
            return f"{self.status} by {self.head.intent_by}"
        if self.status is RunStatus.INTERRUPTED:
            if self.head.lease is None:
                return "it has work and no engine"
            return f"its engine, process {self.head.lease.owner.pid}, is gone"
        if self.life is Life.SUSPENDED and not self.head.status_reason:
            return "its engine is suspended"
        return self.head.status_reason


class Judge:
    """Lays statuses over heads, at one moment; asks for each process once."""

    def __init__(self, db: Directory) -> None:
        self._db = db
        self._now = db.clock.now()
        self._lives: dict[Owner, Life] = {}

    def one(self, head: Head) -> Stood:
        return self.all([head])[0]

    def all(self, heads: Sequence[Head]) -> list[Stood]:
        lives = [self._life(head) for head in heads]
        parked = [
            head.seq
            for head, alive in zip(heads, map(self._alive, heads, lives), strict=True)
            if head.status is RunStatus.WAITING and head.decided_at is not None and not alive
        ]
        undealt = queries.undealt(self._db.reader, parked) if parked else {}
        return [
            self._stand(head, living, undealt.get(head.seq))
            for head, living in zip(heads, lives, strict=True)
        ]

    def _stand(self, head: Head, living: Life | None, undealt: int | None) -> Stood:
        alive = self._alive(head, living)
        standing = Standing(
            status=head.status,
            intent=head.intent,
            since=_latest((head.created_at, head.started_at, head.moved_at, head.decided_at)),
            held=head.lease is not None,
            alive=alive,
            wake_at=head.wake_at,
            undealt=undealt,
        )
        return Stood(head, overlay(standing, self._now), living, alive)

    def _life(self, head: Head) -> Life | None:
        if head.lease is None:
            return None
        owner = head.lease.owner
        if owner not in self._lives:
            self._lives[owner] = life(owner)
        return self._lives[owner]

    def _alive(self, head: Head, living: Life | None) -> bool:
        if living is Life.ELSEWHERE:
            return head.lease is not None and head.lease.expires_at >= self._now
        return living in {Life.ALIVE, Life.SUSPENDED}


def _latest(times: Iterable[int | None]) -> int:
    return max(time for time in times if time is not None)


OPEN = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING, RunStatus.PAUSED)
"""Stored statuses of runs that have not ended."""

_COVERED = {
    RunStatus.INTERRUPTED: OPEN,
    RunStatus.PAUSED: OPEN,
    RunStatus.CANCELLED: (RunStatus.CANCELLED, *OPEN),
    RunStatus.QUEUED: (RunStatus.QUEUED, RunStatus.PAUSED),
}


def stored(wanted: Iterable[RunStatus]) -> set[RunStatus]:
    """The stored statuses that may read as one of these."""
    return {each for status in wanted for each in _COVERED.get(status, (status,))}
