"""What a diff shows, and that nothing can make it show less."""

from pathlib import Path

import pytest
from vcs_repo import Repo

from smithers.errors import VcsError
from smithers.vcs.diffs import Changed, files, patch


def test_files_with_their_counts(repo: Repo) -> None:
    left = repo.git("rev-parse", "HEAD")
    repo.write("a.txt", "one\n2\nthree\nfour\n")
    (repo.top / "b.txt").unlink()
    repo.write("new\nname é.txt", "x\n")
    repo.write("bin", b"\0\1\2")
    (repo.top / "dir" / "c.txt").rename(repo.top / "moved.txt")
    right = repo.commit()
    assert {item.path: item for item in files(repo.top, left, right)} == {
        "a.txt": Changed("a.txt", "M", 2, 1, binary=False),
        "b.txt": Changed("b.txt", "D", 0, 1, binary=False),
        "new\nname é.txt": Changed("new\nname é.txt", "A", 1, 0, binary=False),
        "bin": Changed("bin", "A", 0, 0, binary=True),
        "moved.txt": Changed("moved.txt", "R", 0, 0, binary=False, old="dir/c.txt"),
    }


def test_the_patch_of_all_files_and_of_one(repo: Repo) -> None:
    left = repo.git("rev-parse", "HEAD")
    repo.write("a.txt", "one\nzwei €\nthree\n")
    repo.write("b.txt", b"bee \xff\n")
    (repo.top / "dir" / "c.txt").rename(repo.top / "moved.txt")
    right = repo.commit()
    text = patch(repo.top, left, right)
    assert "-two\n+zwei €\n" in text
    assert "+bee \udcff\n" in text
    assert "rename from dir/c.txt\nrename to moved.txt" in text
    assert patch(repo.top, left, right, path="a.txt").count("diff --git") == 1
    assert "rename from dir/c.txt" in patch(repo.top, left, right, path="moved.txt")
    assert patch(repo.top, left, right, path="*.txt") == ""


def test_a_change_of_a_binary_file_changes_the_patch(repo: Repo) -> None:
    left = repo.git("rev-parse", "HEAD")
    repo.write("bin", b"\0one")
    first = repo.commit()
    repo.write("bin", b"\0two")
    second = repo.commit()
    one, two = patch(repo.top, left, first), patch(repo.top, left, second)
    assert "Binary files /dev/null and b/bin differ" in one
    assert one != two


def test_the_same_on_both_sides_is_nothing(repo: Repo) -> None:
    assert files(repo.top, "HEAD", "HEAD") == []
    assert patch(repo.top, "HEAD", "HEAD") == ""


def test_against_nothing_all_files_are_new(repo: Repo) -> None:
    assert {item.status for item in files(repo.top, "", "HEAD")} == {"A"}
    assert len(files(repo.top, "", "HEAD")) == 4


def test_attributes_of_the_checkout_hide_nothing(repo: Repo, work: Path) -> None:
    repo.git("worktree", "add", "-q", str(work))
    there = Repo(work)
    left = there.git("rev-parse", "HEAD")
    there.write(".gitattributes", "* -diff\n*.txt binary\n")
    there.write("a.txt", "evil\n")
    right = there.commit()
    repo.write(".gitattributes", "* -diff\n")
    repo.git("add", ".gitattributes")
    for folder in (repo.top, work):
        assert "+evil\n" in patch(folder, left, right)
        assert not any(item.binary for item in files(folder, left, right))


def test_the_persons_diff_settings_do_not_matter(repo: Repo) -> None:
    left = repo.git("rev-parse", "HEAD")
    repo.write("a.txt", "one\n2\nthree\n")
    right = repo.commit()
    plain = patch(repo.top, left, right)
    for key, value in {
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "color.ui": "always",
        "diff.renames": "false",
        "diff.context": "0",
        "diff.submodule": "log",
    }.items():
        repo.git("config", key, value)
    assert patch(repo.top, left, right) == plain


def test_what_is_no_commit_is_an_error(repo: Repo) -> None:
    with pytest.raises(VcsError):
        files(repo.top, "nothing", "HEAD")
    with pytest.raises(VcsError, match="is no commit"):
        patch(repo.top, "--output=/tmp/x", "HEAD")
