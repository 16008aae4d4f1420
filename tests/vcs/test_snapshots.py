"""Snapshots of files and the way back, beside a person who works in the same repository."""

import multiprocessing
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from vcs_repo import Repo

from smithers.errors import VcsError
from smithers.vcs import git as git_module
from smithers.vcs import workspace
from smithers.vcs.repository import discover
from smithers.vcs.snapshots import Snapshot, commit_to_branch, ref, restore, take
from smithers.vcs.worktrees import create

REF = "refs/smithers/r/x"


def snap(top: Path, name: str = REF) -> Snapshot:
    return take(top, name, message="snapshot")


@pytest.fixture
def worktree(repo: Repo, work: Path) -> Repo:
    found = discover(repo.top)
    assert found is not None
    return Repo(create(found, "run1", work).path)


def test_a_snapshot_holds_all_but_the_ignored_and_moves_nothing(repo: Repo) -> None:
    repo.write("b.txt", "stashed\n")
    repo.git("stash", "-q")
    repo.write("a.txt", "dirty\n")
    repo.write("staged.txt")
    repo.git("add", "staged.txt")
    (repo.top / "dir" / "c.txt").unlink()
    before = repo.state()
    taken = snap(repo.top)
    assert repo.state() == before
    assert repo.tree(taken.commit) == {
        ".gitignore": "*.log",
        "a.txt": "dirty",
        "b.txt": "bee",
        "staged.txt": "x",
    }
    assert repo.git("rev-parse", REF) == taken.commit
    assert repo.git("rev-parse", f"{REF}^{{tree}}") == taken.tree
    assert taken.incomplete == ()


