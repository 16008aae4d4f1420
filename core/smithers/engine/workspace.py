"""The files a run works on: its own worktree, or the checkout itself; and snapshots of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from smithers.errors import SmithersError, VcsError
from smithers.model.run import Run
from smithers.store.drive import SnapshotRow
from smithers.vcs import layout, snapshots, worktrees
from smithers.vcs.repository import Repository, discover
from smithers.vcs.workspace import locked, of, write_tree


@dataclass(frozen=True, slots=True)
class Reading:
    """The files at one moment."""

    row: SnapshotRow
    tree: str


class Workspace:
    """Where attempts work.

    Without a repository there is nothing to snapshot, and it says so once.
    """

    def __init__(self, run: Run, repository: Repository | None) -> None:
        self.run = run
        self.path = Path(run.workspace)
        self.own = bool(run.branch)
        """A worktree of the run's own: its files may be set back."""
        self._repository = repository
        self.last = run.base
        """Commit of the newest snapshot: what the files were when the last attempt ended."""
        self._unrecorded: list[SnapshotRow] = []
        self.allowed: Callable[[], None] = lambda: None
        """Asked before something is written or started here.

        Raises LeaseLost when another engine drives the run.
        """

    @property
    def tracked(self) -> bool:
        return self._repository is not None

    def missing(self) -> VcsError | None:
        """What to say if the files are not there any more."""
        if self._repository is None:
            there = self.path.is_dir()
        elif self.own:
            there = worktrees.exists(self.path)
        else:
            there = self.path.is_dir() and layout.at(self._repository.top) is not None
        if there:
            return None
        return VcsError(
            f"{self.path} was removed, or its git repository was",
            kept="the run, its branch and its snapshots",
            next=f"put back what was not ours, then `smithers resume {self.run.id}`",
        )

    def check(self) -> None:
        """Raises VcsError when the files are not there any more."""
        lost = self.missing()
        if lost is not None:
            raise lost

    def read(self, key: str, attempt: int, side: str) -> Reading | None:
        """Snapshot the files as they are; None where there is no repository. Raises VcsError."""
        if self._repository is None:
            return None
        self.allowed()
        taken = snapshots.take(
            self.path,
            snapshots.ref(self.run.id, key, attempt, side),
            message=f"{self.run.id} {key} attempt {attempt}: {side}",
            parent=self.last,
        )
        self.last = taken.commit
        return Reading(SnapshotRow(key, attempt, side, taken.commit, taken.incomplete), taken.tree)

    def look(self, key: str, number: int) -> None:
        """Snapshot the files if they are not those of the newest snapshot any more.

        For somebody who is to decide about them. Raises VcsError.
        """
        if self._repository is None or self._now() == self.tree():
            return
        found = self.read(key, number, "found")
        if found is not None:
            self._unrecorded.append(found.row)

    def unrecorded(self) -> list[SnapshotRow]:
        """What `look` has taken and no frame has recorded yet."""
        return list(self._unrecorded)

    def recorded(self, rows: Iterable[SnapshotRow]) -> None:
        """A frame has these now."""
        if self._unrecorded:
            known = list(rows)
            self._unrecorded = [row for row in self._unrecorded if row not in known]

    def kept(self, key: str, number: int, side: str, *, since: int) -> str:
        """Commit of a snapshot that was taken since then, perhaps without being recorded.

        Nothing if there is none: what is older is of another run that had the same id.
        """
        if self._repository is None:
            return ""
        commit, seconds = snapshots.find(self.path, snapshots.ref(self.run.id, key, number, side))
        return commit if seconds >= since // 1000 else ""

    def _now(self) -> str:
        """The files as they are, as one hash."""
        space = of(self.path)
        with locked(space.own):
            return write_tree(space).id

    def tree(self) -> str:
        """The files of the newest snapshot as one hash; empty where there is none."""
        if self._repository is None or not self.last:
            return ""
        return snapshots.resolve_tree(of(self.path), self.last)

    def set_back(self, commit: str) -> None:
        """Make the files those of a snapshot. Only ever in the run's own worktree."""
        if self.own:
            self.allowed()
            snapshots.restore(self.path, commit)
            self.last = commit


def prepare(run: Run) -> tuple[Run, Workspace, bool]:
    """Have the run's workspace there; returns the run with what was found out, and if it is new.

    Raises VcsError with the cure when git will not.
    """
    root = Path(run.root)
    if not run.branch:
        repository = discover(Path(run.workspace))
        return run, Workspace(run, repository), False
    repository = discover(root)
    if repository is None:
        raise SmithersError(
            f"{root} is no git repository any more",
            kept="the run and its record",
            next=f"restore it, then `smithers resume {run.id}`",
        )
    path = Path(run.workspace)
    made = not worktrees.exists(path)
    tree = worktrees.create(repository, run.id, path, base=run.base)
    notes = tuple(dict.fromkeys((*run.notes, *tree.notes)))
    settled = replace(run, branch=tree.branch, base=tree.base, notes=notes)
    return settled, Workspace(settled, discover(path)), made
