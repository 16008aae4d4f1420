"""Old runs leave, with everything that they have: rows, logs, worktree, branch and snapshots.

A run is marked in its row, then its files go, then its rows. So no verb brings back what is half
gone, its id is not free before all is gone, and whoever collects next completes what was begun.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from smithers.clock import SYSTEM
from smithers.errors import Refused, SmithersError, VcsError
from smithers.model.run import RunStatus
from smithers.service import diary
from smithers.service.inventory import Case, Place, survey
from smithers.service.safe import line
from smithers.service.views import Safe
from smithers.store import pruning
from smithers.store.database import Store
from smithers.store.pruning import Stored
from smithers.supervise import owner
from smithers.vcs import clearing

_STRAY = "no run here is called so"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which ended runs to remove; all of it must hold."""

    older_than: float
    """Seconds since the run ended."""
    larger_than: int = 0
    """Bytes on disk."""
    status: Collection[RunStatus] = ()
    including_unlanded: bool = False
    strays: bool = False
    """Only what no run here is called after, and removals that were cut short."""


class Item(NamedTuple):
    """A run, or what lies about under a name that no run has."""

    name: Safe
    title: Safe
    status: RunStatus | None
    """None: no run."""
    ended_at: int | None
    bytes: int
    reason: Safe
    """Why it stays; empty if it goes."""
    fits: bool
    """The filter fits it, and yet it stays."""
    local: bool
    """It has files in this run directory, not only refs in the repository."""


class Collected(NamedTuple):
    removed: tuple[Item, ...]
    kept: tuple[Item, ...]
    failed: bool
    """Something is half gone: collect again."""
    free_bytes: int
    """Room inside the database file for rows to come."""