def test_a_snapshot_is_four_processes(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    real = git_module.run
    monkeypatch.setattr(
        git_module, "run", lambda argv, **rest: (ran.append(argv), real(argv, **rest))[1]
    )
    snap(repo.top)
    assert len(ran) == 4
    snap(repo.top, REF + "2")
    assert len(ran) == 8


def test_a_second_snapshot_has_its_parent_and_may_be_equal(repo: Repo) -> None:
    first = snap(repo.top)
    second = take(repo.top, "refs/smithers/r/y", message="again", parent=first.commit)
    assert second.tree == first.tree
    assert repo.git("rev-parse", f"{second.commit}^") == first.commit


def test_the_author_is_smithers_whoever_the_person_is(repo: Repo) -> None:
    taken = snap(repo.top)
    assert (
        repo.git("log", "-1", "--format=%an %ae %cn", taken.commit)
        == "Smithers smithers@localhost Smithers"
    )


def test_works_without_any_commit_or_identity(empty: Repo) -> None:
    empty.git("config", "--unset", "user.name")
    empty.git("config", "--unset", "user.email")
    empty.write("new.txt")
    before = empty.state()
    taken = snap(empty.top)
    assert empty.tree(taken.commit) == {"new.txt": "x"}
    assert empty.state() == before


def test_works_with_a_detached_head(repo: Repo) -> None:
    repo.git("checkout", "-q", "--detach")
    repo.write("a.txt", "dirty\n")
    before = repo.state()
    assert repo.tree(snap(repo.top).commit)["a.txt"] == "dirty"
    assert repo.state() == before


def test_works_in_the_middle_of_a_conflict(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "side")
    repo.write("a.txt", "side\n")
    repo.commit()
    repo.git("checkout", "-q", "main")
    repo.write("a.txt", "main\n")
    repo.commit()
    repo.git("merge", "side", check=False)
    before = repo.state()
    assert "<<<<<<<" in repo.tree(snap(repo.top).commit)["a.txt"]
    assert repo.state() == before


@pytest.mark.parametrize(
    "name", ["with space", "new\nline", "tab\there", "ünïcödé 🎉", "*", ":(top)", "-f", '"q"']
)
def test_any_name_is_kept_and_brought_back(worktree: Repo, name: str) -> None:
    worktree.write(f"{name}/{name}", "content")
    taken = snap(worktree.top)
    assert worktree.tree(taken.commit)[f"{name}/{name}"] == "content"
    (worktree.top / name / name).write_text("other")
    restore(worktree.top, taken.commit)
    assert (worktree.top / name / name).read_text() == "content"


def test_a_name_that_is_no_utf8_is_kept(repo: Repo) -> None:
    path = os.fsencode(repo.top) + b"/\xff\xfe"
    with open(path, "w") as file:  # noqa: PTH123 - bytes, no Path
        file.write("x")
    assert os.fsdecode(b"\xff\xfe") in repo.tree(snap(repo.top).commit)


def test_symlinks_and_the_executable_bit_are_kept(worktree: Repo) -> None:
    (worktree.top / "link").symlink_to("nowhere")
    worktree.write("run.sh").chmod(0o755)
    taken = snap(worktree.top)
    (worktree.top / "link").unlink()
    (worktree.top / "run.sh").chmod(0o644)
    restore(worktree.top, taken.commit)
    assert (worktree.top / "link").readlink() == Path("nowhere")
    assert os.access(worktree.top / "run.sh", os.X_OK)


def test_a_nested_repository_without_commits_makes_it_incomplete(repo: Repo) -> None:
    nested = Repo(repo.top / "sub dir")
    nested.top.mkdir()
    nested.git("init", "-q")
    nested.write("inside.txt")
    repo.write("beside.txt")
    taken = snap(repo.top)
    assert taken.incomplete == ("sub dir: a repository of its own without commits",)
    assert repo.tree(taken.commit)["beside.txt"] == "x"
    assert repo.tree(taken.commit)["a.txt"]


def test_a_nested_repository_with_commits_is_named_each_time(repo: Repo) -> None:
    nested = Repo(repo.top / "sub")
    nested.top.mkdir()
    nested.git("init", "-q")
    nested.write("inside.txt")
    nested.git("add", "-A")
    nested.git("-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "-m", "inside")
    assert snap(repo.top).incomplete == ("sub: a repository of its own",)
    assert snap(repo.top, REF + "2").incomplete == ("sub: a repository of its own",)


@pytest.mark.parametrize("version", ["2", "4"])
def test_a_submodule_with_files_in_it_is_named(repo: Repo, tmp_path: Path, version: str) -> None:
    repo.git("clone", "-q", ".", str(tmp_path / "lib"))
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../lib", "lib")
    repo.commit()
    repo.git("update-index", "--index-version", version)
    repo.write("lib/a.txt", "dirty inside\n")
    before = repo.state()
    assert snap(repo.top).incomplete == ("lib: a repository of its own",)
    assert repo.state() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_makes_it_incomplete(repo: Repo) -> None:
    repo.write("secret.txt").chmod(0)
    repo.write("beside.txt")
    taken = snap(repo.top)
    assert taken.incomplete == ("secret.txt: permission denied",)
    assert "beside.txt" in repo.tree(taken.commit)


def test_a_stale_lock_of_ours_and_a_foreign_one_of_the_person_are_no_obstacle(repo: Repo) -> None:
    snap(repo.top)
    own = workspace.of(repo.top)
    Path(f"{own.index}.lock").touch()
    Path(own.common_dir / f"{REF}.lock").touch()
    foreign = repo.top / ".git" / "index.lock"
    foreign.touch()
    repo.write("a.txt", "new\n")
    assert repo.tree(snap(repo.top).commit)["a.txt"] == "new"
    assert foreign.exists()


def test_a_damaged_index_of_ours_is_made_anew(repo: Repo) -> None:
    snap(repo.top)
    workspace.of(repo.top).index.write_bytes(b"DIRC rubbish")
    repo.write("a.txt", "new\n")
    assert repo.tree(snap(repo.top).commit)["a.txt"] == "new"


def test_a_change_of_the_same_size_in_the_same_instant_is_seen(repo: Repo) -> None:
    stat = (repo.top / "b.txt").stat()
    repo.write("b.txt", "eeb\n")
    os.utime(repo.top / "b.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert repo.tree(snap(repo.top).commit)["b.txt"] == "eeb"


def test_a_ref_that_is_there_already_is_moved(repo: Repo) -> None:
    snap(repo.top)
    repo.write("a.txt", "after the crash\n")
    again = snap(repo.top)
    assert repo.git("rev-parse", REF) == again.commit


def test_snapshots_survive_gc(repo: Repo) -> None:
    repo.write("a.txt", "only here\n")
    taken = snap(repo.top)
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    assert repo.tree(taken.commit)["a.txt"] == "only here"
    assert snap(repo.top).tree == taken.tree


def test_a_ref_elsewhere_is_refused(repo: Repo) -> None:
    with pytest.raises(VcsError, match="lives under refs/smithers/"):
        take(repo.top, "refs/heads/main", message="no")


def test_line_endings_that_git_would_warn_of_are_no_obstacle(repo: Repo) -> None:
    repo.git("config", "core.autocrlf", "input")
    repo.git("config", "core.safecrlf", "true")
    repo.write("crlf.txt", "a\r\nb\n")
    assert "crlf.txt" in repo.tree(snap(repo.top).commit)


def test_snapshots_at_once_wait_for_each_other(repo: Repo) -> None:
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda n: snap(repo.top, f"refs/smithers/r/{n}"), range(8)))
    assert len({one.tree for one in taken}) == 1


def _hold(folder: Path, ready: object) -> None:
    with workspace.locked(folder):
        ready.set()  # type: ignore[attr-defined]
        signal.pause()


def test_the_lock_goes_with_a_killed_holder(repo: Repo) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(workspace.of(repo.top).own, ready))
    holder.start()
    assert ready.wait(30)
    holder.kill()
    holder.join()
    assert snap(repo.top).commit


