"""Where runs work, and what becomes of the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smithers.errors import LandRefused, Refused
from smithers.model.gate import Answer
from smithers.model.run import RunStatus
from smithers.service import control, reading
from tests.running import ACTOR, Workshop, states, write

pytestmark = pytest.mark.slow

CODE = """
return Sequence(
    Task("code", agent="coder", prompt="Write it"),
    Check("verify", "test -f made && pwd"),
)
"""
SHOWN = """
return Sequence(
    Task("code", agent="coder", prompt="Write it"),
    Approval("ship", "Merge it?", show="diff"),
    Check("verify", "test -f made"),
)
"""


def diffed(workshop: Workshop) -> dict[str, str]:
    return {each.path: each.status for each in reading.diff(workshop.db, "r").files}


def test_a_folder_that_is_no_repository_is_worked_in_and_the_run_says_so(
    workshop: Workshop,
) -> None:
    shutil.rmtree(workshop.root / ".git")
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert (workshop.root / "made").read_text() == "1\n"
    assert view.branch == ""
    assert any("no git repository" in note for note in view.notes)
    assert reading.diff(workshop.db, "r").note
    with pytest.raises(Refused, match="in place"):
        control.land(workshop.root, "r", actor=ACTOR)


def test_a_gate_about_a_diff_where_there_is_none_says_so_and_can_be_decided(
    workshop: Workshop,
) -> None:
    shutil.rmtree(workshop.root / ".git")
    workshop.up(workshop.flow(SHOWN, edits=True), write("made", "1\n"))
    workshop.until_status(RunStatus.WAITING)
    assert "does not track" in reading.gate(workshop.db, "r", "ship#1").body
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED


def test_in_place_the_checkout_itself_changes(workshop: Workshop) -> None:
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"), workspace="in-place")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert (workshop.root / "made").exists()
    assert diffed(workshop) == {"made": "A", ".smithers/.gitignore": "A"}
    assert workshop.git("branch", "--format=%(refname:short)") == "main"
    assert workshop.git("log", "--format=%s") == "files"


def test_a_repository_without_a_commit_is_begun_from_its_files(workshop: Workshop) -> None:
    shutil.rmtree(workshop.root / ".git")
    workshop.git("init", "-q", "-b", "main")
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert any("no commit yet" in note for note in view.notes)
    assert workshop.git("ls-tree", "--name-only", "smithers/r").split() == [
        ".smithers", "README", "made",
    ]  # fmt: skip
    assert diffed(workshop) == {"made": "A"}
    assert not (workshop.root / "made").exists()


def test_dirty_files_stay_where_they_are_and_the_run_says_that_it_has_them_not(
    workshop: Workshop,
) -> None:
    (workshop.root / "README").write_text("changed\n")
    (workshop.root / "new").write_text("new\n")
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert any("README" in note and "new" in note for note in view.notes)
    assert diffed(workshop) == {"made": "A"}
    assert (workshop.root / "README").read_text() == "changed\n"
    assert control.land(workshop.root, "r", actor=ACTOR)
    assert (workshop.root / "README").read_text() == "changed\n"
    assert (workshop.root / "made").exists()


def test_a_detached_head_is_a_start_like_any_other(workshop: Workshop) -> None:
    workshop.git("checkout", "-q", "--detach")
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"))
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.git("show", "smithers/r:made") == "1"
    with pytest.raises(LandRefused, match="branch"):
        control.land(workshop.root, "r", actor=ACTOR)
    workshop.git("checkout", "-q", "main")
    control.land(workshop.root, "r", actor=ACTOR)
    assert (workshop.root / "made").exists()


def test_what_succeeded_is_landed_once(workshop: Workshop) -> None:
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"))
    with pytest.raises(Refused, match="only what succeeded is landed"):
        control.land(workshop.root, "r", actor=ACTOR)
    workshop.until_ended()
    commit = control.land(workshop.root, "r", actor=ACTOR)
    assert workshop.git("rev-parse", "HEAD") == commit
    assert workshop.git("log", "-1", "--format=%an %s", commit) == "Tester test"
    assert workshop.git("log", "-1", "--format=%an", f"{commit}^2") == "Smithers"
    assert workshop.git("status", "--porcelain", "--untracked-files=no") == ""


def test_the_setup_of_a_worktree_runs_once_and_again_when_it_failed(workshop: Workshop) -> None:
    workshop.config(
        f'[workspace]\nsetup = "echo setup >>{workshop.out}/marks; test -e {workshop.out}/cured"\n'
    )
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"))
    view = workshop.until_status(RunStatus.PAUSED)
    assert "setup failed with exit 1" in view.error
    workshop.until_no_engine()
    workshop.touch("cured")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.lines("marks") == ["setup", "setup"]


def test_a_run_can_be_cancelled_while_its_worktree_is_set_up(workshop: Workshop) -> None:
    workshop.config(
        f'[workspace]\nsetup = "echo $$ >{workshop.out}/setup.pids; touch {workshop.out}/reached; sleep 300"\n'
    )
    workshop.up(workshop.flow(CODE, edits=True), write("made", "1\n"))
    workshop.until_file("reached")
    control.cancel(workshop.root, "r", actor=ACTOR)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.CANCELLED
    assert set(states(view).values()) <= {"cancelled"}


def test_a_diff_that_changed_after_it_was_shown_is_asked_about_again(workshop: Workshop) -> None:
    workshop.up(workshop.flow(SHOWN, edits=True), write("made", "1\n"))
    view = workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    shown = reading.gate(workshop.db, "r", "ship#1")
    assert "+1" in shown.body
    (Path(view.workspace) / "made").write_text("2\n")
    workshop.approve()
    again = workshop.until(lambda view: len(view.gates) == 2)
    assert [gate.id for gate in again.gates] == ["ship#1", "ship#2"]
    workshop.until_status(RunStatus.WAITING)
    workshop.until_no_engine()
    fresh = reading.gate(workshop.db, "r", "ship#2")
    assert "+2" in fresh.body
    assert fresh.digest != shown.digest
    assert "changed since" in fresh.why
    assert "verify" not in workshop.attempts()
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert workshop.git("show", "smithers/r:made") == "2"


def test_a_decision_about_another_diff_than_the_one_asked_about_is_refused(
    workshop: Workshop,
) -> None:
    workshop.up(workshop.flow(SHOWN, edits=True), write("made", "1\n"))
    workshop.until_status(RunStatus.WAITING)
    with pytest.raises(Refused, match="changed since it was shown"):
        control.decide(
            workshop.root, "r", "ship", Answer.APPROVE,
            actor=ACTOR, established="terminal", digest="0" * 64,
        )  # fmt: skip
    assert workshop.view().gates[0].decision is None


def test_a_gate_about_files_that_nobody_has_snapshot_yet_shows_them(workshop: Workshop) -> None:
    (workshop.root / "README").write_text("changed\n")
    flow = workshop.flow('return Approval("ship", "Keep it?", show="diff")')
    workshop.up(flow)
    workshop.until_status(RunStatus.WAITING)
    assert "+changed" in reading.gate(workshop.db, "r", "ship#1").body
    workshop.approve()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert len(workshop.view().gates) == 1
