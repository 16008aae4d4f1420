"""A copy of the database, made while engines write, that can take its place."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from smithers.clock import SYSTEM
from smithers.model.run import RunStatus
from smithers.service.locate import state_dir
from smithers.service.newfile import new_file
from smithers.store import copying
from smithers.store.database import open_reader

FOLDER = "backups"


class Backup(NamedTuple):
    path: Path
    bytes: int
    runs: Mapping[RunStatus, int]
    """How many, by stored status."""
    newest: str
    """Id of the run that was started last; empty without one."""


def backup(root: Path, target: Path | None = None) -> Backup:
    """Copy everything that is committed now, checked; by default into `state/backups`.

    Raises StoreError, Refused when the file is there already.
    """
    state = state_dir(root)
    reader = open_reader(state)
    try:
        path = (target or _default(state)).absolute()
        with new_file(path) as part:
            copying.whole(reader, part)
            # What the copy holds, not what the original holds by now.
            runs, newest = copying.tell(part)
    finally:
        reader.close()
    return Backup(path, path.stat().st_size, runs, newest)


def latest(state: Path) -> Path | None:
    """The newest copy in the run directory itself."""
    return max((state / FOLDER).glob("*.db"), default=None)


def _default(state: Path) -> Path:
    (state / FOLDER).mkdir(mode=0o700, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(SYSTEM.now() / 1000))
    return state / FOLDER / f"{stamp}.db"
