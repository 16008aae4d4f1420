"""Which box the attempts of a run work in: by config and recipe, around its workspace."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from smithers.config import SandboxConfig
from smithers.errors import ConfigError
from smithers.model.run import Run
from smithers.process import sandbox
from smithers.process.sandbox import Box, Level
from smithers.vcs import layout

_GUARDED = (
    *("commondir", "config", "config.worktree", "gitdir", "hooks", "locked"),
    *("modules", "smithers", "worktrees"),
)
"""In git's folder of a checkout: what git takes commands from, and what we know a worktree by."""
_KEPT = ("objects/info", "objects/pack")
"""Beside a worktree: what was packed cannot be lost, since a commit writes no pack."""


class Boxes:
    """The boxes of one run: alike but for their scratch folders and the network."""

    def __init__(self, run: Run, config: SandboxConfig, asked: str, state: Path) -> None:
        """`asked` is the recipe's level; `state` the folder of the database.

        Raises ConfigError if somebody named a level and the system cannot make a box.
        """
        self.level, self.why_not = _level(run, config, asked)
        self._network = config.network
        workspace = Path(run.workspace)
        strict = self.level is Level.STRICT
        read, write, hide = _around(workspace, Path(run.root), state, strict=strict)
        self._box = Box(
            level=self.level,
            workspace=workspace,
            scratch=workspace,
            write=(*write, *config.write),
            read=(*read, *config.read),
            hide=(*hide, *config.hide),
        )

    def for_agent(self, scratch: Path) -> Box | None:
        """With the network, without which it has no model."""
        return self._made(scratch, network=True)

    def for_setup(self, scratch: Path) -> Box | None:
        """With the network if config lets it, also in a strict one: it gets what is needed."""
        return self._made(scratch, network=self._network)

    def for_command(self, scratch: Path) -> Box | None:
        """With the network if config lets it, and never in a strict one."""
        return self._made(scratch, network=self._network and self.level is not Level.STRICT)

    def _made(self, scratch: Path, *, network: bool) -> Box | None:
        if self.level is Level.OFF:
            return None
        return replace(self._box, scratch=scratch, network=network)


def unobtainable(config: SandboxConfig, asked: str) -> str:
    """Why the level that config or a recipe names cannot be had; empty where nothing is wrong."""
    said = sandbox.strictest(config.level, asked)
    why_not = sandbox.unavailable() if said and said != Level.OFF else ""
    return why_not and f"the sandbox level {said!r} cannot be had: {why_not}"


def _level(run: Run, config: SandboxConfig, asked: str) -> tuple[Level, str]:
    """The stricter of the two; where nobody says one, what the system can."""
    if what := unobtainable(config, asked):
        cure = f"cure it (`smithers doctor`), then `smithers resume {run.id}`"
        raise ConfigError(what, kept="the run as it is", next=cure)
    level = Level(sandbox.strictest(config.level, asked) or Level.WORKSPACE)
    why_not = "" if level is Level.OFF else sandbox.unavailable()
    return (Level.OFF, why_not) if why_not else (level, "")


_Paths = list[str]


def _around(
    workspace: Path, root: Path, state: Path, *, strict: bool
) -> tuple[_Paths, _Paths, _Paths]:
    """Read, written and hidden, beside the workspace itself."""
    home = state.parent
    read, write, hide = list[Path](), list[Path](), [state]
    own = workspace.is_relative_to(state)
    # The recipes and the config of the run's own commit are in its worktree.
    (hide if own else read).append(home)
    (hide if own and strict else read).append(root)
    found = layout.find(workspace)
    if found is not None:
        _complete(found)
        read += [found.common_dir, found.top / ".git"]
        read += [folder / name for folder in {found.git_dir, found.common_dir} for name in _GUARDED]
        write += _git(found)
        if found.git_dir != found.common_dir:
            read += [found.common_dir / name for name in _KEPT]
    return _said(read), _said(write), _said(hide)


def _complete(found: layout.Layout) -> None:
    """Make what git may lack and obeys once it is there: only what exists can be kept read-only."""
    if found.git_dir == found.common_dir:
        for name in ("hooks", "smithers", "worktrees"):
            (found.git_dir / name).mkdir(exist_ok=True)
    with suppress(FileExistsError):
        # Exclusive: not through a symlink.
        (found.git_dir / "config.worktree").open("x").close()


def _git(found: layout.Layout) -> list[Path]:
    """What a commit has to write. A worktree's own branch lies among those of all runs."""
    if found.git_dir == found.common_dir:
        return [found.git_dir]
    shared = found.common_dir
    branches = [shared / "refs/heads/smithers", shared / "logs/refs/heads/smithers"]
    for folder in branches:  # they go when all branches are packed
        folder.mkdir(parents=True, exist_ok=True)
    return [found.git_dir, shared / "objects", *branches]


def _said(paths: list[Path]) -> _Paths:
    return [str(path) for path in paths]
