"""What a project wants done in a fresh worktree before anything works in it.

`[workspace] setup`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from smithers.agents import environment
from smithers.clock import Clock
from smithers.config import load
from smithers.engine import loading
from smithers.engine.boxing import Boxes
from smithers.engine.log import AttemptLog
from smithers.engine.takeover import Inheritance
from smithers.engine.workspace import Workspace
from smithers.errors import SmithersError
from smithers.process import child
from smithers.process.marks import Mark, token_of_folder
from smithers.process.sandbox import Box


async def set_up(inheritance: Inheritance, state: Path, clock: Clock) -> None:
    """Have the command run to its end once, before anything else, in a worktree that was just made.

    Raises SmithersError when it fails. One that failed, or died with its engine, is run again.
    """
    workspace = inheritance.workspace
    run = workspace.run
    done, log = state / "logs" / run.id / "setup.done", state / "logs" / run.id / "setup.jsonl"
    if inheritance.made:
        done.unlink(missing_ok=True)
    if not workspace.own or done.exists():
        return
    config = load(Path(run.root))
    if config.workspace.setup:
        scratch = state / "scratch" / run.id / "setup"
        asked = loading.load(loading.locate(Path(run.root), run.source)).sandbox
        box = Boxes(run, config.sandbox, asked, state).for_setup(scratch)
        try:
            await _run(config.workspace.setup, workspace, log, clock, box)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    done.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    done.touch()


async def _run(
    command: str, workspace: Workspace, path: Path, clock: Clock, box: Box | None
) -> None:
    run = workspace.run
    mark = Mark(run.id, "setup", 1, token_of_folder(run.workspace))
    log = AttemptLog(path, clock)
    process = await child.start(
        ["/bin/sh", "-c", command],
        cwd=workspace.path,
        env=environment.build(mark, {}),
        mark=mark,
        box=box,
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
