"""What the benchmarks run. Engines load it as a file, so it knows only the authoring API."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from smithers import Approval, Call, Context, Loop, Parallel, Sequence, Step, workflow


class Size(BaseModel):
    steps: int = 1
    marks: str = ""
    """File that gets a line for each step that starts."""
    hold: str = ""
    """While this file exists, the last step waits."""
    wide: int = 64


_open: dict[str, int] = {}


def note(path: str, number: int) -> None:
    """`number monotonic_ns process_ns`: when a step began, what its process had used by then."""
    if path not in _open:
        _open[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(_open[path], b"%d %d %d\n" % (number, time.monotonic_ns(), time.process_time_ns()))


async def step(path: str, number: int) -> int:
    note(path, number)
    return number


async def last(path: str, number: int, hold: str) -> int:
    note(path, number)
    while hold and Path(hold).exists():  # noqa: ASYNC110, ASYNC240 - another process ends it
        await asyncio.sleep(0.01)
    return number


def _steps(size: Size) -> list[Step[Any]]:
    return [Call(f"s{number}", step, size.marks, number) for number in range(1, size.steps + 1)]


@workflow("sequence", summary="One trivial step after the other")
def sequence(ctx: Context[Size]) -> Step[Any]:
    size = ctx.input
    end: Step[Any] = Call("end", last, size.marks, size.steps + 1, size.hold)
    return Sequence(*_steps(size), end)


@workflow("fan", summary="Trivial steps side by side")
def fan(ctx: Context[Size]) -> Step[Any]:
    return Parallel(*_steps(ctx.input), limit=ctx.input.wide)


@workflow("turns", summary="A loop around one trivial step")
def turns(ctx: Context[Size]) -> Step[Any]:
    size = ctx.input

    def body(turn: Context[Size]) -> Step[Any]:
        return Call("step", step, size.marks, turn.iteration)

    return Loop(
        "turns",
        body,
        until=lambda turn: turn.iteration >= size.steps,
        max_iterations=size.steps + 1,
    )


@workflow(
    "gates", summary="A gate before each step, and perhaps a step that keeps the engine there"
)
def gates(ctx: Context[Size]) -> Step[Any]:
    size = ctx.input
    line: list[Step[Any]] = []
    for number in range(1, size.steps + 1):
        line.append(Approval(f"gate{number}", "Go on?", by="anyone"))
        line.append(Call(f"s{number}", step, size.marks, number))
    keeper: Step[Any] = Call("keeper", last, size.marks, 0, size.hold, when=bool(size.hold))
    return Parallel(Sequence(*line), keeper)
