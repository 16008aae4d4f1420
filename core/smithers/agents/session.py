"""One run of an agent's process: started, read to its end, and always ended with all it began."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from smithers.process import child, sandbox
from smithers.process.marks import Mark

_ERROR_LINES = 20
_ERROR_WIDTH = 2000  # characters of each


async def converse(  # noqa: PLR0913 - one run, and all that it needs
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    mark: Mark,
    stdin: str,
    on_line: Callable[[str, str], bool | None],
    replies: Callable[[], Sequence[str] | None] | None = None,
    line_limit: int = child.LINE_LIMIT,
    box: sandbox.Box | None = None,
) -> tuple[int | None, str]:
    """Run `argv` and hand each line to `on_line(stream, text)`; True from it stops the process.

    With `replies` its stdin stays open after `stdin`: what that gives after each line is written
    to it, and it is closed when that gives None.

    Returns the exit code (None if it was stopped here) and the last lines of its stderr. Whatever
    ends it, a cancellation too, nothing that carries the mark is left. OSError if it cannot start.
    """
    process = await child.start(
        argv,
        cwd=cwd,
        env=env,
        mark=mark,
        stdin=_bytes(stdin),
        talks=replies is not None,
        line_limit=line_limit,
        box=box,
    )
    errors: deque[str] = deque(maxlen=_ERROR_LINES)
    try:
        async with aclosing(process.lines()) as lines:
            async for stream, text in lines:
                if stream == "err":
                    errors.append(text[:_ERROR_WIDTH])
                if on_line(stream, text):
                    return None, "\n".join(errors)
                if replies is not None:
                    _reply(process, replies())
        code, said = await process.wait(), "\n".join(errors)
        refused = sandbox.refusal(code, said) if box is not None else ""
        if refused:
            raise OSError(refused)
        return code, said
    finally:
        await process.stop()


def _reply(process: child.Child, said: Sequence[str] | None) -> None:
    if said is None:
        process.hang_up()
    elif said:
        process.send(_bytes("".join(f"{line}\n" for line in said)))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
