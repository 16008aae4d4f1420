"""What lies about on disk and in the repository that no run has, or that a run misses."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from smithers.clock import SYSTEM
from smithers.errors import VcsError
from smithers.service import gc
from smithers.service.directory import Directory
from smithers.service.health.finding import FIX, Finding, some
from smithers.service.safe import line
from smithers.store import upkeep
from smithers.vcs import clearing, snapshots
from smithers.vcs.repository import Repository, discover

_STALE_SECONDS = 60.0
_COLLECT = "smithers gc --strays --older-than 0"


def strays(db: Directory, actor: str) -> Iterator[Finding]:
    """Names that no run has, and removals that were cut short."""
    wanted = gc.Filter(older_than=0, strays=True)
    found = gc.look(db.root, wanted)
    if found.removed:
        detail = line(f"left of runs that are gone: {some([each.name for each in found.removed])}")
        yield Finding(
            "strays",
            "warning",
            detail,
            FIX,
            lambda: _collect(db.root, wanted, actor),
        )
    here = [each for each in found.kept if each.fits and each.local]
    if here:
        detail = line(f"{here[0].name} is of no run here, and {here[0].reason}")
        cure = f"{_COLLECT} --including-unlanded --yes"
        yield Finding("strays", "warning", detail, cure)
    elsewhere = [each.name for each in found.kept if each.fits and not each.local]
    if elsewhere:
        detail = line(f"refs of runs that are not of this run directory: {some(list(elsewhere))}")
        yield Finding("refs", "ok", detail)


def _collect(root: Path, wanted: gc.Filter, actor: str) -> None:
    gc.collect(root, wanted, actor=actor)


def repository(db: Directory) -> Iterator[Finding]:
    """Snapshots that lost their ref, and locks that a killed git left."""
    try:
        repo = discover(db.root)
    except VcsError as error:
        yield Finding("repository", "failed", line(error.what), error.next)
        return
    if repo is not None:
        yield from _snapshots(db, repo)
        yield from _locks(repo)


def _snapshots(db: Directory, repo: Repository) -> Iterator[Finding]:
    wanted = {
        snapshots.ref(run, key, attempt, side): commit
        for run, key, attempt, side, commit in upkeep.snapshot_rows(db.reader)
    }
    again, lost = clearing.missing(repo, wanted)
    if again:
        detail = line(f"a git gc would take {len(again)} snapshots that no ref names any more")
        made = {ref: wanted[ref] for ref in again}
        yield Finding("snapshots", "warning", detail, FIX, lambda: clearing.name_again(repo, made))
    if lost:
        detail = line(f"{len(lost)} snapshots are gone from the repository: {some(lost)}")
        commit = wanted[lost[0]]
        yield Finding("snapshots", "failed", detail, f"git fetch COPY-OF-THIS-REPOSITORY {commit}")


def _locks(repo: Repository) -> Iterator[Finding]:
    limit = SYSTEM.now() / 1000 - _STALE_SECONDS
    ours = clearing.stale_locks(repo, limit)
    if ours:
        detail = line(f"{ours[0]} was left by a git that was killed")
        yield Finding("locks", "warning", detail, FIX, lambda: _unlink(ours))
    index = repo.git_dir / "index.lock"
    if index.is_file() and index.stat().st_mtime < limit:
        detail = line(f"{index} keeps git from writing; it may be of a git that was killed")
        yield Finding("locks", "warning", detail, f"rm {shlex.quote(str(index))}")


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
