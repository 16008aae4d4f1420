"""An agent that is put to the test: how it is set up against the model, and where its limits are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smithers.config import AgentSpec
from tests.models import FakeModel


@dataclass(frozen=True)
class Limit:
    """What it cannot do. The case is run all the same, and must fail, unless `untested` says why."""

    why: str
    """Stands in the table."""
    untested: str = ""


@dataclass(frozen=True)
class Subject:
    name: str
    """As a role names it."""
    programs: tuple[str, ...]
    """What has to be on PATH, the first being the agent's own."""
    point: Callable[[Path, FakeModel], AgentSpec]
    """Writes what it reads into a home, and says how it is configured to ask the model."""
    memory: str = ""
    """Glob, in its home, of all that it remembers conversations by."""
    quiet: float = 8.0
    """Seconds in which it has surely begun to talk."""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    """By the name of the case."""
    asks: bool = True
    """It asks the model. What the scripted agent says stands in its script."""
    always: bool = False
    """Every run of all tests includes it."""
    package: str = ""
    """What `.ci/install-agents` installs for it."""

    @property
    def real(self) -> bool:
        """It is somebody's program, that has to be installed."""
        return bool(self.package)

    def cell(self, case: str) -> str:
        """What the table says of a case, once the suite has seen it to be so."""
        limit = self.limits.get(case)
        return f"no: {limit.why}" if limit else "yes"

    def version(self) -> str:
        """As it says itself; the project's own have none."""
        if not self.real:
            return "own"
        done = subprocess.run(
            [self.programs[0], "--version"], capture_output=True, text=True, timeout=60, check=False
        )
        found = re.search(r"\d+\.\d+\.\d+\S*", done.stdout + done.stderr)
        return found[0].rstrip(")") if found else "?"
