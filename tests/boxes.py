"""Programs in real boxes, for tests; they skip, with the reason, where none can be made."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from smithers.clock import SYSTEM
from smithers.process import child, sandbox
from smithers.process.marks import Mark
from smithers.process.sandbox import Box

needs_boxes = pytest.mark.skipif(bool(sandbox.unavailable()), reason=sandbox.unavailable())

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


class Inside:
    """Runs commands in one box, each with a mark of its own."""

    def __init__(self, box: Box | None, home: Path) -> None:
        self.box = box
        self.env = {"PATH": PATH, "HOME": str(home)}

    async def start(self, argv: Sequence[str] | str, mark: Mark | None = None, **more):
        words = ["/bin/sh", "-c", argv] if isinstance(argv, str) else argv
        given = {"cwd": self.box.workspace if self.box else Path("/"), **more}
        return await child.start(
            words, env=self.env, mark=mark or new_mark(), box=self.box, **given
        )

    def __call__(self, argv: Sequence[str] | str, **more) -> tuple[int, str]:
        """The exit code and all that was printed."""

        async def go():
            process = await self.start(argv, **more)
            lines = [text async for _, text in process.lines()]
            code = await process.wait()
            await process.stop()
            return code, "\n".join(lines)

        return asyncio.run(go())

    def fails(self, argv: Sequence[str] | str) -> str:
        code, said = self(argv)
        assert code != 0, said
        return said

    def works(self, argv: Sequence[str] | str) -> str:
        code, said = self(argv)
        assert code == 0, said
        return said


def new_mark() -> Mark:
    return Mark("run", "step", 1, SYSTEM.token())
