"""Real repositories, with a home of their own and none of git's variables."""

import os
from pathlib import Path

import pytest
from vcs_repo import Repo


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("GIT_") or name == "EMAIL":
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Repo:
    """A repository without commits; its person has a name only in its own config."""
    repo = Repo(tmp_path / "repo")
    repo.top.mkdir()
    repo.git("init", "-q", "-b", "main")
    repo.git("config", "user.name", "Ada")
    repo.git("config", "user.email", "ada@example.org")
    return repo


@pytest.fixture
def repo(empty: Repo) -> Repo:
    """Three files, one commit, one ignored file."""
    empty.write("a.txt", "one\ntwo\nthree\n")
    empty.write("b.txt", "bee\n")
    empty.write("dir/c.txt", "sea\n")
    empty.write(".gitignore", "*.log\n")
    empty.commit("first")
    empty.write("build.log", "ignored\n")
    return empty


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where a run's worktree goes."""
    return tmp_path / "work" / "run1"
