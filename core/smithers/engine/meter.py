"""What an attempt uses, kept while it runs: whoever takes its run over must not count from zero."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from smithers.errors import LeaseLost, StoreError
from smithers.model.step import Usage

BETWEEN_SECONDS = 1.0
"""From one write to the next."""


class Meter:
    """Of one attempt. What its agent tells is kept at once, and then at most each second."""

    def __init__(self, keep: Callable[[Usage], None]) -> None:
        self._keep = keep
        self._told = self._kept = Usage()
        self._next: asyncio.TimerHandle | None = None

    def tell(self, used: Usage) -> None:
        """So much is used by now."""
        self._told = used
        if self._next is None:
            self._write()

    def close(self, used: Usage) -> None:
        """So much it was, however it ended: its record may never be written."""
        if self._next is not None:
            self._next.cancel()
        self._told = used
        self._save()

    def _write(self) -> None:
        self._next = None
        if self._save():
            self._next = asyncio.get_running_loop().call_later(BETWEEN_SECONDS, self._write)

    def _save(self) -> bool:
        """Whether there was something new."""
        if self._told == self._kept:
            return False
        self._kept = self._told
        # No harm to the attempt: its end tells all of it again, if this engine may still write.
        with suppress(StoreError, LeaseLost):
            self._keep(self._told)
        return True
