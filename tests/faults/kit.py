"""What the base workflows are made of: imported by their files, in whatever process an engine is."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

OUT = Path(os.environ.get("FAULTS_OUT", "/nowhere"))
"""A folder outside the workspace: what steps tell the harness, and the harness tells them."""
STEP = f'echo "$SMITHERS_ATTEMPT" >>{OUT}/marks'
"""A command's mark."""

FORKER = """
cd {}
echo $$ >>forkers
if [ -e taken ]; then touch forked; fi
while :; do
    if mv fork taken 2>/dev/null; then setsid sh forker & fi
    sleep 0.01
done
"""
"""A process that starts another of its kind, in a session of its own, each time it is told to."""


def settle(out: Path) -> None:
    """From now on this is the folder outside, here and in every process started from here."""
    global OUT, STEP  # noqa: PLW0603 - as another process has it from its environment
    OUT = out
    STEP = f'echo "$SMITHERS_ATTEMPT" >>{OUT}/marks'
    os.environ["FAULTS_OUT"] = str(out)


class In(BaseModel):
    prompt: str = "do it"


class Number(BaseModel):
    value: int


def work(value: int) -> Any:
    return {"value": value}


async def awork(value: int) -> Any:
    await asyncio.sleep(0)
    return {"value": value}


def fails_until(name: str) -> Any:
    if not (OUT / name).exists():
        raise RuntimeError("not yet")
    return name


def _wants(verb: str) -> bool:
    if (OUT / f"did.{verb}").exists():
        return False
    (OUT / f"wants.{verb}").touch()
    return True


def asks(verb: str, value: int) -> Any:
    """Work in which a person does something to the run."""
    while _wants(verb):
        time.sleep(0.001)
    return {"value": value}


async def never_ends(verb: str) -> None:
    """Work that a person makes an end to."""
    while _wants(verb):  # noqa: ASYNC110 - who answers is another process
        await asyncio.sleep(0.001)
    await asyncio.sleep(3600)
