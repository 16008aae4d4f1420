"""A turn crosses the border as one written request, and comes back as lines: here from another process."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from smithers.agents.base import AgentEvent, Answered
from smithers.agents.base import Turn as AgentTurn
from smithers.config import AgentSpec
from smithers.engine import border
from smithers.engine.border import Emit, Outcome, Request
from smithers.model.run import RunStatus
from smithers.process.marks import Mark
from tests.engine.inside import drive, soon, write_down
from tests.running import Turn, Workshop

pytestmark = pytest.mark.slow

ELSEWHERE = """
import sys
from smithers.engine.border import serve
serve(sys.stdin.readline(), sys.stdout)
"""


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Elsewhere:
    """As another machine would: it gets a line and a commit, and gives back lines and a commit."""

    def __init__(self, main: Path, folder: Path) -> None:
        self.main = main
        self.folder = folder
        self.lines: list[str] = []
        self.requests: list[str] = []

    async def play(self, request: Request, emit: Emit) -> Outcome:
        clone = self.folder / str(len(self.requests))
        clone.mkdir(parents=True)
        git(clone, "init", "-q")
        git(clone, "fetch", "-q", str(self.main), request.files)
        git(clone, "checkout", "-q", request.files)
        there = replace(request.turn, workspace=clone, scratch=self.folder / "scratch", box=None)
        line = border.written(replace(request, turn=there))
        self.requests.append(line)
        outcome = await asyncio.to_thread(self._talk, line, emit)
        git(clone, "add", "-A")
        git(
            clone,
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@y",
            "commit",
            "-qm",
            "it",
            "--allow-empty",
        )
        commit = git(clone, "rev-parse", "HEAD")
        git(self.main, "fetch", "-q", str(clone), commit)
        return replace(outcome, files=commit)

    def _talk(self, line: str, emit: Emit) -> Outcome:
        process = subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        out, _ = process.communicate(line + "\n")
        assert process.returncode == 0
        *events, last = [border.read(each) for each in out.splitlines()]
        for event in events:
            assert isinstance(event, AgentEvent)
            emit(event)
        assert isinstance(last, Outcome)
        return last


def test_a_task_is_done_in_another_process_from_one_line_and_a_commit(workshop: Workshop) -> None:
    turns: list[Turn] = [
        {
            "do": [
                {"run": "cat had.txt"},
                {"write": "made.txt", "text": "made elsewhere\n"},
                {"say": "done — «élsewhere»"},
            ],
            "usage": {"input_tokens": 7, "output_tokens": 3, "cost_usd": 0.5},
        }
    ]
    workshop.commit(had__txt="had before\n")
    flow = workshop.flow(
        'return Sequence(Task("code", agent="coder", prompt="Do it"), Check("there", "cat made.txt"))',
        edits=True,
    )
    write_down(workshop, flow, *turns)
    elsewhere = Elsewhere(workshop.root, workshop.out / "elsewhere")

    async def script(engine: asyncio.Task[None]) -> None:
        await soon(engine.done, workshop)

    assert drive(workshop, script, executor=elsewhere) is None
    view = workshop.view()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert len(elsewhere.requests) == 1
    log = workshop.log("code")
    assert "had before" in log
    assert "done — «élsewhere»" in log
    assert "made elsewhere" in workshop.log("there")
    assert (view.row.usage.input_tokens, view.row.usage.cost_usd) == (7, 0.5)


def test_text_that_is_in_no_utf_8_crosses_the_border_both_ways(tmp_path: Path) -> None:
    broken = "\udc80 \ud800 \udcff\ud83d x"
    script = {"turns": [{"do": [{"say": broken}], "output": {"text": broken}}]}
    (tmp_path / "one.json").write_text(json.dumps(script))
    turn = AgentTurn(
        prompt=f"do {broken}",
        workspace=tmp_path,
        scratch=tmp_path / "scratch" / "1",
        mark=Mark("run", "step", 1, 7),
        session="s",
        resume=False,
        schema=None,
    )
    spec = AgentSpec("scripted", command="one.json")
    request = Request("scripted:one.json", spec, tmp_path, turn, "", None, None)
    line = border.written(request)
    assert line.isascii()
    out = io.StringIO()
    border.serve(line, out)
    [event, outcome] = [border.read(each) for each in out.getvalue().splitlines()]
    assert isinstance(event, AgentEvent)
    assert event.text == broken
    assert isinstance(outcome, Outcome)
    assert isinstance(outcome.verdict, Answered)
    assert outcome.verdict.value == {"text": broken}


def test_a_limit_comes_back_as_one(workshop: Workshop) -> None:
    write_down(
        workshop,
        workshop.flow(
            'return Task("code", agent="coder", prompt="x", retries=0, timeout=0.2)', edits=True
        ),
        {"do": [{"sleep": 60}]},
    )
    elsewhere = Elsewhere(workshop.root, workshop.out / "elsewhere")

    async def script(engine: asyncio.Task[None]) -> None:
        await soon(engine.done, workshop)

    drive(workshop, script, executor=elsewhere)
    view = workshop.view()
    assert view.row.status is RunStatus.FAILED
    (attempt,) = view.steps[0].attempts
    assert (attempt.status.value, attempt.error) == ("timed_out", "time limit of 0.2 s reached")
