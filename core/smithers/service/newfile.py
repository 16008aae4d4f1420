"""A file that is there whole or not at all, and never in the place of another."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from smithers.clock import SYSTEM
from smithers.errors import Refused, UsageError
from smithers.service.safe import line


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A path beside the target; what is made there becomes the target, durably, at the end.

    Raises Refused if there is something already, UsageError if there is no such folder.
    """
    if not target.parent.is_dir():
        folder = line(str(target.parent))
        raise UsageError(f"there is no folder {folder}", next=f"mkdir -p {shlex.quote(folder)}")
    if os.path.lexists(target):
        raise _taken(target)
    part = target.with_name(f".{target.name}.{SYSTEM.token():012x}.part")
    try:
        yield part
        _sync(part)
        try:
            os.link(part, target)
        except FileExistsError:
            raise _taken(target) from None
        except OSError:
            # A file system without links.
            part.rename(target)
        _sync(target.parent)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _taken(target: Path) -> Refused:
    return Refused(
        f"{line(str(target))} is there already", kept="that file", next="name another file"
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
