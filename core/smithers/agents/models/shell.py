"""Commands of tools: as long as they may take, and no more of their output than a model reads."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from subprocess import Popen  # noqa: TID251 - its type alone

from smithers.agents.models.place import Place, Refused
from smithers.process import spawn
from smithers.process.child import LINE_LIMIT, Child

_HEAD = _TAIL = 15_000  # characters that are kept of the beginning and of the end
_WIDTH = 2000  # characters of a line


class Output:
    """The beginning and the end of what a command prints."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._sizes = [0, 0]
        self._dropped = 0

    def add(self, line: str) -> None:
        line = line if len(line) <= _WIDTH else f"{line[:_WIDTH]} …"
        size = len(line) + 1
        if not self._tail and self._sizes[0] + size <= _HEAD:
            self._head.append(line)
            self._sizes[0] += size
            return
        self._tail.append(line)
        self._sizes[1] += size
        while self._sizes[1] > _TAIL:
            self._sizes[1] -= len(self._tail.popleft()) + 1
            self._dropped += 1

    def text(self) -> str:
        cut = [f"… {self._dropped} lines left out …"] if self._dropped else []
        said = "\n".join([*self._head, *cut, *self._tail])
        return said.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def run(argv: Sequence[str], place: Place, seconds: float) -> tuple[int | None, str]:
    """Run a command in the workspace: its exit code, None when its time was up, and its output.

    It ends with its process; what that leaves in the background lives until the turn ends.
    """
    read, write = os.pipe()
    try:
        process = _start(argv, place, write)
    except (OSError, ValueError) as error:
        os.close(read)
        raise Refused(f"it cannot be run: {error}") from None
    finally:
        os.close(write)
    child = Child(process, place.mark, {read: "out"}, LINE_LIMIT, None, boxed=False)
    output = Output()
    try:
        code: int | None = await asyncio.wait_for(_read(child, output), seconds)
    except TimeoutError:
        code = None
    finally:
        if process.returncode is None:
            # Its group alone: the mark is ours as well.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    return code, output.text()


def _start(argv: Sequence[str], place: Place, out: int) -> Popen[bytes]:
    # Unmarked, since it inherits all marks of the attempt from this process.
    with Path(os.devnull).open("rb") as nothing:
        return spawn.spawn(
            argv, cwd=place.workspace, env=place.env, stdin=nothing, stdout=out, stderr=out
        )


async def _read(child: Child, output: Output) -> int:
    async with aclosing(child.lines()) as lines:
        async for _, line in lines:
            output.add(line)
    return await child.wait()
