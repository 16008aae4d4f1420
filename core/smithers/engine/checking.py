"""A check: one command in the workspace, followed to its end."""

from __future__ import annotations

from pathlib import Path

from smithers.agents import environment
from smithers.author.steps import Check, CheckResult
from smithers.clock import Clock
from smithers.engine.limits import Pulse, within
from smithers.engine.log import AttemptLog
from smithers.errors import SmithersError
from smithers.process import child, sandbox
from smithers.process.marks import Mark
from smithers.process.sandbox import Box

TAIL_CHARACTERS = 8000


class CheckFailed(Exception):
    def __init__(self, result: CheckResult) -> None:
        super().__init__(f"exit {result.exit_code}")
        self.result = result


async def run(
    leaf: Check,
    mark: Mark,
    workspace: Path,
    *,
    log: AttemptLog,
    clock: Clock,
    timeout: float | None,  # noqa: ASYNC109 - by our clock, not the loop's
    stall: float | None,
    box: Box | None,
) -> CheckResult:
    """Run the command and log what it prints. Raises OutOfTime, OSError or SmithersError."""
    process = await child.start(
        ["/bin/sh", "-c", leaf.command],
        cwd=workspace,
        env=environment.build(mark, {}),
        mark=mark,
        box=box,
    )
    tail = _Tail()

    async def follow() -> int:
        async for stream, text in process.lines():
            log.write(stream, "text", text)
            tail.add(text)
        return await process.wait()

    pulse = Pulse(clock)
    try:
        code = await within(follow(), clock=clock, pulse=pulse, timeout=timeout, stall=stall)
    finally:
        await process.stop()
    log.write("engine", "exit", f"exit {code}")
    refused = sandbox.refusal(code, tail.text()) if box is not None else ""
    if refused:
        raise SmithersError(f"its sandbox cannot be made: {refused}", next="smithers doctor")
    return CheckResult(passed=code in leaf.ok, exit_code=code, tail=tail.text())


def last_words(result: CheckResult) -> str:
    """How it ended, and the last line that it printed."""
    last = next((line for line in reversed(result.tail.splitlines()) if line.strip()), "")
    return f"exit {result.exit_code}" + (f": {last.strip()[:200]}" if last else "")


class _Tail:
    """The last lines of a stream, within a bound."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        self._lines.append(text[-TAIL_CHARACTERS:])
        self._size += len(self._lines[-1]) + 1
        while self._size > TAIL_CHARACTERS and len(self._lines) > 1:
            self._size -= len(self._lines.pop(0)) + 1

    def text(self) -> str:
        joined = "\n".join(self._lines)[-TAIL_CHARACTERS:]
        return joined.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
