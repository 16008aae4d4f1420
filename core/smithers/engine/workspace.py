"""The files a run works on: its own worktree, or the checkout itself; and snapshots of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from smithers.errors import SmithersError
from smithers.model.run import Run
from smithers.store.drive import SnapshotRow
from smithers.vcs import snapshots, worktrees
from smithers.vcs.repository import Repository, discover
from smithers.vcs.workspace import of


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

    @property
    def tracked(self) -> bool:
        return self._repository is not None

    def read(self, key: str, attempt: int, side: str) -> Reading | None:
        """Snapshot the files as they are; None where there is no repository. Raises VcsError."""
        if self._repository is None:
            return None
        taken = snapshots.take(
            self.path,
            snapshots.ref(self.run.id, key, attempt, side),
            message=f"{self.run.id} {key} attempt {attempt}: {side}",
            parent=self.last,
        )
        self.last = taken.commit
        return Reading(SnapshotRow(key, attempt, side, taken.commit, taken.incomplete), taken.tree)

    def tree(self) -> str:
        """The files of the newest snapshot as one hash; empty where there is none."""
        if self._repository is None or not self.last:
            return ""
        return snapshots.resolve_tree(of(self.path), self.last)

    def set_back(self, commit: str) -> None:
        """Make the files those of a snapshot. Only ever in the run's own worktree."""
        if self.own:
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
