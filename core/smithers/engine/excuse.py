"""Attempts whose end proves nothing: they were stopped, or ask; the disk was full; the files gone.

They are charged nothing, and taken up again where they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from smithers.engine.attempt import Ended
from smithers.engine.room import WHY, Room
from smithers.engine.unfinished import NO_VERDICT, Interrupted, taken_up
from smithers.engine.workspace import Workspace
from smithers.errors import SmithersError
from smithers.model.step import Attempt, AttemptStatus

MOST = 5
"""For one step: something else is wrong with one that meets a full disk more often."""
_FAILED = frozenset({AttemptStatus.FAILED, AttemptStatus.TIMED_OUT})


def excuse(
    one: Ended, tries: Sequence[Attempt], room: Room, workspace: Workspace
) -> Interrupted | None:
    """Take this end back if it proves nothing, and say what the next attempt has to know."""
    if one.attempt.status in NO_VERDICT:
        return _taken_up(one, tries, workspace)
    lost = workspace.missing()
    if lost is not None:
        why = lost.what
    elif one.attempt.status in _FAILED and _met(tries) < MOST and room.full():
        why = f"{WHY}: {one.attempt.error}"
    else:
        return None
    one.output = None
    one.attempt = replace(
        one.attempt,
        status=AttemptStatus.INTERRUPTED,
        charged=False,
        error=why,
        value=None,
        retry_at=None,
    )
    return _taken_up(one, tries, workspace)


def _taken_up(one: Ended, tries: Sequence[Attempt], workspace: Workspace) -> Interrupted:
    before = next((row.commit for row in one.snapshots if row.side == "before"), "")
    if before:
        return Interrupted(one.attempt, one.attempt, before)
    try:
        return taken_up([*(old for old in tries if old.n < one.attempt.n), one.attempt], workspace)
    except SmithersError:  # the files are gone: nothing is left to be set back
        return Interrupted(one.attempt, one.attempt, "")


def _met(tries: Iterable[Attempt]) -> int:
    return sum(
        old.status is AttemptStatus.INTERRUPTED and old.error.startswith(WHY) for old in tries
    )
