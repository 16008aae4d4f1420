"""Attempts that came to no verdict one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from smithers.model.run import RunStatus
from smithers.vcs.workspace import locked, of
from tests.running import Workshop, hold

pytestmark = pytest.mark.slow


def test_one_that_died_before_it_had_looked_at_the_files_leaves_them_as_the_one_before_it(
    workshop: Workshop,
) -> None:
    work = {"step": "code", "do": [{"run": f"echo once >>lines; {hold(workshop, 'code')}"}]}
    flow = workshop.flow('return Task("code", agent="coder", prompt="Write it")', edits=True)
    workshop.up(flow, work)
    workshop.until_file("code.reached")
    workshop.kill_engine()
    files = Path(workshop.view().workspace)
    with locked(of(files).own):
        # Its successor takes a snapshot first of all: that has to wait.
        workshop.resume()
        workshop.until(lambda view: [len(step.attempts) for step in view.steps] == [2])
        workshop.kill_engine()
    workshop.touch("code.go")
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts()["code"] == ["interrupted", "interrupted", "succeeded"]
    assert (files / "lines").read_text() == "once\n"
