"""Bytes as people write and read them."""

from __future__ import annotations

import argparse
import re

_UNITS = "BKMGT"


def size(text: str) -> int:
    """`100M`, `1.5G`, `2048` in bytes; a K is 1,024."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([BKMGT]?)B?", text.upper())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!a} is no size; such as 500K, 100M, 2G")
    return int(float(match[1]) * 1024 ** max(0, _UNITS.find(match[2] or "B")))


def words(count: int) -> str:
    """`0 B`, `12 KB`, `3.4 MB`."""
    amount = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.1f} {unit}" if unit != "B" and amount < 10 else f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"
