"""An edit that an agent asks for, as a person is to see it."""

from __future__ import annotations

import difflib
import os
import stat
from pathlib import Path

_LIMIT = 1 << 20  # bytes of a file of which it is shown what changes


def patch(path: str, old: str, new: str) -> str:
    """What changes in a text, as a unified diff; nothing is left out of it."""
    # At line feeds alone: other signs that end a line are for a person to see.
    before, after = (text.split("\n") if text else [] for text in (old, new))
    return "\n".join(difflib.unified_diff(before, after, path, path, lineterm=""))


def text_of(file: Path) -> str | None:
    """What stands in a file, nothing if it is not there; None where that cannot be shown."""
    try:
        # Without waiting: it may be a pipe.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with open(handle, "rb") as opened:  # noqa: PTH123 - opened above
            plain = stat.S_ISREG(os.fstat(handle).st_mode)
            data = opened.read(_LIMIT + 1) if plain else None
            return None if data is None or len(data) > _LIMIT else data.decode()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        return None
