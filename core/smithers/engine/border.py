"""The border that each turn of an attempt crosses: a request out, events and one outcome back.

All of it can be written down, so that what plays the turn can be another process, or machine. Today
the engine plays it itself, in the workspace of the run.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TextIO

from pydantic import TypeAdapter

from smithers.agents.base import AgentEvent, Turn, Verdict
from smithers.agents.registry import make
from smithers.clock import SYSTEM, Clock
from smithers.config import AgentSpec
from smithers.engine.limits import OutOfTime, Pulse, within

Emit = Callable[[AgentEvent], None]


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that a turn needs."""

    agent: str
    spec: AgentSpec
    """What the name means; of its environment what config names."""
    root: Path
    """That the path of a script is taken from."""
    turn: Turn
    files: str
    """Commit of the files that it begins with; empty where git does not track them."""
    timeout: float | None
    """Seconds that it may take."""
    stall: float | None
    """Seconds that it may be silent."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn gives back after its events."""

    verdict: Verdict | None
    """None: a limit was reached."""
    files: str = ""
    """Commit of the files as it left them; empty: they lie in the workspace of the request."""
    limit: str = ""
    """Which limit, in words."""


class Executor(Protocol):
    """Where turns are played."""

    async def play(self, request: Request, emit: Emit) -> Outcome:
        """Play a turn to its end. Cancelling it ends its processes before it returns."""
        ...


class Local:
    """Plays in this process and in the workspace itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def play(self, request: Request, emit: Emit) -> Outcome:
        """The same. Raises AgentError when the agent is not installed."""
        agent = make(request.agent, request.spec, root=request.root)
        pulse = Pulse(self._clock)

        def heard(event: AgentEvent) -> None:
            pulse.beat()
            emit(event)

        try:
            verdict = await within(
                agent.play(request.turn, heard),
                clock=self._clock,
                pulse=pulse,
                timeout=request.timeout,
                stall=request.stall,
            )
        except OutOfTime as limit:
            return Outcome(None, limit=str(limit))
        return Outcome(verdict)


def written(request: Request) -> str:
    """The request as one line of JSON."""
    return _line(_requests(), request)


def read(line: str) -> AgentEvent | Outcome:
    """An event, or at the end the outcome, from a line of what `serve` writes."""
    return _answers().validate_python(json.loads(line))


def serve(line: str, out: TextIO) -> None:
    """Play the turn of a written request here, and write a line for each event and the outcome."""
    request = _requests().validate_python(json.loads(line))

    def write(answer: AgentEvent | Outcome) -> None:
        out.write(_line(_answers(), answer) + "\n")
        out.flush()

    write(asyncio.run(Local(SYSTEM).play(request, write)))


def _line(adapter: TypeAdapter[Any], value: object) -> str:
    # ASCII alone: text of agents and prompts may hold what is no character, and UTF-8 has not.
    return json.dumps(adapter.dump_python(value, mode="json"))


@cache
def _requests() -> TypeAdapter[Request]:
    return TypeAdapter(Request)


@cache
def _answers() -> TypeAdapter[AgentEvent | Outcome]:
    return TypeAdapter(AgentEvent | Outcome)


if __name__ == "__main__":
    serve(sys.stdin.readline(), sys.stdout)
