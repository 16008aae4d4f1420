"""A scratch project in which an agent means what it means here, and the way out of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePath

from smithers.config import load, project_file
from smithers.engine import roster
from smithers.service.locate import state_dir
from smithers.store.database import Store
from smithers.supervise.spawn import patient_lock


def bring(root: Path, scratch: Path, agent: str) -> None:
    """Copy the config of a project, and the files of it that the agent is made of.

    Raises AgentError for an agent that nobody knows, or that is not installed.
    """
    copied = roster.files(agent, load(root), root)
    config = project_file(root)
    if config.is_file():
        copied.append(PurePath(config.relative_to(root)))
    for path in copied:
        target = scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, target)


def leave(scratch: Path, run: str) -> None:
    """Return when the engine of a run that has ended is gone, and its files with nobody's."""
    store = Store(state_dir(scratch))
    try:
        held = patient_lock(store, state_dir(scratch), run)
    finally:
        store.close()
    if held is not None:
        os.close(held)
