"""Merge a run's branch into what the person has checked out, as the person, or say why not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from smithers.errors import LandRefused, VcsError
from smithers.process.run import Completed
from smithers.vcs.git import IDENTITY, fields, git, last_words, line
from smithers.vcs.repository import Repository, discover, resolve

_UNFINISHED = {
    "MERGE_HEAD": ("a merge", "git merge --abort"),
    "rebase-merge": ("a rebase", "git rebase --abort"),
    "rebase-apply": ("a rebase", "git rebase --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "git revert --abort"),
}
_LOCKED = {"index.lock": ("another git command", "delete .git/index.lock if there is none")}

_CHATTER = (b"Not committing merge", b"hint:", b"Merge with")


def land(main: Path, branch: str, *, message: str) -> str:
    """Merge `branch` by a merge commit into the branch that `main` has checked out; return it.

    Runs the person's hooks, under the person's name, or ours if there is none. LandRefused leaves
    the checkout as it was.
    """
    repo = _ready(main)
    tip = _tip(repo, branch)
    base = line(git(repo.top, "merge-base", repo.head, tip, check=False))
    if base == tip:
        raise LandRefused(f"nothing to merge: {branch} is part of {repo.branch} already")
    if not base:
        raise LandRefused(
            f"{branch} and {repo.branch} have no commit in common",
            next=f"git cherry-pick {_root(repo, tip)}..{branch}",
        )
    _check_files(repo, branch, _merged_tree(repo, branch))
    done = _merge(repo, branch, message)
    if done.code != 0:
        _undo(repo)
        raise LandRefused(
            f"git would not merge {branch}: {_said(done)}",
            kept="the checkout is as it was",
            next=f"git merge --no-ff {branch}",
        )
    return resolve(repo.top, "HEAD")


def describe(main: Path, branch: str, commit: str) -> str:
    """Say what `land` has done, in one line that names the branch it went into."""
    repo = discover(main)
    into = repo.branch if repo is not None else "HEAD"
    return f"merged {branch} into {into} as {commit[:12]}"


def unfinished(repo: Repository) -> str:
    """`a merge`, `a rebase`, …: what a checkout is in the middle of, or nothing."""
    return next(
        (what for name, (what, _) in _UNFINISHED.items() if (repo.git_dir / name).exists()), ""
    )


def _ready(main: Path) -> Repository:
    repo = discover(main)
    if repo is None:
        raise LandRefused(f"{main} is no git repository: there is nothing to merge into")
    for name, (what, way_out) in (_UNFINISHED | _LOCKED).items():
        if (repo.git_dir / name).exists():
            raise LandRefused(f"{what} is in progress in {repo.top}", next=f"end it, or {way_out}")
    if not repo.branch:
        raise LandRefused(f"{repo.top} has no branch checked out", next="git switch BRANCH")
    if not repo.head:
        raise LandRefused(
            f"{repo.branch} has no commit to merge into",
            next="git add -A && git commit -m 'First commit'",
        )
    return repo


def _tip(repo: Repository, branch: str) -> str:
    tip = resolve(repo.top, f"refs/heads/{branch}")
    if not tip:
        raise LandRefused(f"there is no branch {branch}", next="git branch --list 'smithers/*'")
    if branch == repo.branch:
        raise LandRefused(f"{branch} itself is checked out in {repo.top}", next="git switch BRANCH")
    return tip


def _root(repo: Repository, tip: str) -> str:
    return line(git(repo.top, "rev-list", "--max-parents=0", "--max-count=1", tip))


def _merged_tree(repo: Repository, branch: str) -> str:
    """Find the tree that the merge will give, touching no file; empty on a git before 2.38."""
    args = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", "HEAD")
    done = git(repo.top, *args, f"refs/heads/{branch}", check=False, own=True)
    if done.code == 0:
        return fields(done)[0]
    if done.code == 1:
        raise LandRefused(
            f"conflicts with {repo.branch} in {_list(fields(done)[1:])}",
            kept="nothing was merged",
            next=f"git merge {branch}, or take {repo.branch} into {branch} first",
        )
    return ""


def _check_files(repo: Repository, branch: str, merged: str) -> None:
    """Refuse to touch a file that has changes which no commit holds."""
    status = git(
        repo.top,
        *("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no"),
        "--ignore-submodules=all",
        own=True,
        env={"GIT_OPTIONAL_LOCKS": "0"},
    )
    entries = [(entry[:2], entry[3:]) for entry in fields(status)]
    target = merged or f"refs/heads/{branch}"
    args = ("diff-tree", "-r", "-z", "--no-renames", "--name-status", "HEAD", target)
    words = fields(git(repo.top, *args))
    coming = dict(zip(words[1::2], words[::2], strict=True))
    dirty = [path for _, path in entries if path in coming]
    if dirty:
        raise LandRefused(
            f"{_list(dirty)} changed in {repo.top} and in {branch}",
            kept="nothing was merged",
            next="commit or stash these changes",
        )
    staged = [path for state, path in entries if state[0] not in " ?"]
    if staged:
        raise LandRefused(
            f"{_list(staged)} staged in {repo.top}: git merges only with nothing staged",
            kept="nothing was merged",
            next="git commit, or git restore --staged",
        )
    # Git overwrites an ignored file without a word.
    in_the_way = [
        path
        for path, state in coming.items()
        if state == "A" and os.path.lexists(repo.top / path) and not (repo.top / path).is_dir()
    ]
    if in_the_way:
        raise LandRefused(
            f"{_list(in_the_way)} in {repo.top} would be overwritten, and no commit holds it",
            kept="nothing was merged",
            next="move it away, or commit it",
        )


def _merge(repo: Repository, branch: str, message: str) -> Completed:
    flags = ("--no-ff", "--no-squash", "--commit", "--no-edit", "--no-autostash", "--quiet")
    args = ("merge", *flags, "-m", message, f"refs/heads/{branch}")
    try:
        return git(repo.top, *args, check=False, own=True, env=_missing_identity(repo))
    except VcsError:
        # Such as a hook that never ends.
        _undo(repo)
        raise


def _missing_identity(repo: Repository) -> dict[str, str]:
    """Give ours for what neither config nor environment says of the person."""
    given = {
        part: bool(os.environ.get(f"GIT_COMMITTER_{part}"))
        or bool(part == "EMAIL" and os.environ.get("EMAIL"))
        or git(repo.top, "config", f"user.{part.lower()}", check=False).code == 0
        for part in ("NAME", "EMAIL")
    }
    return {
        name: value
        for name, value in IDENTITY.items()
        if not given[name.rpartition("_")[2]] and not os.environ.get(name)
    }


def _undo(repo: Repository) -> None:
    """Take back a merge that began, such as one that a hook refused; other changes stay."""
    if (repo.git_dir / "MERGE_HEAD").exists():
        git(repo.top, "merge", "--abort", own=True, check=False)


def _said(done: Completed) -> str:
    """Quote what a hook or git gave as the reason, not what git adds to it."""
    lines = (done.err.strip() or done.out.strip()).splitlines()
    reasons = [text for text in lines if not text.startswith(_CHATTER)]
    return last_words(replace(done, err=b"\n".join(reasons or lines)))


def _list(paths: list[str]) -> str:
    names = sorted(set(paths))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
