"""Landing a run's branch, or leaving the checkout as it was."""

from pathlib import Path

import pytest
from vcs_repo import Repo

from smithers.errors import LandRefused
from smithers.vcs.land import describe, land
from smithers.vcs.repository import discover
from smithers.vcs.snapshots import commit_to_branch
from smithers.vcs.worktrees import create

BRANCH = "smithers/run1"


@pytest.fixture
def run(repo: Repo, work: Path) -> Repo:
    """A run that changed `a.txt` and added `new.txt`."""
    found = discover(repo.top)
    assert found is not None
    there = Repo(create(found, "run1", work).path)
    there.write("a.txt", "one\ntwo\nthree\nby the run\n")
    there.write("new.txt", "by the run\n")
    commit_to_branch(work, "work")
    return there


def refused(repo: Repo, *parts: str, branch: str = BRANCH) -> LandRefused:
    """Landing says no, with these words, and moves nothing."""
    before = repo.state()
    with pytest.raises(LandRefused) as caught:
        land(repo.top, branch, message="Land it")
    assert repo.state() == before
    for part in parts:
        assert part in str(caught.value)
    return caught.value


def test_a_branch_is_merged_by_a_merge_commit_of_the_person(repo: Repo, run: Repo) -> None:
    commit = land(repo.top, BRANCH, message="Land it\n\nwith a body")
    assert repo.git("rev-parse", "HEAD") == commit
    assert repo.git("rev-parse", "HEAD^2") == repo.git("rev-parse", BRANCH)
    assert repo.git("log", "-1", "--format=%an|%cn|%s|%b") == "Ada|Ada|Land it|with a body\n" or (
        repo.git("log", "-1", "--format=%an|%cn|%s|%b").startswith("Ada|Ada|Land it|with a body")
    )
    assert (repo.top / "new.txt").read_text() == "by the run\n"
    assert repo.git("status", "--porcelain") == ""
    assert describe(repo.top, BRANCH, commit) == f"merged {BRANCH} into main as {commit[:12]}"


def test_both_sides_of_a_merge_without_conflict_are_kept(repo: Repo, run: Repo) -> None:
    repo.write("b.txt", "main goes on\n")
    repo.commit()
    tree = repo.tree(land(repo.top, BRANCH, message="m"))
    assert tree["b.txt"] == "main goes on"
    assert tree["a.txt"].endswith("by the run")


def test_it_goes_into_whatever_branch_is_checked_out(repo: Repo, run: Repo) -> None:
    main = repo.git("rev-parse", "HEAD")
    repo.git("checkout", "-q", "-b", "feature")
    commit = land(repo.top, BRANCH, message="m")
    assert repo.git("rev-parse", "feature", "main") == f"{commit}\n{main}"
    assert "into feature" in describe(repo.top, BRANCH, commit)


def test_dirty_files_elsewhere_are_left_alone(repo: Repo, run: Repo) -> None:
    repo.write("b.txt", "dirty\n")
    repo.write("untracked.txt")
    land(repo.top, BRANCH, message="m")
    assert (repo.top / "b.txt").read_text() == "dirty\n"
    assert repo.git("status", "--porcelain") == " M b.txt\n?? untracked.txt"


def test_a_conflict_names_the_files_and_changes_nothing(repo: Repo, run: Repo) -> None:
    repo.write("a.txt", "one\ntwo\nthree\nby the person\n")
    repo.write("new.txt", "by the person\n")
    repo.commit()
    refused(repo, "conflicts with main in a.txt, new.txt", f"git merge {BRANCH}")


def test_dirty_files_that_overlap_are_named(repo: Repo, run: Repo) -> None:
    repo.write("a.txt", "dirty\n")
    refused(repo, "a.txt changed in", "commit or stash")


def test_staged_files_are_named(repo: Repo, run: Repo) -> None:
    repo.write("b.txt", "staged\n")
    repo.git("add", "b.txt")
    refused(repo, "b.txt staged in")


