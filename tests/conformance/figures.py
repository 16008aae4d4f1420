"""What agents cost beside their own work: `python -m tests.conformance.figures [AGENT...]`.

A turn of one word takes longer than the same program run bare, with its output thrown away: by how
much, and by how much in a box. And what an engine holds in memory while six agents work for it.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from smithers.agents import environment
from smithers.agents.cli import CliAgent
from smithers.process import sandbox
from smithers.process.sandbox import Box, Level
from tests.conformance.bench import DONE, Bench, isolate, section
from tests.conformance.subjects import ALL
from tests.models import FakeModel
from tests.running import Workshop, opened, until

TIMES = 7
SIX = ("claude", "codex", "gemini", "opencode", "pi", "acp:claude-agent-acp")
FLOW = """\
from pydantic import BaseModel
from smithers import Context, Parallel, Task, workflow

class In(BaseModel):
    pass

@workflow("six", summary="six agents at once")
def six(ctx: Context[In]):
    return Parallel(*(Task(f"t{n}", agent=f"a{n}", prompt="Do it") for n in range(6)))
"""


def main(*agents: str) -> int:
    """Print both tables."""
    print("| agent | bare | a turn | more | in a box |")
    print("| --- | --- | --- | --- | --- |")
    for name in agents or ALL:
        print(f"| `{name}` | {' | '.join(_turns(name))} |", flush=True)
    if not agents:
        print(_memory())
    return 0


@contextmanager
def _workshop() -> Iterator[Workshop]:
    with (
        tempfile.TemporaryDirectory(prefix="smithers-figures-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        isolate(patch)
        with opened(Path(folder), patch) as made:
            yield made


def _turns(name: str) -> list[str]:
    """Medians in milliseconds, the three in turns so that they meet the same machine."""
    with _workshop() as workshop, ExitStack() as stack:
        bench = Bench(ALL[name], workshop, stack)
        bench.script(*[DONE] * (3 * TIMES + 3))
        box = Box(
            Level.WORKSPACE,
            bench.work,
            bench.home.parent / "box",
            read=(str(bench.home), str(Path(__file__).parents[2])),
        )
        boxed = None if sandbox.unavailable() else box
        ways: dict[str, Callable[[], float]] = {
            "bare": lambda: _bare(bench),
            "turn": lambda: _turn(bench, None),
            "box": lambda: _turn(bench, boxed),
        }
        agent = bench.agent
        if not isinstance(agent, CliAgent):
            del ways["bare"]
        if boxed is None:
            del ways["box"]
        took: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(TIMES + 1):
            for way, measure in ways.items():
                seconds = measure()
                if turn:  # the first makes what is kept for all
                    took[way].append(seconds * 1000)
    half = {way: statistics.median(each) for way, each in took.items()}
    more = f"{half['turn'] - half['bare']:+.0f} ms" if "bare" in half else "-"
    cells = [f"{half[way]:.0f} ms" if way in half else "-" for way in ("bare", "turn", "box")]
    return [*cells[:2], more, cells[2]]


def _turn(bench: Bench, box: Box | None) -> float:
    turn = bench.turn(box=box)
    began = time.perf_counter()
    verdict = asyncio.run(bench.agent.play(turn, lambda _: None))
    took = time.perf_counter() - began
    assert getattr(verdict, "text", "") == DONE["text"], verdict
    return took


def _bare(bench: Bench) -> float:
    """The same command line and environment, and nobody who reads what it prints."""
    agent, turn = bench.agent, bench.turn()
    assert isinstance(agent, CliAgent)
    shape = agent.shape
    env = environment.build(
        turn.mark, {**shape.env, **shape.prepare(turn), **agent.env}, prefixes=shape.login
    )
    argv = [agent.command, *shape.argv(turn, agent.model), *agent.args]
    began = time.perf_counter()
    subprocess.run(
        argv, input=shape.stdin(turn).encode(), cwd=turn.workspace, env=env, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    return time.perf_counter() - began


def _memory() -> str:
    with _workshop() as workshop, ExitStack() as stack:
        home = workshop.root.parent / "home"
        config, models = "[limits]\nconcurrency = 6\n", []
        for n, name in enumerate(SIX):
            model = stack.enter_context(FakeModel([{"text": "late", "hang": threading.Event()}]))
            models.append(model)
            config += section(f"a{n}", ALL[name].point(home, model))
        workshop.config(config)
        (workshop.out / "six.py").write_text(FLOW)
        workshop.up(str(workshop.out / "six.py"), agents={f"a{n}": f"a{n}" for n in range(6)})
        until(lambda: all(model.requests for model in models), seconds=120, tell=workshop.tell)
        engine = psutil.Process(workshop.engine())
        held = engine.memory_info().rss
        others = sum(child.memory_info().rss for child in engine.children(recursive=True))
    return (
        f"engine while six agents work: {held / 1e6:.1f} MB; the agents themselves: "
        f"{others / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
