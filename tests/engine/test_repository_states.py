"""Repositories in states that nobody asked for: said, nothing damaged, and the run goes on after the cure."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from smithers.errors import LandRefused
from smithers.model.run import RunStatus
from smithers.service import control
from tests.running import ACTOR, Workshop, hold, write

pytestmark = pytest.mark.slow

CODE = 'Task("code", agent="coder", prompt="go", output=Answer)'


def worktree(workshop: Workshop) -> Path:
    return Path(workshop.view().workspace)


def up(workshop: Workshop) -> None:
    """A run that edits a file, waits, and checks that the file is there."""
    flow = workshop.flow(
        f"""
        return Sequence(
            {CODE}, Check("wait", {hold(workshop, "wait")!r} + "; true"), Check("probe", "cat new")
        )
        """,
        edits=True,
    )
    workshop.up(flow, write("new", "made\n"))


def ends_well(workshop: Workshop) -> None:
    workshop.touch("wait.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.git("show", "smithers/r:new") == "made"


def land(workshop: Workshop) -> None:
    control.land(workshop.root, "r", actor=ACTOR)
    assert (workshop.root / "new").read_text() == "made\n"


def conflict(workshop: Workshop, verb: str) -> None:
    """Leave the checkout in the middle of a merge or rebase."""
    workshop.git("switch", "-qc", "other", "HEAD")
    workshop.commit(README="theirs\n")
    workshop.git("switch", "-q", "main")
    workshop.commit(README="ours\n")
    subprocess.run(["git", verb, "other"], cwd=workshop.root, check=False, capture_output=True)


def state_of(root: Path) -> dict[str, bytes]:
    """What a checkout in an unfinished state consists of."""
    kept = ["README", ".git/HEAD", ".git/index", ".git/MERGE_HEAD", ".git/index.lock"]
    files = [root / name for name in kept] + sorted(root.glob(".git/rebase-merge/*"))
    return {str(path): path.read_bytes() for path in files if path.is_file()}


@pytest.mark.parametrize(
    ("state", "said", "cure"),
    [
        ("merge", "a merge is in progress", "--abort"),
        ("rebase", "a rebase is in progress", "--skip"),
        ("lock", "another git command is in progress", ""),
    ],
)
def test_whatever_the_checkout_is_in_the_middle_of_a_run_works_and_landing_waits(
    workshop: Workshop, state: str, said: str, cure: str
) -> None:
    lock = workshop.root / ".git" / "index.lock"
    if cure:
        conflict(workshop, state)
    else:
        lock.touch()
    before = state_of(workshop.root)
    assert len(before) > 3
    head = workshop.git("rev-parse", "HEAD")
    up(workshop)
    workshop.until_file("wait.reached")
    told = f"the checkout is in the middle of a {state}; the run starts from its HEAD, {head[:12]}"
    assert [note for note in workshop.view().notes if "middle" in note] == [told] * bool(cure)
    for inner in (workshop.root / ".git" / "worktrees").iterdir():
        (inner / "index.lock").touch()
    workshop.kill_engine()
    workshop.resume()
    ends_well(workshop)
    with pytest.raises(LandRefused, match=said):
        control.land(workshop.root, "r", actor=ACTOR)
    assert state_of(workshop.root) == before
    if cure:
        workshop.git(state, cure)
    else:
        lock.unlink()
    land(workshop)


def _by_hand(workshop: Workshop) -> None:
    shutil.rmtree(worktree(workshop))


def _by_git(workshop: Workshop) -> None:
    workshop.git("worktree", "remove", "-f", "-f", str(worktree(workshop)))


def test_a_worktree_that_was_removed_is_made_again_as_it_was_left(workshop: Workshop) -> None:
    up(workshop)
    workshop.until_file("wait.reached")
    workshop.kill_engine()
    _by_git(workshop)
    workshop.resume()
    ends_well(workshop)
    land(workshop)


def test_a_worktree_that_is_removed_under_an_attempt_pauses_the_run_and_comes_back(
    workshop: Workshop,
) -> None:
    up(workshop)
    workshop.until_file("wait.reached")
    _by_git(workshop)
    workshop.touch("wait.go")
    view = workshop.until_status(RunStatus.PAUSED)
    assert "was removed" in view.row.status_reason
    assert "kept: " in view.error
    assert "smithers resume r" in view.error
    assert workshop.attempts() == {"code": ["succeeded"], "wait": ["interrupted"]}
    workshop.until_no_engine()
    workshop.resume()
    ends_well(workshop)
    land(workshop)


def test_edits_that_were_removed_under_their_agent_are_never_reported_as_made(
    workshop: Workshop,
) -> None:
    turn = write("new", "made\n")
    first = {**turn, "do": [*turn["do"], {"run": hold(workshop, "code")}], "attempt": 1}
    workshop.up(workshop.flow(f"return {CODE}", edits=True), first, {**turn, "attempt": 2})
    workshop.until_file("code.reached")
    _by_hand(workshop)
    workshop.touch("code.go")
    workshop.until_status(RunStatus.PAUSED)
    workshop.until_no_engine()
    assert workshop.attempts() == {"code": ["interrupted"]}
    workshop.resume()
    ends_well(workshop)


def test_a_branch_that_is_checked_out_elsewhere_is_said_and_let_go_of(workshop: Workshop) -> None:
    up(workshop)
    workshop.until_file("wait.reached")
    workshop.kill_engine()
    _by_git(workshop)
    workshop.git("switch", "-q", "smithers/r")
    workshop.resume()
    view = workshop.until_status(RunStatus.PAUSED)
    assert "smithers/r is checked out elsewhere" in view.row.status_reason
    workshop.until_no_engine()
    workshop.git("switch", "-q", "main")
    workshop.resume()
    ends_well(workshop)
    land(workshop)


@pytest.mark.parametrize("alive", [True, False])
def test_a_repository_that_is_moved_away_pauses_the_run_until_it_is_back(
    workshop: Workshop, alive: bool
) -> None:
    up(workshop)
    workshop.until_file("wait.reached")
    git, away = workshop.root / ".git", workshop.out / "git"
    if not alive:
        workshop.kill_engine()
    os.rename(git, away)  # noqa: PTH104
    if alive:
        workshop.touch("wait.go")
    else:
        workshop.resume()
    view = workshop.until_status(RunStatus.PAUSED)
    assert "git" in view.row.status_reason
    workshop.until_no_engine()
    os.rename(away, git)  # noqa: PTH104
    workshop.resume()
    ends_well(workshop)
    land(workshop)
