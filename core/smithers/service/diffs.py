"""What a run or one of its steps changed, between two sides that have names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from smithers.errors import VcsError
from smithers.model.run import Run, RunStatus
from smithers.service.directory import Directory, find_key, head
from smithers.service.gates import repository_of
from smithers.service.safe import clean, line
from smithers.service.views import DiffView, FileChange, Safe
from smithers.store import queries
from smithers.store.queries import SnapshotRow
from smithers.vcs import diffs, repository


class _Side(NamedTuple):
    name: str
    commit: str


class _Sides(NamedTuple):
    left: _Side
    right: _Side
    note: str = ""


def diff(
    db: Directory, run_id: str, step: str | None = None, attempt: int | None = None
) -> DiffView:
    """Of the run: from its base to its last snapshot, or to its branch once it has ended.

    Of a step: before and after its last attempt, or the one given; of a loop: all of it.
    Where there is nothing to compare, the note says why. Raises UnknownRun, UsageError.
    """
    with db.reader.transaction():
        seq = head(db, run_id).seq
        run = queries.run(db.reader, seq)
        taken = queries.snapshots(db.reader, seq)
        keys = queries.step_keys(db.reader, seq) if step is not None else []
    repo = repository_of(run)
    if step is None:
        found = _of_run(run, taken, repo)
    else:
        found = _of_step(run, find_key(keys, run_id, step), attempt, taken)
    return _empty(found) if isinstance(found, str) else _compare(repo, found)


def _of_run(run: Run, taken: Sequence[SnapshotRow], repo: Path) -> _Sides | str:
    left = _first(run, taken)
    if left is None:
        return _nothing(run, "nothing has run yet, or nothing that touches files")
    branch = _branch(run, repo)
    if branch is not None and branch.commit != left.commit:
        return _Sides(left, branch)
    done = [each for each in taken if each.side != "before"]
    if not done:
        return _nothing(run, "no attempt that can change files has ended yet")
    note = "" if run.status.ended else "changes since that snapshot are not in it"
    return _Sides(left, _side(done[-1]), _joined(note, _incomplete(done[-1])))


def _first(run: Run, taken: Sequence[SnapshotRow]) -> _Side | None:
    if run.base:
        return _Side(f"base {run.base[:7]}", run.base)
    return next((_side(each) for each in taken if each.side == "before"), None)


def _branch(run: Run, repo: Path) -> _Side | None:
    """The head of the run's branch, once nobody is at work on it any more."""
    ended = run.status in {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}
    if not run.branch or not ended:
        return None
    found = repository.discover(repo)
    if found is not None and found.branch == run.branch and found.head:
        return _Side(f"branch {run.branch}, {found.head[:7]}", found.head)
    return None


def _of_step(run: Run, key: str, attempt: int | None, taken: Sequence[SnapshotRow]) -> _Sides | str:
    own = [each for each in taken if each.key == key or each.key.startswith((f"{key}[", f"{key}/"))]
    if any(each.key == key for each in own):
        wanted = max(each.attempt for each in own) if attempt is None else attempt
        own = [each for each in own if each.attempt == wanted]
    before = [each for each in own if each.side == "before"]
    done = [each for each in own if _ends(each, before)]
    if not before:
        which = key if attempt is None else f"{key}, attempt {attempt}"
        return _nothing(run, f"no snapshots of {which}: it has not run, or touches no files")
    if not done:
        return _nothing(run, f"{key}, attempt {before[-1].attempt}, has not ended yet")
    return _Sides(_side(before[0]), _side(done[-1]), _incomplete(done[-1]))


def _ends(snapshot: SnapshotRow, before: Sequence[SnapshotRow]) -> bool:
    """Whether it shows what an attempt left: after it, or found when it had been interrupted."""
    if snapshot.side == "found":
        return any(snapshot.taken_at > each.taken_at for each in before)
    return snapshot.side == "after"


def _side(snapshot: SnapshotRow) -> _Side:
    word = "after" if snapshot.side == "found" else snapshot.side
    return _Side(f"{word} {snapshot.key}, attempt {snapshot.attempt}", snapshot.commit)


def _incomplete(snapshot: SnapshotRow) -> str:
    if not snapshot.incomplete:
        return ""
    more = ", …" if len(snapshot.incomplete) > 5 else ""
    return f"not captured: {', '.join(snapshot.incomplete[:5])}{more}"


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _nothing(run: Run, otherwise: str) -> str:
    """Why there is nothing to compare."""
    if not run.branch and repository.discover(repository_of(run)) is None:
        return "the run works in place, outside git: there are no snapshots to compare"
    return otherwise


def _empty(note: str) -> DiffView:
    nothing = Safe("")
    return DiffView(nothing, nothing, (), patch=nothing, note=line(note), raw="")


def _compare(repo: Path, sides: _Sides) -> DiffView:
    try:
        changed = diffs.files(repo, sides.left.commit, sides.right.commit)
        patch = diffs.patch(repo, sides.left.commit, sides.right.commit)
    except VcsError as error:
        return _empty(f"cannot compare: {error.what}")
    note = sides.note if changed else _joined("nothing changed", sides.note)
    return DiffView(
        left=line(sides.left.name),
        right=line(sides.right.name),
        files=tuple(
            FileChange(
                path=line(each.path, strict=True),
                status=line(each.status),
                added=each.added,
                removed=each.removed,
                binary=each.binary,
            )
            for each in changed
        ),
        patch=clean(patch, strict=True),
        note=line(note),
        raw=patch,
    )
