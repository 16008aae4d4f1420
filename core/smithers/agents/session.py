"""One run of an agent's process: started, read to its end, and always ended with all it began."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from smithers.process import child
from smithers.process.marks import Mark

_ERROR_LINES = 20
_ERROR_WIDTH = 2000  # characters of each


async def converse(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    mark: Mark,
    stdin: str,
    on_line: Callable[[str, str], bool | None],
    line_limit: int = child.LINE_LIMIT,
) -> tuple[int | None, str]:
    """Run `argv` and hand each line to `on_line(stream, text)`; True from it stops the process.

    Returns the exit code (None if it was stopped here) and the last lines of its stderr. Whatever
    ends it, a cancellation too, nothing that carries the mark is left. OSError if it cannot start.
    """
    process = await child.start(
        argv,
        cwd=cwd,
        env=env,
        mark=mark,
        stdin=stdin.encode("utf-8", "surrogateescape"),
        line_limit=line_limit,
    )
    errors: deque[str] = deque(maxlen=_ERROR_LINES)
    try:
        async with aclosing(process.lines()) as lines:
            async for stream, text in lines:
                if stream == "err":
                    errors.append(text[:_ERROR_WIDTH])
                if on_line(stream, text):
                    return None, "\n".join(errors)
        return await process.wait(), "\n".join(errors)
    finally:
        await process.stop()
