"""How tests drive the app: run it headless, wait for what the screen says, read it as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from directory import NOW
from textual.pilot import Pilot

from smithers_tui.app import SmithersApp

WIDE, NARROW = (120, 36), (80, 24)


def make(root: Path, **more) -> SmithersApp:
    return SmithersApp(root, now=lambda: NOW, **more)


def text(app: SmithersApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def until(pilot: Pilot, condition: Callable[[], object], *, within: float = 10.0) -> None:
    """Wait until it is so; fail with what is on the screen if it does not get so."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, text(pilot.app)
        await pilot.pause(0.01)
    await pilot.pause()


async def shows(pilot: Pilot, *words: str, within: float = 10.0) -> None:
    await until(pilot, lambda: all(word in text(pilot.app) for word in words), within=within)


def play(app: SmithersApp, script: Callable[[Pilot], Awaitable[None]], size=WIDE) -> None:
    """Run a script against the app."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await script(pilot)

    asyncio.run(run())
