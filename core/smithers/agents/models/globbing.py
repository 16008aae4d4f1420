"""Files that fit a glob pattern, within bounds: the pattern is a model's, the tree anybody's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

LOOKED = 200_000
"""Entries of folders that one search looks at."""
_DEEP = 100  # parts of a pattern
_MAGIC = frozenset("*?[")


def matching(
    top: Path, pattern: str, shown: Callable[[Path], bool], most: int
) -> tuple[list[Path], bool]:
    """Up to `most` of those that fit, and whether there may be more. ValueError: no pattern."""
    parts = Path(pattern).parts
    if not parts or Path(pattern).is_absolute():
        raise ValueError("it has to name something in the workspace")
    if len(parts) > _DEEP:
        raise ValueError(f"it has more than {_DEEP} parts")
    found: dict[Path, None] = {}
    walk = _Walk()
    for path in walk.into(top, _once(parts)):
        if path in found or not shown(path):
            continue
        if len(found) == most:
            return list(found), True
        found[path] = None
    return list(found), walk.cut


class _Walk:
    def __init__(self) -> None:
        self._left = LOOKED

    @property
    def cut(self) -> bool:
        """Not everything was looked at."""
        return self._left < 0

    def into(self, folder: Path, parts: Sequence[str]) -> Iterator[Path]:
        if not parts:
            yield folder
            return
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self.into(folder, rest)
            for each in self._entries(folder):
                if each.is_dir(follow_symlinks=False):
                    yield from self.into(Path(each.path), parts)
        elif _MAGIC & set(part):
            for each in self._entries(folder):
                if fnmatchcase(each.name, part):
                    yield from self.into(Path(each.path), rest)
        elif os.path.lexists(folder / part):
            yield from self.into(folder / part, rest)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        if self.cut:
            return []
        try:
            with os.scandir(folder) as entries:
                found = list(islice(entries, self._left + 1))
        except OSError:  # no folder, or not for us
            found = []
        self._left -= 1 + len(found)
        return [each for each in found if each.name != ".git"]


def _once(parts: Sequence[str]) -> list[str]:
    """Without a `**` that follows another, which adds nothing but work."""
    before = ["", *parts]
    return [part for last, part in zip(before, parts, strict=False) if not part == last == "**"]
