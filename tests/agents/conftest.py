"""Turns in a scratch workspace, and the events that an agent emits."""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid

import pytest

from smithers.agents.base import Turn
from smithers.clock import SYSTEM
from smithers.process import sweep
from smithers.process.marks import Mark


@pytest.fixture
def make_turn(tmp_path):
    """Builds a turn of step `build[2]/code`, attempt 1; keywords replace its parts."""
    tokens = []
    (tmp_path / "work").mkdir()

    def make(prompt="Do it", *, step="build[2]/code", attempt=1, **more):
        mark = Mark("run", step, attempt, SYSTEM.token())
        tokens.append(mark.token)
        scratch = tmp_path / "scratch" / f"{mark.token:x}"
        parts = {"session": str(uuid.uuid4()), "resume": False, "schema": None}
        return Turn(prompt, tmp_path / "work", scratch, mark, **{**parts, **more})

    yield make
    assert sweep.find(tokens) == set(), "nothing of a turn outlives it"


@pytest.fixture
def play():
    """Plays a turn to its end; returns the verdict and the events as (kind, text)."""

    def play(agent, turn):
        events = []
        verdict = asyncio.run(agent.play(turn, events.append))
        return verdict, [(event.kind.value, event.text) for event in events]

    return play


@pytest.fixture
def cancel_when():
    """Plays a turn, cancels it as soon as an event satisfies a condition; returns the events."""

    def run(agent, turn, condition):
        async def go():
            events = []
            reached = asyncio.Event()

            def emit(event):
                events.append(event)
                if condition(event):
                    reached.set()

            task = asyncio.create_task(agent.play(turn, emit))
            waiting = asyncio.create_task(reached.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
            assert reached.is_set(), events
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return events

        return asyncio.run(go())

    return run


@pytest.fixture
def claude():
    """The real command, or a skip that says why; a failure where it is required."""
    return _installed("claude")


@pytest.fixture
def node_program():
    """The same of Node.js, which is installed with the agents."""
    return _installed("node")


def _installed(program):
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not on PATH; .ci/install-agents gets it"
        if os.environ.get("SMITHERS_REQUIRE_CLI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
