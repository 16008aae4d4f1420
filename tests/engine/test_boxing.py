"""The box around a run's workspace: what an attempt can do to the repository, other runs and Smithers."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from smithers.config import SandboxConfig
from smithers.engine.boxing import Boxes
from smithers.errors import ConfigError
from smithers.model.run import Run
from smithers.process import sandbox
from smithers.process.sandbox import Level
from smithers.service import locate
from smithers.vcs import worktrees
from smithers.vcs.repository import discover
from tests.boxes import Inside, needs_boxes

SECRET = "the-secret-word"


class Yard:
    """A repository with a run directory, in it two worktrees, a log and a database."""

    def __init__(self, root, home):
        self.root = root
        self.home = home
        self.state = locate.state_dir(root)
        root.mkdir()
        home.mkdir()
        (root / "kept.txt").write_text("kept\n")
        (root / ".env").write_text(SECRET)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Tester")
        self.git("config", "user.email", "tester@localhost")
        (root / ".gitignore").write_text(".env\n")
        (root / ".smithers").mkdir()
        (root / ".smithers/config.toml").write_text("# of the project\n")
        locate.ensure(root)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        (self.state / "logs/other").mkdir()
        (self.state / "logs/other/1.jsonl").write_text(SECRET)
        repository = discover(root)
        self.tree = worktrees.create(repository, "r", self.state / "worktrees/r").path
        self.other = worktrees.create(repository, "other", self.state / "worktrees/other").path
        (self.other / "theirs.txt").write_text(SECRET)

    def git(self, *args):
        done = subprocess.run(
            ["git", *args], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def boxes(self, *, in_place=False, asked="", **config):
        return Boxes(self.run(in_place=in_place), SandboxConfig(**config), asked, self.state)

    def run(self, *, in_place=False):
        where = self.root if in_place else self.tree
        return Run(
            "r", "flow", "", "flow.py", "", {}, 0, root=str(self.root), workspace=str(where),
            branch="" if in_place else "smithers/r",
        )  # fmt: skip

    def inside(self, *, in_place=False, **config):
        box = self.boxes(in_place=in_place, **config).for_command(self.state / "scratch/r/1")
        return Inside(box, self.home)


@pytest.fixture
def yard(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return Yard(tmp_path / "project", tmp_path / "home")


@needs_boxes
@pytest.mark.parametrize("level", ["workspace", "strict"])
def test_git_works_in_the_worktree_up_to_the_commit(yard, level):
    inside = yard.inside(level=level)
    inside.works("echo new > new.txt && git add -A && git status --short && git diff --cached")
    said = inside.works("git commit -m 'from inside' && git log --oneline && git show --stat")
    assert "new.txt" in said
    assert "rror" not in said
    assert yard.git("log", "-1", "--format=%s", "smithers/r") == "from inside"
    assert yard.git("show", "smithers/r:new.txt") == "new"


@needs_boxes
def test_it_commits_also_when_all_branches_are_packed(yard):
    yard.git("pack-refs", "--all", "--prune")
    yard.inside().works("echo new > new.txt && git add -A && git commit -qm packed")
    assert yard.git("log", "-1", "--format=%s", "smithers/r") == "packed"


@needs_boxes
@pytest.mark.parametrize("level", ["workspace", "strict"])
def test_the_run_directory_is_not_there(yard, level):
    inside = yard.inside(level=level)
    assert inside.works(f"ls -A {yard.state}").split() == ["scratch", "worktrees"]
    inside.fails(f"cat {yard.state}/smithers.db")
    inside(f"echo x > {yard.state}/smithers.db")
    inside.fails(f"cat {yard.state}/logs/other/1.jsonl")
    inside.fails(f"cat {yard.other}/theirs.txt")
    inside.fails(f"cat {yard.root}/.smithers/config.toml")
    assert (yard.state / "smithers.db").stat().st_size > 100


@needs_boxes
@pytest.mark.parametrize(
    "attack",
    [
        "git config core.fsmonitor /tmp/evil",
        "git config --worktree core.fsmonitor /tmp/evil",
        "echo x > {common}/hooks/pre-commit",
        "echo x > {common}/HEAD",
        "git update-ref refs/heads/main HEAD",
        "git update-ref refs/smithers/x HEAD",
        "git update-ref -d refs/smithers/r/@base",
        "git branch -f main HEAD",
        "git worktree remove --force --force {other}",
        "echo x > {common}/objects/info/alternates",
        "echo x > {admin}/commondir",
        "mv {admin}/gitdir {admin}/moved",
        "rm -rf {admin}/smithers",
        "echo x > {admin}/config.worktree",
        "echo 'gitdir: /tmp/evil' > .git",
        "rm .git",
        "echo x > {root}/kept.txt",
    ],
)
def test_it_cannot_turn_the_repository_against_its_owner(yard, attack):
    common = yard.root / ".git"
    words = {"common": common, "admin": common / "worktrees/r", "other": yard.other}
    before = yard.git("for-each-ref"), (common / "config").read_text(), yard.git("status", "-s")
    yard.inside().fails(
        "echo new > n && git add n && git commit -qm n;" + attack.format(root=yard.root, **words)
    )
    refs, config, status = before
    own = "refs/heads/smithers/r"
    assert [line for line in yard.git("for-each-ref").splitlines() if own not in line] == [
        line for line in refs.splitlines() if own not in line
    ]
    assert ((common / "config").read_text(), yard.git("status", "-s")) == (config, status)
    assert (common / "worktrees/r/commondir").read_text() == "../..\n"
    assert not (common / "hooks/pre-commit").exists()


@needs_boxes
def test_what_was_packed_survives_the_worst(yard):
    yard.git("gc", "-q")
    yard.inside()(f"rm -rf {yard.root} {yard.root}/.git ~ /")
    yard.git("rev-list", "--objects", "main", "smithers/other")
    assert yard.git("show", "main:kept.txt") == "kept"
    assert (yard.root / ".env").read_text() == SECRET
    assert (yard.state / "logs/other/1.jsonl").exists()


@needs_boxes
def test_a_strict_one_sees_of_the_checkout_what_is_committed(yard):
    assert SECRET in yard.inside().works(f"cat {yard.root}/.env")
    strict = yard.inside(level="strict")
    assert SECRET not in strict.fails(f"cat {yard.root}/.env")
    strict.fails(f"cat {yard.root}/kept.txt")
    assert strict.works("cat kept.txt") == "kept"


@needs_boxes
@pytest.mark.parametrize("level", ["workspace", "strict"])
def test_in_place_it_works_in_the_checkout_without_the_run_directory(yard, level):
    inside = yard.inside(in_place=True, level=level)
    inside.works("echo changed > kept.txt && git commit -qam 'in place'")
    assert yard.git("log", "-1", "--format=%s") == "in place"
    assert inside.works(f"ls -A {yard.state}").split() == ["scratch"]
    assert inside.works("git status --short") == ""
    inside.fails("echo x > .smithers/config.toml")
    inside.fails("echo x > .git/hooks/pre-commit")
    inside.fails("git config core.fsmonitor /tmp/evil")
    inside.fails(f"cat {yard.root}/.git/worktrees/r/HEAD && echo x > .git/worktrees/r/HEAD")
    assert "refs/heads" in (yard.root / ".git/HEAD").read_text()


@needs_boxes
def test_in_place_what_git_obeys_and_was_not_there_cannot_be_made(yard):
    git_dir = yard.root / ".git"
    shutil.rmtree(git_dir / "hooks")
    (git_dir / "modules/sub").mkdir(parents=True)
    inside = yard.inside(in_place=True)
    for name in ("hooks/pre-commit", "config.worktree", "smithers/index", "modules/sub/config"):
        inside.fails(f"mkdir -p .git/$(dirname {name}); echo x > .git/{name}")
        inside.fails(f"mv .git/{name.partition('/')[0]} .git/away")
    inside.works("echo x > made && git add made && git commit -qm made")
    assert yard.git("status", "--short") == ""


@needs_boxes
def test_in_place_a_checkout_by_a_file_stays_where_it_leads(yard, tmp_path):
    (yard.root / ".git").rename(tmp_path / "elsewhere")
    (yard.root / ".git").write_text(f"gitdir: {tmp_path}/elsewhere\n")
    yard.inside(in_place=True).fails("echo 'gitdir: evil' > .git || mv .git away")
    assert "elsewhere" in (yard.root / ".git").read_text()


@needs_boxes
def test_the_network_is_for_agents_always_and_for_commands_as_config_says(yard):
    def networks(**config):
        boxes, scratch = yard.boxes(**config), yard.state / "scratch/r/1"
        made = boxes.for_agent(scratch), boxes.for_setup(scratch), boxes.for_command(scratch)
        return [box.network for box in made]

    assert networks() == [True, True, True]
    assert networks(network=False) == [True, False, False]
    assert networks(level="strict") == [True, True, False]


@needs_boxes
@pytest.mark.parametrize(
    ("config", "recipe", "level"),
    [
        ("", "", "workspace"),
        ("", "off", "off"),
        ("", "strict", "strict"),
        ("workspace", "off", "workspace"),
        ("strict", "workspace", "strict"),
        ("off", "", "off"),
        ("off", "strict", "strict"),
    ],
)
def test_the_stricter_of_config_and_recipe_counts(yard, config, recipe, level):
    boxes = yard.boxes(level=config, asked=recipe)
    assert boxes.level is Level(level)
    assert (boxes.for_command(yard.state / "scratch/r/1") is None) == (level == "off")
    assert boxes.why_not == ""


def test_where_none_can_be_made_a_named_level_stops_the_run_and_the_default_says_why(
    yard, monkeypatch
):
    monkeypatch.setattr(sandbox, "unavailable", lambda: "bubblewrap (bwrap) is not installed")
    boxes = yard.boxes()
    assert boxes.for_agent(yard.state / "scratch/r/1") is None
    assert "not installed" in boxes.why_not
    assert yard.boxes(level="off").why_not == ""
    with pytest.raises(ConfigError, match="'strict' cannot be had: bubblewrap"):
        yard.boxes(asked="strict")


def test_a_folder_that_is_no_repository_needs_nothing_of_git(yard, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    run = replace(yard.run(), workspace=str(plain), root=str(plain), branch="")
    box = Boxes(run, SandboxConfig(), "", plain / ".smithers/state")._box
    assert box.write == ()
