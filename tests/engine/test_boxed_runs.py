"""Whole runs whose attempts work in boxes: what they try to reach is out of reach, and they succeed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smithers.errors import UsageError
from smithers.model.run import RunStatus
from smithers.process import sandbox
from smithers.service import locate
from tests.boxes import needs_boxes
from tests.running import Workshop, states

pytestmark = [needs_boxes, pytest.mark.slow]

SECRET = "the-secret-word"


def tries(workshop: Workshop) -> str:
    """A script that fails as soon as it gets out in one of the ways that a box closes."""
    state = workshop.root / ".smithers/state"
    ways = (
        f"echo x > {workshop.out}/outside",
        "grep -r . ~/.ssh",
        f"cat {state}/smithers.db",
        f"cat {state}/logs/*/*",
        f"cat {workshop.root}/.smithers/config.toml && echo 'x=1' >> {workshop.root}/.smithers/config.toml",
        f"kill -0 {os.getpid()}",
        "git update-ref refs/heads/main HEAD",
    )
    return "; ".join(
        f"if ({way}) >/dev/null 2>&1; then echo 'OUT: {way.split()[0]}'; exit 9; fi" for way in ways
    )


@pytest.mark.parametrize("level", ["workspace", "strict"])
@pytest.mark.parametrize("where", ["worktree", "in-place"])
def test_a_run_in_boxes_does_its_work_and_reaches_nothing_else(workshop, level, where):
    keys = workshop.root.parent / "home/.ssh"
    keys.mkdir()
    (keys / "id_ed25519").write_text(SECRET)
    workshop.config(f'[sandbox]\nlevel = "{level}"\n')
    workshop.commit()
    script = tries(workshop).replace(
        "git update-ref refs/heads/main HEAD",
        "false" if where == "in-place" else "git update-ref refs/heads/main HEAD",
    )
    flow = workshop.flow(
        f"""
        code = Task("code", agent="coder", output=Answer, prompt="do it")
        return Sequence(code, Check("checks", {script + "; test -f made.txt"!r}))
        """,
        edits=True,
    )
    turn = {
        "step": "code",
        "do": [
            {
                "run": f"{script}; echo x > ~/outside; echo made > made.txt; git add -A && git commit -qm inside"
            }
        ],
        "output": {"text": "done"},
    }
    workshop.up(flow, turn, workspace=where)
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.log("code") + workshop.log("checks")
    assert states(view) == {"code": "succeeded", "checks": "succeeded"}
    assert not (workshop.root.parent / "home/outside").exists()
    branch = "smithers/r" if where == "worktree" else "main"
    assert workshop.git("log", "-1", "--format=%s", branch) == "inside"
    assert not list((workshop.root / ".smithers/state/scratch/r").glob("*/tmp"))


def test_a_recipe_can_ask_for_a_stricter_one(workshop):
    (workshop.root.parent / "home/notes").touch()
    # Both that and the setup before it.
    workshop.config("[workspace]\nsetup = 'test -d ~ && test ! -e ~/notes'\n")
    workshop.commit()
    path = workshop.flow("return Check('home', 'test -d ~ && test ! -e ~/notes')", edits=True)
    flow = Path(path)
    flow.write_text(flow.read_text().replace("edits=True", "edits=True, sandbox='strict'"))
    workshop.up(path)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED, workshop.log("home")


def test_a_level_that_cannot_be_had_pauses_the_run_and_says_what_to_do(workshop, monkeypatch):
    bare = workshop.out / "bin"
    bare.mkdir()
    for name in ("git", "sh"):
        (bare / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(bare))
    workshop.config('[sandbox]\nlevel = "strict"\n')
    workshop.up(workshop.flow("return Check('c', 'true')"))
    view = workshop.until_status(RunStatus.PAUSED)
    assert "bubblewrap (bwrap) is not installed" in view.row.status_reason


def test_a_level_that_cannot_be_had_is_refused_before_anything_is_written(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "unavailable", lambda: "bubblewrap (bwrap) is not installed")
    workshop.config('[sandbox]\nlevel = "strict"\n')
    with pytest.raises(UsageError, match="'strict' cannot be had: bubblewrap"):
        workshop.up(workshop.flow('return Check("a", "true")'))
    assert not locate.exists(workshop.root)
