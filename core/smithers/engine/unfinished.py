"""Attempts that came to no verdict, and what the next one has to know of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smithers.engine.workspace import Workspace
from smithers.model.step import Attempt, AttemptStatus

NO_VERDICT = frozenset({AttemptStatus.INTERRUPTED, AttemptStatus.STOPPED, AttemptStatus.ASKED})
"""Ends that leave it all to be done: nothing is charged."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An attempt that came to no verdict, and where the work on its step began."""

    attempt: Attempt
    began: Attempt
    """The one that the work began with: itself, or an earlier one without a verdict."""
    before: str
    """Commit of the files as that one found them; empty where there is none."""
    alone: bool = False
    """No other attempt has used the workspace since."""


def taken_up(tries: Sequence[Attempt], workspace: Workspace) -> Interrupted:
    """What is known of the last of a step's attempts, which came to no verdict. Raises VcsError.

    One that was over before it had looked at the files leaves them as those before it did.
    """
    last = tries[-1]
    for one in reversed(tries):
        if one.status not in NO_VERDICT:
            break
        before = workspace.kept(one.key, one.n, "before", since=one.started_at)
        if before:
            return Interrupted(last, one, before)
    return Interrupted(last, last, "")