def test_restore_brings_back_and_removes_but_keeps_the_ignored(worktree: Repo) -> None:
    worktree.write("new.txt", "kept\n")
    worktree.write("keep.log", "ignored\n")
    worktree.write("dir/keep.log", "ignored\n")
    taken = snap(worktree.top)
    (worktree.top / "new.txt").unlink()
    (worktree.top / "a.txt").unlink()
    worktree.write("a.txt/now a folder/x")
    worktree.write("b.txt", "changed\n")
    worktree.write("more/deep/file.txt")
    worktree.write("more2/only.log")
    (worktree.top / "dir" / "c.txt").unlink()
    snap(worktree.top, REF + "2")
    before = worktree.git("rev-parse", "HEAD"), worktree.git("symbolic-ref", "HEAD")
    restore(worktree.top, taken.commit)
    assert snap(worktree.top, REF + "3").tree == taken.tree
    assert not (worktree.top / "more").exists()
    assert (worktree.top / "keep.log").exists()
    assert (worktree.top / "dir" / "keep.log").exists()
    assert (worktree.top / "more2" / "only.log").exists()
    assert (worktree.top / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert (worktree.git("rev-parse", "HEAD"), worktree.git("symbolic-ref", "HEAD")) == before


def test_restore_goes_by_the_ignore_rules_of_the_snapshot(worktree: Repo) -> None:
    worktree.write("secret.log", "was ignored\n")
    taken = snap(worktree.top)
    worktree.write(".gitignore", "*.tmp\n")
    worktree.write("hidden.tmp", "ignored only by the new rules\n")
    worktree.write("new/.gitignore", "*\n!.gitignore\n")
    worktree.write("new/deeper/hidden.txt")
    snap(worktree.top, REF + "2")
    restore(worktree.top, taken.commit)
    assert (worktree.top / "secret.log").read_text() == "was ignored\n"
    assert not (worktree.top / "hidden.tmp").exists()
    assert not (worktree.top / "new").exists()


def test_restore_leaves_files_alone_that_are_the_same(worktree: Repo) -> None:
    taken = snap(worktree.top)
    before = (worktree.top / "b.txt").stat()
    worktree.write("a.txt", "changed\n")
    restore(worktree.top, taken.commit)
    after = (worktree.top / "b.txt").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_restore_touches_no_checkout_of_the_person(repo: Repo) -> None:
    taken = snap(repo.top)
    repo.write("a.txt", "work of an hour\n")
    with pytest.raises(VcsError, match="not the worktree of a run"):
        restore(repo.top, taken.commit)
    assert (repo.top / "a.txt").read_text() == "work of an hour\n"


def test_a_worktree_inside_the_checkout_that_lost_its_git_file_is_not_the_checkout(
    repo: Repo,
) -> None:
    state = repo.top / ".smithers" / "state"
    state.mkdir(parents=True)
    Repo(state).git("init", "-q")
    (state / "smithers.db").touch()
    found = discover(repo.top)
    assert found is not None
    tree = create(found, "run1", state / "worktrees" / "run1")
    taken = snap(tree.path)
    (tree.path / ".git").unlink()
    before = repo.state()
    for act in (
        lambda: snap(tree.path),
        lambda: restore(tree.path, taken.commit),
        lambda: commit_to_branch(tree.path, "m"),
    ):
        with pytest.raises(VcsError):
            act()
    assert repo.state() == before
    assert not Repo(state).git("for-each-ref")


def test_restore_of_a_snapshot_that_is_gone_says_so(worktree: Repo) -> None:
    with pytest.raises(VcsError, match="there is no snapshot"):
        restore(worktree.top, "0" * 39 + "1")


def test_all_changes_become_one_commit_of_the_branch(worktree: Repo) -> None:
    worktree.write("a.txt", "changed\n")
    worktree.write("new.txt")
    (worktree.top / "b.txt").unlink()
    base = worktree.git("rev-parse", "HEAD")
    commit = commit_to_branch(worktree.top, "Grüße\n\nbody")
    assert worktree.git("rev-parse", "HEAD", "smithers/run1") == f"{commit}\n{commit}"
    assert worktree.git("rev-parse", f"{commit}^") == base
    assert worktree.git("status", "--porcelain") == ""
    assert worktree.git("log", "-1", "--format=%an|%B", commit).startswith("Smithers|Grüße\n\nbody")
    assert commit_to_branch(worktree.top, "again") == commit


def test_what_an_agent_committed_stays_below_ours(worktree: Repo) -> None:
    worktree.write("a.txt", "by the agent\n")
    theirs = worktree.commit("agent")
    assert commit_to_branch(worktree.top, "nothing more") == theirs
    worktree.write("b.txt", "and more\n")
    ours = commit_to_branch(worktree.top, "rest")
    assert worktree.git("rev-parse", f"{ours}^") == theirs


def test_what_an_agent_committed_on_another_branch_comes_along(worktree: Repo) -> None:
    worktree.git("checkout", "-q", "-b", "feature")
    worktree.write("a.txt", "by the agent\n")
    theirs = worktree.commit("agent")
    worktree.write("b.txt", "and more\n")
    ours = commit_to_branch(worktree.top, "rest")
    assert worktree.git("rev-parse", "smithers/run1", f"{ours}^") == f"{ours}\n{theirs}"
    assert worktree.git("rev-parse", "feature") == theirs


def test_a_rewritten_branch_of_an_agent_keeps_both_sides(worktree: Repo) -> None:
    worktree.write("a.txt", "first try\n")
    first = commit_to_branch(worktree.top, "first")
    worktree.git("checkout", "-q", "--detach", "HEAD^")
    worktree.write("a.txt", "second try\n")
    second = worktree.commit("agent")
    ours = commit_to_branch(worktree.top, "both")
    assert worktree.git("rev-parse", f"{ours}^1", f"{ours}^2") == f"{first}\n{second}"
    assert worktree.tree(ours)["a.txt"] == "second try"


def test_ref_names_are_legal_and_distinct_whatever_the_parts() -> None:
    parts = [
        "build[2]/code",
        "build/2",
        "a..b",
        ".a",
        "a.lock",
        "",
        "a.",
        "ä",
        "%",
        "%25",
        "x@{",
        "base",
        "~^:?*\\ \x7f",
    ]
    names = [ref("run", part, 1) for part in parts]
    assert len(set(names)) == len(names)
    for name in names:
        assert subprocess.run(["git", "check-ref-format", name], check=False).returncode == 0, name
