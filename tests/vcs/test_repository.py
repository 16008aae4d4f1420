"""Finding out what a folder belongs to."""

import os
import shlex
import shutil
from pathlib import Path

import pytest
from vcs_repo import Repo

from smithers.errors import VcsError
from smithers.vcs import layout
from smithers.vcs.git import git
from smithers.vcs.repository import discover, main_checkout


def test_a_folder_that_is_no_repository_is_none(tmp_path: Path) -> None:
    assert discover(tmp_path) is None
    assert main_checkout(tmp_path) is None


def test_a_repository_is_found_from_below(repo: Repo) -> None:
    found = discover(repo.top / "dir")
    assert found is not None
    assert found.top == repo.top
    assert found.git_dir == found.common_dir == repo.top / ".git"
    assert found.head == repo.git("rev-parse", "HEAD")
    assert (found.branch, found.submodules) == ("main", ())


def test_without_commits_there_is_a_branch_and_no_head(empty: Repo) -> None:
    found = discover(empty.top)
    assert found is not None
    assert (found.head, found.branch) == ("", "main")


def test_a_detached_head_has_no_branch(repo: Repo) -> None:
    repo.git("checkout", "-q", "--detach")
    found = discover(repo.top)
    assert found is not None
    assert found.branch == ""
    assert found.head


def test_a_worktree_leads_to_its_main_checkout(repo: Repo, work: Path) -> None:
    repo.git("worktree", "add", "-q", str(work))
    found = discover(work)
    assert found is not None
    assert found.top == work
    assert found.common_dir == repo.top / ".git"
    assert main_checkout(work) == repo.top
    assert main_checkout(repo.top / "dir") == repo.top


def test_a_worktree_of_a_bare_repository_has_no_main_checkout(repo: Repo, tmp_path: Path) -> None:
    bare = Repo(tmp_path / "bare.git")
    repo.git("clone", "-q", "--bare", ".", str(bare.top))
    bare.git("worktree", "add", "-q", str(tmp_path / "w"), "main")
    assert main_checkout(tmp_path / "w") is None


def test_a_bare_repository_is_refused_in_words(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    with pytest.raises(VcsError, match="bare repository"):
        discover(tmp_path / "bare.git")


def test_a_dangling_git_file_is_an_error_and_no_checkout(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert layout.at(tmp_path) is None
    with pytest.raises(VcsError, match="not a git repository: /nowhere"):
        discover(tmp_path)


def test_the_empty_repository_of_the_state_folder_is_not_meant(repo: Repo) -> None:
    state = repo.top / ".smithers" / "state"
    (state / "logs").mkdir(parents=True)
    Repo(state).git("init", "-q")
    found = discover(state / "logs")
    assert found is not None
    assert found.top == repo.top
    assert main_checkout(state / "logs") == repo.top


def test_submodules_are_named(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", ".", str(tmp_path / "lib"))
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../lib", "my lib")
    found = discover(repo.top)
    assert found is not None
    assert found.submodules == ("my lib",)
    assert main_checkout(repo.top / "my lib") == repo.top / "my lib"


def test_a_newline_in_the_path_is_no_obstacle(tmp_path: Path) -> None:
    odd = Repo(tmp_path / "a\nb é")
    odd.top.mkdir()
    odd.git("init", "-q")
    found = discover(odd.top)
    assert found is not None
    assert found.top == odd.top


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_comes_with_the_command_to_trust_it(repo: Repo) -> None:
    shutil.chown(repo.top, 65534)
    shutil.chown(repo.top / ".git", 65534)
    with pytest.raises(VcsError) as caught:
        discover(repo.top)
    assert caught.value.next == f"git config --global --add safe.directory '{repo.top}'"
    repo.git(*shlex.split(caught.value.next)[1:])
    assert discover(repo.top) is not None


def test_leaked_variables_of_git_change_nothing(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repo(tmp_path / "other")
    other.top.mkdir()
    other.git("init", "-q")
    mark = tmp_path / "mark"
    monkeypatch.setenv("GIT_DIR", str(other.top / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.top))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"touch '{mark}'; false")
    found = discover(repo.top)
    assert found is not None
    assert found.top == repo.top
    git(repo.top, "status")
    assert not mark.exists()


def test_an_error_quotes_what_git_said(repo: Repo) -> None:
    with pytest.raises(
        VcsError, match=r"git cat-file failed in .*: fatal: Not a valid object name"
    ):
        git(repo.top, "cat-file", "-p", "nothing")


def test_no_git_on_the_path_is_said(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(VcsError, match="git is not installed"):
        discover(repo.top)


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(VcsError, match="is not there"):
        discover(tmp_path / "gone")
