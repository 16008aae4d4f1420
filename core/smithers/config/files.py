"""The two files of a configuration, watched by who has read them."""

from __future__ import annotations

import os
from pathlib import Path

from smithers.config.reading import person_file, project_file


class Files:
    """The person's own file and the project's, as they were when they were last looked at."""

    def __init__(self, root: Path) -> None:
        self._paths = str(person_file()), str(project_file(root))
        self._seen: list[tuple[int, int, int] | None] = []

    def changed(self) -> bool:
        """Whether one is not what it was at the last look; at the first look always.

        Whoever reads them looks first: what is written meanwhile is then a change.
        """
        before, self._seen = self._seen, [_look(path) for path in self._paths]
        return before != self._seen


def _look(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked for each frame
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
