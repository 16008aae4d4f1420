"""Snapshots: the files of a workspace as a commit under `refs/smithers/`, and back from it.

A snapshot is four git processes; the checkout's HEAD, index and stash stay as they are. Objects
come first, then the ref; whoever records the commit does so after.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from smithers.errors import VcsError
from smithers.vcs import workspace
from smithers.vcs.git import expel, git, line
from smithers.vcs.layout import Layout
from smithers.vcs.repository import resolve
from smithers.vcs.workspace import Workspace

_PLANTED = ".git/commondir: it would have had git obey the config of another folder; removed"
_CLEAN_ROUNDS = 20
"""Each round can uncover a new `.gitignore` one level further down."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    commit: str
    tree: str
    incomplete: tuple[str, ...]
    """What it does not hold, each with the reason: then never restore from it unasked."""


def ref(*parts: str | int) -> str:
    """Make a name under `refs/smithers/` of any parts, such as run, step key and attempt."""
    return "/".join(("refs/smithers", *(_part(str(part)) for part in parts)))


def take(path: Path, ref: str, *, message: str, parent: str = "") -> Snapshot:
    """Store the files of a workspace, ignored ones excepted, and name them by a ref.

    A ref that is there already, from a crash before its commit was recorded, is moved.
    """
    if not ref.startswith("refs/smithers/"):
        raise VcsError(f"a snapshot lives under refs/smithers/, not at {ref}")
    space = workspace.of(path)
    planted = expel(Layout(space.top, space.git_dir, space.common_dir))
    with workspace.locked(space.own):
        tree = workspace.write_tree(space)
        commit = workspace.commit(space, tree.id, (parent,) if parent else (), message)
        _name(space, ref, commit)
    return Snapshot(commit, tree.id, (*tree.incomplete, *([_PLANTED] if planted else [])))


def find(path: Path, ref: str) -> tuple[str, int]:
    """Find a ref's commit, and its time in seconds since 1970; nothing and 0 if there is none."""
    done = git(path, "log", "-1", "--format=%H %ct", ref, "--", check=False)
    if done.code != 0:
        return "", 0
    commit, _, seconds = line(done).partition(" ")
    return commit, int(seconds)


def restore(path: Path, commit: str) -> None:
    """Make the files of a run's own worktree those of a snapshot.

    What the snapshot would have held and does not is removed; files ignored by its own rules and
    repositories nested in the workspace stay. HEAD, branch and index stay.
    """
    space = workspace.of_run(path)
    if not resolve(space.top, commit):
        raise VcsError(f"there is no snapshot {commit} (any more)")
    with workspace.locked(space.own):
        workspace.seed(space)
        # Entries that are equal keep what is known of their file, so that it is not written again.
        git(space.top, "read-tree", "--reset", commit, index=space.index)
        git(space.top, "checkout-index", "--all", "--force", "--index", index=space.index)
        for _ in range(_CLEAN_ROUNDS):
            removed = git(space.top, "clean", "-d", "--force", index=space.index)
            if b"Removing " not in removed.out:
                return


def commit_to_branch(path: Path, message: str) -> str:
    """Put all changes of a run's worktree as one commit on the run's branch, and return its tip.

    What an agent has committed, on this or another branch of the worktree, becomes part of it.
    Nothing changed: the tip as it is. No hook runs.
    """
    space = workspace.of_run(path)
    with workspace.locked(space.own):
        branch = space.made_for.read_text().strip()
        on_it = line(git(space.top, "symbolic-ref", "--quiet", "HEAD", check=False)) == branch
        tip = resolve(space.top, branch)
        head = resolve(space.top, "HEAD")
        parents = _parents(space, tip, head)
        tree = workspace.write_tree(space).id
        if len(parents) == 1 and resolve_tree(space, parents[0]) == tree:
            new = parents[0]
        else:
            new = workspace.commit(space, tree, parents, message)
        if new != tip and not workspace.move_ref(space, branch, new, tip):
            raise VcsError(
                f"{branch.removeprefix('refs/heads/')} was moved meanwhile",
                kept=f"the files, and the commit {new}",
                next="try again",
            )
        if on_it and new != tip:
            # Else the new commit would look undone there; a lock left by a killed git is no harm.
            workspace.unlink_symlink(space.git_dir / "index")
            git(space.top, "read-tree", "--reset", new, check=False)
    return new


def resolve_tree(space: Workspace, commit: str) -> str:
    """Find the id of a commit's tree."""
    return line(git(space.top, "rev-parse", "--verify", f"{commit}^{{tree}}"))


def _name(space: Workspace, ref: str, commit: str) -> None:
    old = ""
    for _ in range(3):
        if workspace.move_ref(space, ref, commit, old):
            return
        old = resolve(space.top, ref)
    raise VcsError(f"{ref} is moved by somebody else all the time")


def _parents(space: Workspace, tip: str, head: str) -> tuple[str, ...]:
    if not tip or not head:
        return tuple(filter(None, (tip or head,)))
    if _is_ancestor(space, tip, head):
        return (head,)
    return (tip,) if _is_ancestor(space, head, tip) else (tip, head)


def _is_ancestor(space: Workspace, old: str, new: str) -> bool:
    if old == new:
        return True
    done = git(space.top, "merge-base", "--is-ancestor", old, new, check=False)
    return done.code == 0


def _part(text: str) -> str:
    """Escape what git forbids in a name, and `/`, so that different parts stay different."""
    text = re.sub(r"[^A-Za-z0-9._-]", lambda found: "".join(map(_hex, found[0].encode())), text)
    text = re.sub(r"^\.|\.(?=\.)|\.$|\.(?=lock$)", "%2E", text)
    return text or "%"


def _hex(byte: int) -> str:
    return f"%{byte:02X}"
