"""Engines are real here, and so is everything that they drive."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from smithers.service import locate
from smithers.service.watching import watcher
from smithers.store.database import Store
from tests.running import Workshop, until, workshop

__all__ = ["workshop"]


@dataclass
class Supervised:
    """Supervisors of a run directory, as processes of their own."""

    root: Path
    out: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def begin(self) -> subprocess.Popen[str]:
        """Returns once it watches."""
        locate.ensure(self.root)
        with (self.out / "supervisor.said").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "smithers.cli", "supervise", "--json"],
                cwd=self.root,
                stdout=said,
                stderr=said,
                text=True,
            )
        self.started.append(process)
        until(lambda: process.poll() or watcher(self.root) == process.pid, tell=self.words)
        assert process.poll() is None, self.words()
        return process

    def words(self) -> str:
        path = self.out / "supervisor.said"
        return path.read_text() if path.exists() else ""

    def said(self) -> list[tuple[str, str]]:
        """Run and what was done, in order."""
        found = [json.loads(line) for line in self.words().splitlines()]
        return [(each["run"], each["did"]) for each in found]

    def close(self) -> None:
        for process in self.started:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in {0, -signal.SIGKILL}, self.words()


@pytest.fixture
def supervised(workshop: Workshop) -> Iterator[Supervised]:
    made = Supervised(workshop.root, workshop.out)
    yield made
    made.close()


@pytest.fixture
def store(workshop: Workshop) -> Iterator[Store]:
    """Of a directory that is there already."""
    locate.ensure(workshop.root)
    opened = Store(locate.state_dir(workshop.root))
    yield opened
    opened.close()
