"""How wide the screen is. Asked at each start, so it loads next to nothing."""

from __future__ import annotations

import os
import sys

_COLUMNS = 80


def screen_width() -> int:
    """Columns to fill: `$COLUMNS`, else those of the terminal, 80 for a pipe."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _COLUMNS
    except (ValueError, OSError):
        return _COLUMNS
