"""A run's worktree is made once, whatever crashed in between."""

import shutil
from pathlib import Path

import pytest
from vcs_repo import Repo

from smithers.errors import VcsError
from smithers.vcs.repository import Repository, discover
from smithers.vcs.snapshots import commit_to_branch, take
from smithers.vcs.worktrees import Worktree, create, exists


def found(repo: Repo) -> Repository:
    result = discover(repo.top)
    assert result is not None
    return result


def make(repo: Repo, path: Path, **options: str) -> Worktree:
    return create(found(repo), "run1", path, **options)


def test_a_worktree_is_on_its_own_branch_locked_and_moves_nothing(repo: Repo, work: Path) -> None:
    before = repo.state()
    tree = make(repo, work)
    after = repo.state()
    assert {**after, "heads": ""} == {**before, "heads": ""}
    assert tree == Worktree(work, "smithers/run1", repo.git("rev-parse", "HEAD"), ())
    assert Repo(work).git("symbolic-ref", "--short", "HEAD") == "smithers/run1"
    assert "locked smithers run run1" in repo.git("worktree", "list", "--porcelain")
    assert (work / "a.txt").exists()
    assert exists(work)
    assert not exists(repo.top)


def test_a_second_call_changes_nothing(repo: Repo, work: Path) -> None:
    repo.write("b.txt", "dirty\n")
    first = make(repo, work)
    Repo(work).write("a.txt", "work\n")
    repo.git("checkout", "-q", "--", "b.txt")
    repo.commit("meanwhile")
    assert make(repo, work) == first
    assert (work / "a.txt").read_text() == "work\n"


def test_dirty_files_of_the_checkout_are_noted(repo: Repo, work: Path) -> None:
    repo.write("b.txt", "dirty\n")
    repo.write("new file.txt")
    repo.write(".smithers/config.toml")
    tree = make(repo, work)
    assert tree.notes == ("changes that are not committed are not in it: b.txt, new file.txt",)
    assert (work / "b.txt").read_text() == "bee\n"


def test_another_base_can_be_asked_for(repo: Repo, work: Path) -> None:
    base = repo.git("rev-parse", "HEAD")
    repo.write("b.txt", "later\n")
    repo.commit()
    assert make(repo, work, base="HEAD~1").base == base
    with pytest.raises(VcsError, match="no commit nowhere"):
        create(found(repo), "run2", work.parent / "run2", base="nowhere")


def test_without_commits_it_begins_from_the_files(empty: Repo, work: Path) -> None:
    empty.write("new.txt")
    before = empty.state()
    tree = make(empty, work)
    assert "no commit yet" in tree.notes[0]
    assert (work / "new.txt").exists()
    assert {**empty.state(), "heads": ""} == {**before, "heads": ""}
    empty.write("later.txt")
    assert make(empty, work) == tree


def test_works_from_a_detached_head(repo: Repo, work: Path) -> None:
    repo.git("checkout", "-q", "--detach")
    assert make(repo, work).base == repo.git("rev-parse", "HEAD")


def test_submodules_are_noted_as_not_captured(repo: Repo, work: Path, tmp_path: Path) -> None:
    repo.git("clone", "-q", ".", str(tmp_path / "lib"))
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../lib", "lib")
    repo.commit()
    assert make(repo, work).notes == (
        "submodule lib is empty in it, and its files are not captured",
    )


def test_a_crash_after_the_branch_is_made_good(repo: Repo, work: Path) -> None:
    repo.git("branch", "smithers/run1")
    assert make(repo, work).branch == "smithers/run1"
    assert exists(work)


def test_a_crash_in_the_middle_of_the_checkout_is_made_good(repo: Repo, work: Path) -> None:
    reason = ("--lock", "--reason", "smithers run run1")
    repo.git("worktree", "add", "-q", *reason, "--no-checkout", "-b", "smithers/run1", str(work))
    admin = Path(Repo(work).git("rev-parse", "--absolute-git-dir"))
    (admin / "index.lock").touch()
    (work / "a.txt").write_text("half")
    assert not exists(work)
    make(repo, work)
    assert exists(work)
    assert Repo(work).git("status", "--porcelain") == ""


def test_a_crash_before_the_files_is_made_good(repo: Repo, work: Path) -> None:
    reason = ("--lock", "--reason", "smithers run run1")
    repo.git("worktree", "add", "-q", *reason, "-b", "smithers/run1", str(work))
    shutil.rmtree(work)
    make(repo, work)
    assert exists(work)
    assert (work / "a.txt").exists()


def test_a_removed_worktree_comes_back_from_its_branch(repo: Repo, work: Path) -> None:
    first = make(repo, work)
    Repo(work).write("a.txt", "done\n")
    done = commit_to_branch(work, "work")
    shutil.rmtree(work)
    assert not exists(work)
    repo.commit("meanwhile")
    again = make(repo, work)
    assert again.base == first.base
    assert Repo(work).git("rev-parse", "HEAD") == done
    assert (work / "a.txt").read_text() == "done\n"


def test_a_worktree_removed_by_git_comes_back_too(repo: Repo, work: Path) -> None:
    make(repo, work)
    repo.git("worktree", "remove", "-f", "-f", str(work))
    assert not exists(work)
    make(repo, work)
    assert exists(work)


def test_prune_leaves_it_alone(repo: Repo, work: Path) -> None:
    make(repo, work)
    shutil.move(work, work.parent / "away")
    repo.git("worktree", "prune", "--expire=now")
    shutil.move(work.parent / "away", work)
    assert exists(work)
    assert Repo(work).git("status", "--porcelain") == ""


def test_a_lost_git_file_is_written_again_and_the_work_kept(repo: Repo, work: Path) -> None:
    make(repo, work)
    Repo(work).write("a.txt", "work\n")
    (work / ".git").unlink()
    assert not exists(work)
    make(repo, work)
    assert exists(work)
    assert Repo(work).git("status", "--porcelain") == " M a.txt"


def test_files_of_somebody_else_are_never_removed(repo: Repo, work: Path) -> None:
    work.mkdir(parents=True)
    (work / "precious.txt").touch()
    with pytest.raises(VcsError, match="in the way"):
        make(repo, work)
    shutil.rmtree(work)
    repo.git("worktree", "add", "-q", "-b", "mine", str(work))
    with pytest.raises(VcsError, match="in the way"):
        make(repo, work)
    assert (work / "a.txt").exists()


def test_a_branch_that_is_checked_out_elsewhere_is_said(repo: Repo, work: Path) -> None:
    repo.git("checkout", "-q", "-b", "smithers/run1")
    with pytest.raises(VcsError, match="checked out elsewhere"):
        make(repo, work)


@pytest.mark.parametrize("run", ["a..b", "a.lock", "a.", "-x", "a b", ""])
def test_an_id_that_cannot_name_a_branch_is_refused(repo: Repo, work: Path, run: str) -> None:
    with pytest.raises(VcsError, match="cannot name a branch"):
        create(found(repo), run, work)


def test_a_step_called_base_does_not_collide_with_the_base(repo: Repo, work: Path) -> None:
    make(repo, work)
    assert take(work, "refs/smithers/run1/base/1/before", message="m").commit


def test_work_goes_on_without_the_persons_identity(repo: Repo, work: Path) -> None:
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")
    repo.git("config", "user.useConfigOnly", "true")
    make(repo, work)
    Repo(work).write("a.txt", "done\n")
    assert commit_to_branch(work, "work")