@pytest.mark.parametrize("rules", ["", "new.txt\n"])
def test_files_in_the_way_are_named_ignored_ones_too(repo: Repo, run: Repo, rules: str) -> None:
    (repo.top / ".git" / "info" / "exclude").write_text(rules)
    repo.write("new.txt", "precious\n")
    refused(repo, "new.txt in", "would be overwritten")
    assert (repo.top / "new.txt").read_text() == "precious\n"


def test_nothing_to_merge_is_said(repo: Repo, run: Repo) -> None:
    land(repo.top, BRANCH, message="m")
    refused(repo, "nothing to merge")


def test_a_detached_head_is_refused(repo: Repo, run: Repo) -> None:
    repo.git("checkout", "-q", "--detach")
    refused(repo, "no branch checked out")


def test_a_missing_branch_is_refused(repo: Repo) -> None:
    refused(repo, "there is no branch smithers/gone", branch="smithers/gone")
    refused(repo, "there is no branch --abort", branch="--abort")


def _diverge(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.write("b.txt", "side\n")
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.write("b.txt", "main\n")
    repo.commit()


@pytest.mark.parametrize(
    ("verb", "said"),
    [("merge", "a merge"), ("rebase", "a rebase"), ("cherry-pick", "a cherry-pick")],
)
def test_what_is_in_progress_is_named(repo: Repo, run: Repo, verb: str, said: str) -> None:
    _diverge(repo)
    repo.git(verb, "side", check=False)
    refused(repo, f"{said} is in progress", f"git {verb} --abort")


def test_a_branch_without_commits_is_refused(empty: Repo, work: Path) -> None:
    empty.write("x.txt")
    found = discover(empty.top)
    assert found is not None
    create(found, "run1", work)
    Repo(work).write("y.txt")
    commit_to_branch(work, "work")
    refused(empty, "has no commit to merge into")
    empty.commit("mine")
    error = refused(empty, "no commit in common")
    empty.git(*error.next.split()[1:])
    assert (empty.top / "y.txt").exists()


def test_the_persons_hooks_run_and_may_refuse(repo: Repo, run: Repo, tmp_path: Path) -> None:
    hook = repo.top / ".git" / "hooks" / "pre-merge-commit"
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\necho 'not on a friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    repo.write("b.txt", "dirty\n")
    with pytest.raises(LandRefused, match="not on a friday"):
        land(repo.top, BRANCH, message="m")
    assert (tmp_path / "ran").exists()
    assert not (repo.top / ".git" / "MERGE_HEAD").exists()
    assert not (repo.top / "new.txt").exists()
    assert repo.git("status", "--porcelain") == " M b.txt"
    hook.write_text("#!/bin/sh\nexit 0\n")
    assert land(repo.top, BRANCH, message="m")


def test_without_an_identity_ours_is_used(repo: Repo, run: Repo) -> None:
    repo.git("config", "--unset", "user.name")
    repo.git("config", "--unset", "user.email")
    land(repo.top, BRANCH, message="m")
    assert repo.git("log", "-1", "--format=%an %ce") == "Smithers smithers@localhost"


def test_an_identity_of_the_environment_counts(
    repo: Repo, run: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Grace")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Grace")
    land(repo.top, BRANCH, message="m")
    assert repo.git("log", "-1", "--format=%an %cn %ae") == "Grace Grace ada@example.org"


def test_settings_of_the_person_do_not_change_what_landing_is(repo: Repo, run: Repo) -> None:
    repo.git("config", "merge.ff", "only")
    repo.git("config", "branch.main.mergeOptions", "--squash")
    repo.git("config", "merge.autoStash", "true")
    repo.write("b.txt", "main goes on\n")
    repo.commit()
    commit = land(repo.top, BRANCH, message="m")
    assert len(repo.git("rev-list", "--parents", "-1", commit).split()) == 3


def test_a_locked_index_is_said_and_nothing_changes(repo: Repo, run: Repo) -> None:
    lock = repo.top / ".git" / "index.lock"
    lock.touch()
    refused(repo, "index.lock")
    lock.unlink()
    assert land(repo.top, BRANCH, message="m")
