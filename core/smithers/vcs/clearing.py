"""Everything that a run has in a repository: whether it is merged, and how it is taken away."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from smithers.errors import VcsError
from smithers.vcs import snapshots, workspace, worktrees
from smithers.vcs.git import DURABLE, fields, git, line
from smithers.vcs.repository import Repository, resolve

_HEADS = "refs/heads/smithers/"
_OURS = "refs/smithers/"


def names(repo: Repository) -> set[str]:
    """Runs that have a branch or a ref here, of whichever run directory."""
    heads = {ref.removeprefix(_HEADS) for ref in _refs(repo, _HEADS)}
    ours = {ref.removeprefix(_OURS).partition("/")[0] for ref in _refs(repo, _OURS)}
    return ours | {name for name in heads if "/" not in name}


def unlanded(repo: Repository, run: str, path: Path, snapshot: str = "") -> str:
    """Why work would be lost with a run; empty where what is checked out has all of it.

    Looked at are its branch, its worktree, and where that is gone its newest snapshot.
    """
    branch = worktrees.branch_of(run)
    into = repo.branch or "what is checked out"
    tip = resolve(repo.top, f"refs/heads/{branch}")
    base = resolve(repo.top, f"{snapshots.ref(run)}/@base")
    if tip and not _landed(repo, tip, base):
        return f"{branch} has commits that are not in {into}"
    if worktrees.exists(path):
        head = resolve(path, "HEAD")
        if head and head != tip and not _landed(repo, head, base):
            return f"its worktree has commits that are not in {into}"
        if git(path, "status", "--porcelain", "-z", "--ignore-submodules=all").out:
            return "its worktree has changes that no commit holds"
        return ""
    if path.is_dir() and any(path.iterdir()):
        return "its worktree is no checkout any more, so nobody can tell what is in it"
    commit = resolve(repo.top, snapshot) if snapshot else ""
    known = {_tree(repo, each) for each in (tip, base) if each}
    if commit and _tree(repo, commit) not in known and not _landed(repo, commit, base):
        return f"its last snapshot has changes that are not in {into}"
    return ""


def held_by(repo: Repository, run: str, path: Path) -> str:
    """The checkout other than the run's own worktree that has its branch checked out, if any."""
    wanted = f"branch refs/heads/{worktrees.branch_of(run)}"
    place = ""
    for entry in fields(git(repo.top, "worktree", "list", "--porcelain", "-z")):
        if entry.startswith("worktree "):
            place = entry.removeprefix("worktree ")
        elif entry == wanted and os.path.realpath(place) != os.path.realpath(path):
            return place
    return ""


def tip(repo: Repository, run: str) -> str:
    """The commit that a run's branch points to; empty without one."""
    return resolve(repo.top, f"refs/heads/{worktrees.branch_of(run)}")


def remove(repo: Repository, run: str, path: Path, *, branch: bool) -> None:
    """Take away a run's worktree, branch and refs, asking nothing. Goes on where it was ended.

    The files leave at once, whole: half of a worktree would look like work. VcsError.
    """
    tip_of, head = tip(repo, run) if branch else "", f"refs/heads/{worktrees.branch_of(run)}"
    with workspace.locked(repo.common_dir / "smithers" / "making"):
        admin = worktrees.record_of(repo, path)
        if os.path.lexists(path):
            discard(doomed(path))
            path.rename(doomed(path))
        discard(doomed(path))
        if admin is not None:
            discard(admin)
        found = _refs(repo, f"{snapshots.ref(run)}/")
        _delete(repo, found | ({head: tip_of} if tip_of else {}))


def doomed(path: Path) -> Path:
    """Where a worktree goes before its files do."""
    return path.with_name(f".{path.name}.gone")


def missing(repo: Repository, wanted: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Of refs that should name these commits: those to make again, those whose commit is gone."""
    there = _refs(repo, _OURS)
    absent = [ref for ref in wanted if ref not in there]
    asked = "".join(f"{wanted[ref]}^{{commit}}\n" for ref in absent).encode()
    said = git(repo.top, "cat-file", "--batch-check", stdin=asked).out.decode().splitlines()
    lost = {ref for ref, words in zip(absent, said, strict=True) if words.endswith(" missing")}
    return [ref for ref in absent if ref not in lost], sorted(lost)


def name_again(repo: Repository, wanted: Mapping[str, str]) -> None:
    """Make refs that are not there, durably; one that is there by now stays."""
    space = workspace.of(repo.top)
    for ref, commit in wanted.items():
        workspace.move_ref(space, ref, commit, "")


def stale_locks(repo: Repository, older_than: float) -> list[Path]:
    """Locks of index files of ours that a killed git left, last touched before that time."""
    places = [repo.common_dir, *(repo.common_dir / "worktrees").glob("*")]
    found = (lock for place in places for lock in (place / "smithers").glob("*.lock"))
    return [lock for lock in found if lock.stat().st_mtime < older_than]


def discard(path: Path) -> None:
    """Delete a file, a link or a folder with all in it, also what is not writable in it."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    with suppress(FileNotFoundError):
        try:
            shutil.rmtree(path)
        except PermissionError:
            for folder, _, _ in os.walk(path):
                _open_up(Path(folder))
            shutil.rmtree(path)


def _open_up(folder: Path) -> None:
    """Such as the module caches of some package managers: folders that nobody may write to."""
    for each in (folder, *(entry for entry in folder.iterdir() if not entry.is_symlink())):
        if each.is_dir():
            each.chmod(stat.S_IMODE(each.stat().st_mode) | stat.S_IRWXU)


def _landed(repo: Repository, commit: str, base: str) -> bool:
    """Whether what is checked out, or its own base, has all that a commit changed."""
    if any(_is_ancestor(repo, commit, each) for each in (repo.head, base) if each):
        return True
    fork = git(repo.top, "merge-base", "HEAD", commit, check=False) if repo.head else None
    if fork is None or fork.code != 0:
        return False
    # Squashed or picked: other commits, and the same files.
    return _changed(repo, line(fork), commit).isdisjoint(_changed(repo, "HEAD", commit))


def _changed(repo: Repository, left: str, right: str) -> set[str]:
    args = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", left, right)
    return set(fields(git(repo.top, *args)))


def _is_ancestor(repo: Repository, old: str, new: str) -> bool:
    return git(repo.top, "merge-base", "--is-ancestor", old, new, check=False).code == 0


def _tree(repo: Repository, commit: str) -> str:
    return line(git(repo.top, "rev-parse", "--verify", f"{commit}^{{tree}}"))


def _refs(repo: Repository, *patterns: str) -> dict[str, str]:
    """Name and commit of the refs that are one of these, or lie below it."""
    form = "--format=%(refname) %(objectname)"
    lines = os.fsdecode(git(repo.top, "for-each-ref", form, *patterns).out).splitlines()
    return dict(_pairs(lines))


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for text in lines:
        name, _, commit = text.rpartition(" ")
        yield name, commit


def _delete(repo: Repository, found: Mapping[str, str]) -> None:
    """All of these refs, each only if it still names the commit that it was seen with."""
    for ref in found:
        if not re.match(f"{_HEADS}|{_OURS}", ref):
            raise VcsError(f"{ref} is no ref of a run")
        # The run is nobody's any more: a lock is what a killed git left.
        (repo.common_dir / f"{ref}.lock").unlink(missing_ok=True)
    orders = "".join(f"delete {ref}\0{commit}\0" for ref, commit in found.items())
    if orders:
        args = ("update-ref", "--no-deref", "-z", "--stdin")
        git(repo.top, *DURABLE, *args, stdin=os.fsencode(orders))
