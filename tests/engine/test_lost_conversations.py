"""A conversation that is gone when its attempt is taken up: the work starts over, from its start."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from smithers.engine.unfinished import Interrupted, taken_up
from smithers.engine.work import Work, look, start_over
from smithers.engine.workspace import Workspace
from smithers.model.run import Run, RunStatus
from smithers.model.step import Attempt, AttemptStatus
from smithers.vcs.repository import discover
from tests.running import Workshop, hold

pytestmark = pytest.mark.slow

FORGETFUL = """\
#!/bin/sh
for word in "$@"; do
    if [ "$word" = --resume ]; then
        echo "No conversation found with session ID: gone" >&2
        exit 1
    fi
done
echo once >>lines
{hold}
echo '{{"type": "result", "subtype": "success", "is_error": false, "result": "done"}}'
"""


def test_files_never_go_back_to_work_that_was_discarded(workshop: Workshop) -> None:
    program = workshop.out / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(FORGETFUL.format(hold=hold(workshop, "work")))
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    workshop.config(f'[agents.coder]\nkind = "claude"\nenv = {{ PATH = "{path}" }}\n')
    workshop.up(
        workshop.flow('return Task("code", agent="coder", prompt="x")', edits=True),
        agents={"coder": "coder"},
    )
    for _ in range(2):
        workshop.until_file("work.reached")
        workshop.kill_engine()
        (workshop.out / "work.reached").unlink()
        workshop.resume()
    workshop.until_file("work.reached")
    files = Path(workshop.view().workspace)
    assert (files / "lines").read_text() == "once\n"
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"code": ["interrupted", "interrupted", "succeeded"]}
    assert workshop.log("code", 3).count("the interrupted conversation is gone") == 1


def test_an_engine_that_dies_on_the_way_back_leaves_no_trace_of_discarded_work(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = workshop.root
    run = Run("r", "law", "t", "s", "", {}, 1, root=str(root), workspace=str(root), branch="b")
    files = Workspace(run, discover(root))
    tries = [Attempt("code", n, n, AttemptStatus.INTERRUPTED, started_at=0) for n in (1, 2)]
    began = files.read("code", 1, "before")
    assert began is not None
    (root / "discarded").touch()
    work = Work()
    asyncio.run(look(files, tries[1], work))
    monkeypatch.setattr(files, "set_back", lambda _: sys.exit("died"))
    old = Interrupted(tries[0], tries[0], began.row.commit, alone=True)
    with pytest.raises(SystemExit, match="died"):
        asyncio.run(start_over(files, old, work, tries[1]))
    assert [row.side for row in work.snapshots] == ["found"]
    assert taken_up(tries, files).before == began.row.commit
