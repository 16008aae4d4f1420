"""What a project wants done in a fresh worktree before anything works in it.

`[workspace] setup`.
"""

from __future__ import annotations

from pathlib import Path

from smithers.agents import environment
from smithers.clock import Clock
from smithers.config import load
from smithers.engine.log import AttemptLog
from smithers.engine.takeover import Inheritance
from smithers.errors import SmithersError
from smithers.process import child
from smithers.process.marks import Mark


async def set_up(inheritance: Inheritance, state: Path, clock: Clock) -> None:
    """Run the command once, in a worktree that was just made.

    Raises SmithersError when it fails.
    """
    run = inheritance.workspace.run
    command = load(Path(run.root)).workspace.setup
    if not command or not inheritance.made:
        return
    log = AttemptLog(state / "logs" / run.id / "setup.jsonl", clock)
    mark = Mark(run.id, "setup", 1, clock.token())
    process = await child.start(
        ["/bin/sh", "-c", command],
        cwd=inheritance.workspace.path,
        env=environment.build(mark, {}),
        mark=mark,
    )
    last = ""
    try:
        async for stream, text in process.lines():
            log.write(stream, "text", text)
            last = text.strip() or last
        code = await process.wait()
    finally:
        await process.stop()
        log.close()
    if code != 0:
        raise SmithersError(
            f"[workspace] setup failed with exit {code}: {last[:200]}",
            kept="the worktree as it is",
            next=f"correct `setup` in .smithers/config.toml, then `smithers resume {run.id}`",
        )
