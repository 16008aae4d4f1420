"""Ages, durations and clock times, in the widths that columns expect."""

from __future__ import annotations

import time


def age(ms: int) -> str:
    """At most four cells: `12s`, `4m`, `23h`, `3d`."""
    seconds = max(0, ms) // 1000
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit}{name}"
    return f"{min(seconds // 86400, 999)}d"


def duration(ms: int) -> str:
    """At most six cells: `0.8s`, `12s`, `4m10s`, `1h02m`, `3d04h`."""
    seconds = max(0, ms) / 1000
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{min(whole // 86400, 999)}d{whole % 86400 // 3600:02}h"


def clock(ms: int) -> str:
    """Local time of day, `12:03:11`."""
    return time.strftime("%H:%M:%S", time.localtime(ms // 1000))


def money(usd: float | None) -> str:
    """`$1.92`, or nothing where no agent said what it cost."""
    if usd is None:
        return ""
    return f"${usd:,.2f}" if usd < 10_000 else f"${usd:,.0f}"


def tokens(count: int | None) -> str:
    """`812`, `48k`, `1.2M`."""
    if count is None:
        return ""
    if count < 1000:
        return str(count)
    if count < 1_000_000:
        return f"{count // 1000}k"
    return f"{count / 1_000_000:.1f}M"
