"""Which scopes read what, so that a change has only those rendered that it concerns."""

from __future__ import annotations

from collections.abc import Iterator

from smithers.author.context import Reads
from smithers.model.step import generic


class Readers:
    """What each scope read in its last render."""

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}
        self._states: dict[str, set[str]] = {}
        self._loops: dict[str, set[str]] = {}

    def note(self, scope: str, before: Reads, now: Reads) -> None:
        for index, old, new in (
            (self._values, before.keys, now.keys),
            (self._states, before.states, now.states),
            (self._loops, before.loops, now.loops),
        ):
            for key in old - new:
                index[key].discard(scope)
            for key in new - old:
                index.setdefault(key, set()).add(scope)

    def of_loop(self, key: str) -> Iterator[str]:
        """Scopes that asked which iteration of it is the last."""
        yield from self._loops.get(key, ())

    def of_step(self, key: str, *, value: bool) -> Iterator[str]:
        """Scopes that asked for its state, and with `value` for its output."""
        for index in (self._states, self._values) if value else (self._states,):
            for name in {key, generic(key)}:
                yield from index.get(name, ())
