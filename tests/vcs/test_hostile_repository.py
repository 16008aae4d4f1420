"""A repository whose every setting runs a program: no verb but `land` runs one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from vcs_repo import Repo

from smithers.vcs.diffs import files, patch
from smithers.vcs.git import git
from smithers.vcs.repository import Repository, discover, main_checkout
from smithers.vcs.snapshots import commit_to_branch, restore, take
from smithers.vcs.worktrees import create, exists

HOOKS = [
    "post-checkout",
    "post-index-change",
    "reference-transaction",
    "pre-commit",
    "commit-msg",
    "post-commit",
    "prepare-commit-msg",
    "post-rewrite",
    "pre-auto-gc",
    "fsmonitor-watchman",
    "post-merge",
    "pre-merge-commit",
]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def trap(repo: Repo, mark: Path, tmp_path: Path) -> Repo:
    """Everything of reliability.md 3.2, in config, an included file, hooks and attributes."""
    program = tmp_path / "evil"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> "{mark}"\ncat 2>/dev/null\n')
    program.chmod(0o755)
    for hook in HOOKS:
        target = repo.top / ".git" / "hooks" / hook
        target.parent.mkdir(exist_ok=True)
        target.write_text(program.read_text())
        target.chmod(0o755)
    included = tmp_path / "included"
    included.write_text(
        f'[filter "inc"]\n\tclean = {program} inc\n\tsmudge = {program} inc\n\trequired\n'
        f"[core]\n\tfsmonitor = {program} included\n"
    )
    with (repo.top / ".git" / "config").open("a") as config:
        config.write(
            f"""
[core]
    fsmonitor = {program} fsmonitor
    pager = {program} pager
    editor = {program} editor
    sshCommand = {program} ssh
    untrackedCache = true
[diff]
    external = {program} external
[diff "tc"]
    textconv = {program} textconv
    command = {program} command
[filter "f"]
    clean = {program} clean
    smudge = {program} smudge
    required = true
[FILTER "p=q"]
    process = {program} process
    clean = {program} clean
[gpg]
    program = {program} gpg
[commit]
    gpgSign = true
[log]
    showSignature = true
[credential]
    helper = {program} credential
[include]
    path = {included}
"""
        )
    repo.write(
        ".gitattributes",
        "a.txt filter=f diff=tc\nb.txt filter=p=q diff=tc\n*.md filter=inc\n*.sub filter=f\n",
    )
    return repo


def _discover(repo: Repo) -> Repository:
    found = discover(repo.top)
    assert found is not None
    return found


def test_no_program_of_the_repository_runs(trap: Repo, mark: Path, work: Path) -> None:
    base = trap.git("rev-parse", "HEAD")
    trap.write("a.txt", "dirty\n")
    trap.write("b.txt", "dirty\n")
    trap.write("c.md", "new\n")
    found = _discover(trap)
    main_checkout(trap.top)
    git(trap.top, "status")
    first = take(trap.top, "refs/smithers/r/1", message="in place")
    assert (
        trap.git(
            "-c",
            "core.fsmonitor=",
            "show",
            "--no-textconv",
            "--no-ext-diff",
            "--no-show-signature",
            f"{first.commit}:a.txt",
        )
        == "dirty"
    )
    mark.unlink(missing_ok=True)
    files(trap.top, base, first.commit)
    patch(trap.top, base, first.commit)
    tree = create(found, "run1", work, base=first.commit)
    assert exists(work)
    assert [note.split()[1] for note in tree.notes if note.startswith("filter")] == [
        "f",
        "inc",
        "p=q",
    ]
    there = Repo(work)
    there.write("a.txt", "other\n")
    there.write("d.md")
    (work / "b.txt").unlink()
    second = take(work, "refs/smithers/r/2", message="worktree", parent=first.commit)
    restore(work, first.commit)
    assert (work / "a.txt").read_text() == "dirty\n"
    restore(work, second.commit)
    commit_to_branch(work, "work")
    patch(work, first.commit, second.commit)
    assert not mark.exists(), mark.read_text()


def test_a_hostile_repository_inside_runs_nothing_either(
    trap: Repo, mark: Path, work: Path, tmp_path: Path
) -> None:
    """Git itself looks into nested repositories with `git status` of their own config."""
    plain = _discover(trap)
    create(plain, "run1", work)
    nested = Repo(work / "nested")
    nested.top.mkdir()
    nested.git("init", "-q")
    nested.write("x.sub")
    nested.git("add", "-A")
    nested.git("-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-m", "m")
    take(work, "refs/smithers/r/1", message="m")
    with (nested.top / ".git" / "config").open("a") as config:
        config.write(f'[filter "deep"]\n\tclean = echo deep >> "{mark}"; cat\n')
    nested.write(".gitattributes", "*.sub filter=deep\n")
    nested.write("x.sub", "y\n")
    mark.unlink(missing_ok=True)
    taken = take(work, "refs/smithers/r/2", message="m")
    assert taken.incomplete == ("nested: a repository of its own",)
    restore(work, taken.commit)
    assert not mark.exists(), mark.read_text()


def test_the_trap_is_one(trap: Repo, mark: Path) -> None:
    trap.write("a.txt", "dirty\n")
    trap.git("add", "-A", check=False)
    trap.git("update-ref", "refs/trap", "HEAD")
    for part in ("evil included", "evil clean", "reference-transaction"):
        assert part in mark.read_text()


def test_the_persons_own_filters_stay_on(repo: Repo, home: Path) -> None:
    (home / ".gitconfig").write_text('[filter "up"]\n\tclean = tr a-z A-Z\n')
    repo.write(".gitattributes", "*.up filter=up\n")
    repo.write("x.up", "shout\n")
    assert repo.tree(take(repo.top, "refs/smithers/r/1", message="m").commit)["x.up"] == "SHOUT"


def test_a_filter_of_the_person_cannot_be_replaced_by_the_repository(
    repo: Repo, home: Path, mark: Path
) -> None:
    (home / ".gitconfig").write_text('[filter "up"]\n\tclean = tr a-z A-Z\n')
    repo.git("config", "filter.up.clean", f"touch '{mark}'; cat")
    repo.write(".gitattributes", "*.up filter=up\n")
    repo.write("x.up", "shout\n")
    assert repo.tree(take(repo.top, "refs/smithers/r/1", message="m").commit)["x.up"] == "SHOUT"
    repo.git("config", "filter.up.process", f"touch '{mark}'")
    repo.write("x.up", "quiet\n")
    assert repo.tree(take(repo.top, "refs/smithers/r/2", message="m").commit)["x.up"] == "quiet"
    assert not mark.exists()


def test_nothing_is_fetched(repo: Repo, mark: Path, tmp_path: Path) -> None:
    """A partial clone fetches what it lacks by a program that its config names."""
    repo.git("config", "uploadpack.allowFilter", "true")
    partial = Repo(tmp_path / "partial")
    repo.git(
        "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{repo.top}", str(partial.top)
    )
    partial.git("config", "remote.origin.uploadpack", f"touch '{mark}'; git-upload-pack")
    act: Callable[[], object] = lambda: patch(partial.top, "", "HEAD")  # noqa: E731
    with pytest.raises(Exception, match="git diff-tree failed"):
        act()
    assert not mark.exists()
