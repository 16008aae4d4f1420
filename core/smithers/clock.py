"""Time, chance and ids: the only source of them, so that tests own all three."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def _bits(count: int) -> int:
    """So many random bits, at most 64. `secrets` and `random` would load OpenSSL at each start."""
    return int.from_bytes(os.urandom(8), "big") >> (64 - count)


def _base32(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits = _ALPHABET[digit] + digits
    return digits


class Clock:
    """The real one. Tests subclass it."""

    def now(self) -> int:
        """Wall clock, milliseconds since 1970 UTC. For records and timers, never for limits."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds of time awake: stands still in suspend, so a closed lid is no stall."""
        return time.monotonic()

    def run_id(self) -> str:
        """An id that sorts by time: nine digits of milliseconds, four of chance."""
        return f"{_base32(self.now(), 9)}-{_base32(_bits(20), 4)}"

    def token(self) -> int:
        """48 random bits: the mark that only one attempt's processes carry."""
        return _bits(48)

    def jitter(self) -> float:
        """A factor between 0.8 and 1.2, for back-off."""
        return 0.8 + 0.4 * _bits(32) / 2**32


SYSTEM = Clock()


def iso(ms: int) -> str:
    """`2026-11-24T10:02:11.042Z`: ISO 8601 in UTC with milliseconds, as all JSON has it."""
    seconds, millis = divmod(ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis:03d}Z"