class _Stays(Exception):
    """Why something is not removed."""

    def __init__(self, reason: str, *, fits: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fits = fits


def look(root: Path, wanted: Filter) -> Collected:
    """What collecting would remove and keep now. Changes nothing."""
    place, cases = survey(root)
    going, kept = [], []
    for case in cases:
        try:
            _check(place, case, wanted)
            going.append(_item(case))
        except _Stays as stays:
            kept.append(_item(case, stays))
    return Collected(tuple(going), tuple(kept), failed=False, free_bytes=0)


def collect(root: Path, wanted: Filter, *, actor: str) -> Collected:
    """Remove what fits. What fails is among the kept, with the reason, and the rest goes on."""
    place, cases = survey(root)
    _finish_worktrees(place.state)
    removed, kept, failed = [], [], False
    store = Store(place.state)
    try:
        for case in cases:
            try:
                _check(place, case, wanted)
                if _remove(place, store, case, actor):
                    removed.append(_item(case))
            except _Stays as stays:
                kept.append(_item(case, stays))
            except (SmithersError, OSError) as error:
                failed = True
                kept.append(_item(case, _Stays(f"cannot be removed: {error}", fits=True)))
        return Collected(tuple(removed), tuple(kept), failed, pruning.free_bytes(store))
    finally:
        store.close()


def _check(place: Place, case: Case, wanted: Filter) -> None:
    """Raise _Stays unless it may go, the filter first and git, which costs most, last."""
    run = case.run
    if run is None or not run.going:
        if run is not None:
            _check_run(place, run, wanted)
        _check_filter(case, wanted)
    try:
        why = _work_at_stake(place, case, wanted)
    except VcsError as error:
        why = f"git cannot tell what is in it: {error.what}"
    if why:
        raise _Stays(why, fits=True)


def _work_at_stake(place: Place, case: Case, wanted: Filter) -> str:
    """What would be lost with it, or harmed by it; empty where nothing would."""
    if place.trouble:
        raise VcsError(place.trouble)
    run, repo, path = case.run, place.repo, place.worktree(case.name)
    if repo is None or not case.branched:
        return ""
    elsewhere = clearing.held_by(repo, case.name, path)
    if elsewhere:
        return f"its branch is checked out in {elsewhere}"
    if wanted.including_unlanded or (run is not None and run.going):
        return ""
    if not case.local and run is None:
        return f"{_STRAY}: its refs may belong to another run directory"
    return clearing.unlanded(repo, case.name, path, case.snapshot)


def _check_run(place: Place, run: Stored, wanted: Filter) -> None:
    if wanted.strays:
        raise _Stays("it is a run", fits=False)
    if not run.status.ended:
        raise _Stays("it has not ended", fits=False)
    if wanted.status and run.status not in wanted.status:
        raise _Stays(f"it is {run.status}", fits=False)
    if run.held:
        raise _Stays("its engine is still leaving", fits=True)
    outer = run.parent
    seen = {run.id}
    while outer and outer not in seen:
        if not place.ended.get(outer, True):
            raise _Stays(f"it was started by {outer}, which has not ended", fits=True)
        seen.add(outer)
        outer = place.parents.get(outer, "")


def _check_filter(case: Case, wanted: Filter) -> None:
    if case.run is None and wanted.status:
        raise _Stays(_STRAY, fits=False)
    since = case.touched if case.run is None else case.run.finished_at or 0
    if SYSTEM.now() - since < wanted.older_than * 1000:
        raise _Stays("it is not that old", fits=False)
    if case.bytes < wanted.larger_than:
        raise _Stays("it is not that large", fits=False)


def _remove(place: Place, store: Store, case: Case, actor: str) -> bool:
    """Whether it was there to be removed: somebody else may just have done so."""
    with _nobody_drives(place.state, case.name):
        there = case.name in {row.id for row in pruning.all_runs(store)}
        if case.run is not None and not there:
            return False
        if case.run is not None:
            if not (case.run.going or pruning.mark(store, case.run, actor=actor)):
                raise _Stays("it has changed meanwhile", fits=True)
        elif there:
            raise _Stays("a run was just started under that name", fits=True)
        elif not _lies_about(place, case.name):
            return False
        tip = clearing.tip(place.repo, case.name) if place.repo else ""
        path = place.worktree(case.name)
        if place.repo is not None:
            clearing.remove(place.repo, case.name, path, branch=case.branched)
        for folder in (path, *place.folders(case.name)):
            clearing.discard(folder)
        branch = {"branch": f"smithers/{case.name}", "commit": tip} if tip else {}
        diary.note(
            place.state, actor, f"removed {case.name}", title=case.title, bytes=case.bytes, **branch
        )
        if case.run is not None:
            pruning.erase(store, case.run)
        return True


def _lies_about(place: Place, name: str) -> bool:
    """Something of that name is still there; a lock alone is nothing."""
    if any(os.path.lexists(path) for path in (place.worktree(name), *place.folders(name))):
        return True
    return place.repo is not None and name in clearing.names(place.repo)


def _finish_worktrees(state: Path) -> None:
    """Delete the files of worktrees that somebody began to delete and no longer does."""
    for left in (state / "worktrees").glob(".*.gone"):
        with suppress(_Stays), _nobody_drives(state, left.name[1:].removesuffix(".gone")):
            clearing.discard(left)


@contextmanager
def _nobody_drives(state: Path, name: str) -> Iterator[None]:
    """Hold the engine's lock of a run, so that none starts; one that leaves still has it.

    The lock is no file any more afterwards: an engine that waits for it makes a new one.
    """
    handle = owner.lock(state, name)
    if handle is None:
        raise _Stays("its engine is still leaving", fits=True)
    try:
        yield
        # Not where something failed: then there is a run, and the file is of it.
        (state / "engines" / f"{name}.lock").unlink(missing_ok=True)
    finally:
        os.close(handle)


def _item(case: Case, stays: _Stays | None = None) -> Item:
    run = case.run
    return Item(
        name=line(case.name, limit=80),
        title=line(case.title or _STRAY),
        status=run.status if run else None,
        ended_at=run.finished_at if run else case.touched or None,
        bytes=case.bytes,
        reason=line(stays.reason if stays else ""),
        fits=stays is not None and stays.fits,
        local=case.local,
    )


def check_filter(wanted: Filter) -> None:
    """Refuse to be asked for what is never done."""
    alive = [status.value for status in wanted.status if not status.ended]
    if alive:
        raise Refused(
            f"runs that are {', '.join(alive)} are never removed",
            kept="all runs",
            next="smithers cancel RUN first",
        )
