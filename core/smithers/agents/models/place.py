"""Where tools work: paths that cannot leave the workspace, and files within bounds."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smithers.agents.models import globbing
from smithers.agents.permissions import Policy, Question, Ruling, Tool, names
from smithers.process.marks import Mark

FILE_LIMIT = 8 << 20
"""Bytes of a file that is read."""
_FOUND = 1000  # names in a list


class Refused(Exception):
    """A tool cannot do what it was asked; the model is told why."""


@dataclass(frozen=True, slots=True)
class Place:
    workspace: Path
    """Without symlinks."""
    env: Mapping[str, str]
    """Of commands; the provider's login is not in it."""
    mark: Mark
    policy: Policy = field(default_factory=Policy)

    def inside(self, path: str) -> Path:
        """The path without symlinks. Refused where it leads out of the workspace."""
        try:
            real = Path(os.path.realpath(self.workspace / path))
        except ValueError as error:
            raise Refused(f"{path!r} is no path: {error}") from None
        if not real.is_relative_to(self.workspace):
            raise Refused(f"{path} is outside the workspace")
        return real

    def named(self, path: Path) -> str:
        """A path inside as rules and the model see it."""
        return os.path.relpath(path, self.workspace)

    def ruling(self, path: str) -> Ruling:
        """Whether what stands in a file may be told."""
        subject, *also = names(path, self.workspace)
        return self.policy.rule(Question(Tool.READ, "", subject, "", tuple(also)))[0]

    def read(self, path: Path) -> bytes:
        """Read a whole file."""
        try:
            # Without waiting: it may be a pipe.
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            with open(handle, "rb") as file:  # noqa: PTH123 - opened above
                self._plain(os.fstat(handle), path)
                data = file.read(FILE_LIMIT + 1)
        except OSError as error:
            raise Refused(f"{self.named(path)}: {error.strerror}") from None
        if len(data) > FILE_LIMIT:
            raise Refused(f"{self.named(path)} is larger than {FILE_LIMIT} bytes: use the shell")
        return data

    def write(self, path: Path, text: str) -> None:
        """Write a whole file, and make the folders around it."""
        try:
            if path.exists():
                self._plain(path.stat(), path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        except OSError as error:
            raise Refused(f"{self.named(path)}: {error.strerror}") from None

    def find(self, pattern: str) -> list[str]:
        """Names that fit a pattern, folders with a slash; none of what symlinks lead out to."""
        if ".." in Path(pattern).parts:
            raise Refused(f"{pattern} leads out of the workspace")
        try:
            found, more = globbing.matching(self.workspace, pattern, self._shown, _FOUND)
        except ValueError as error:
            raise Refused(f"no pattern: {error}: {pattern[:200]!r}") from None
        told = sorted(f"{self.named(path)}{'/' if path.is_dir() else ''}" for path in found)
        return [*told, "… and more: narrow it down"] if more else told

    def _shown(self, path: Path) -> bool:
        if ".git" in path.relative_to(self.workspace).parts:
            return False
        return Path(os.path.realpath(path)).is_relative_to(self.workspace)

    def _plain(self, found: os.stat_result, path: Path) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise Refused(f"{self.named(path)} is no file")
