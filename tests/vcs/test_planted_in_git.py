"""What an attempt can leave in git's own folders so that our git, later, harms somebody."""

from pathlib import Path

import pytest
from vcs_repo import Repo

from smithers.vcs import layout
from smithers.vcs.git import git
from smithers.vcs.repository import Repository, discover
from smithers.vcs.snapshots import commit_to_branch, restore, take
from smithers.vcs.worktrees import create


def _known(repo: Repo) -> Repository:
    found = discover(repo.top)
    assert found is not None
    return found


@pytest.fixture
def admin(repo: Repo, work: Path) -> Path:
    """Git's folder of a worktree that is there."""
    create(_known(repo), "run1", work)
    return repo.top / ".git/worktrees/run1"


def test_the_config_of_a_worktree_leads_to_no_other_files(
    repo: Repo, work: Path, admin: Path, tmp_path: Path
) -> None:
    first = take(work, "refs/smithers/run1/1", message="m")
    repo.git("config", "extensions.worktreeConfig", "true")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    (outside / "a.txt").write_text("mine")
    (admin / "config.worktree").write_text(f"[core]\n\tworktree = {outside}\n")
    Repo(work).write("a.txt", "changed\n")
    (work / "added").touch()
    second = take(work, "refs/smithers/run1/2", message="m")
    assert "added" in repo.tree(second.commit)
    restore(work, first.commit)
    assert {each.name: each.read_text() for each in outside.iterdir()} == {
        "precious": "mine",
        "a.txt": "mine",
    }
    assert (work / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert not (work / "added").exists()


def test_a_checkout_that_says_it_is_a_worktree_is_cured_and_it_is_said(
    repo: Repo, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    evil = Repo(repo.top / "evil")
    evil.top.mkdir()
    evil.git("init", "-q", "--bare")
    evil.git("config", "core.bare", "false")
    evil.git("config", "core.fsmonitor", f"touch {mark}; false")
    planted = repo.top / ".git/commondir"
    planted.write_text("../evil\n")
    repo.git("status", check=False)
    assert mark.exists(), "the trap is one"
    mark.unlink()
    found = layout.at(repo.top)
    assert found is not None
    assert found.common_dir == found.git_dir
    taken = take(repo.top, "refs/smithers/r/1", message="m")
    assert not planted.exists()
    assert [note for note in taken.incomplete if ".git/commondir" in note]
    repo.git("status")
    assert not mark.exists()
    planted.mkdir()
    git(repo.top, "status")
    assert not planted.exists()


@pytest.mark.parametrize("link", ["branch", "HEAD", "folder"])
def test_no_reflog_is_written_through_a_symlink(
    repo: Repo, work: Path, admin: Path, tmp_path: Path, link: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "HEAD").write_text("mine")
    places = {
        "branch": (repo.top / ".git/logs/refs/heads/smithers/run1", victim / "HEAD"),
        "HEAD": (admin / "logs/HEAD", victim / "HEAD"),
        "folder": (admin / "logs", victim),
    }
    place, target = places[link]
    (place.rename if place.exists() else place.mkdir)(tmp_path / "old")
    place.symlink_to(target)
    Repo(work).write("a.txt", "changed\n")
    assert commit_to_branch(work, "work")
    assert (victim / "HEAD").read_text() == "mine"


def test_no_index_is_written_through_a_symlink(
    repo: Repo, work: Path, admin: Path, tmp_path: Path
) -> None:
    (admin / "index").unlink()
    (admin / "index").symlink_to(tmp_path / "victim")
    Repo(work).write("a.txt", "changed\n")
    assert commit_to_branch(work, "work")
    assert not (tmp_path / "victim").exists()


def test_a_branch_that_stands_for_another_moves_only_itself(repo: Repo, work: Path) -> None:
    create(_known(repo), "run1", work)
    before = repo.git("rev-parse", "main")
    repo.git("symbolic-ref", "refs/heads/smithers/run1", "refs/heads/main")
    Repo(work).write("a.txt", "changed\n")
    new = commit_to_branch(work, "work")
    assert repo.git("rev-parse", "main") == before
    assert repo.git("rev-parse", "smithers/run1") == new
