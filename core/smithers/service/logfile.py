"""The log of one attempt, paged by line: a file of a million lines opens as fast as a short one."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from smithers.engine.log import parts
from smithers.service.safe import LIMIT, line
from smithers.service.views import LogLine

_CHUNK = 64 * 1024
_HEAD = 1024  # bytes: more than the notice takes with which a later part begins

_Identity: TypeAlias = tuple[int, int, int]


class LogFile:
    """A growing log and a sparse index of it, both read only as far as they must be.

    Lines have the numbers under which they were written: of a long log those in the middle are
    missing. A last line without its end is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[_Identity, _Part] = {}

    def length(self) -> int:
        """Number of the last line that is complete; 0 if there is none."""
        with ExitStack() as files:
            return max((part.base + part.lines for part, _ in self._open(files)), default=0)

    def page(self, after: int, limit: int, *, raw: bool = False) -> list[LogLine]:
        """Up to `limit` lines that follow line number `after`; with what was received, if asked."""
        after = max(0, after)
        found: list[LogLine] = []
        with ExitStack() as files:
            for part, file in self._open(files):
                wanted = limit - len(found)
                found += [_parse(*each, raw=raw) for each in part.read(file, after, wanted)]
        return found

    def _open(self, files: ExitStack) -> list[tuple[_Part, BinaryIO]]:
        """The parts as they are now, indexed to their ends, in order.

        The writer may put each in the place of the one before at any moment. Opened from the last
        to the first, one can turn up twice, but none slips through.
        """
        opened: dict[_Identity, tuple[_Part, BinaryIO]] = {}
        for path in reversed(parts(self.path)):
            with suppress(FileNotFoundError):
                file = files.enter_context(path.open("rb"))
                base = 0 if path == self.path else _base(file)
                if base is None:
                    continue
                status = os.fstat(file.fileno())
                identity = (status.st_dev, status.st_ino, base)
                part = self._known.get(identity) or _Part(base)
                part.extend(file)
                opened.setdefault(identity, (part, file))
        self._known = {identity: part for identity, (part, _) in opened.items()}
        return sorted(opened.values(), key=lambda each: each[0].base)


class _Part:
    """The index of one file of a log. One that shrank is read anew."""

    def __init__(self, base: int) -> None:
        self.base = base
        """Lines of the log before it."""
        self.lines = 0
        self._end = 0
        self._marks = [(0, 0)]

    def extend(self, file: BinaryIO) -> None:
        """Index what has been added since the last look, up to the last line end."""
        size = file.seek(0, 2)
        if size < self._end:
            self.lines, self._end, self._marks = 0, 0, [(0, 0)]
        position = file.seek(self._end)
        while position < size and (chunk := file.read(_CHUNK)):
            last = chunk.rfind(b"\n")
            if last >= 0:
                self.lines += chunk.count(b"\n")
                self._end = position + last + 1
                self._marks.append((self.lines, self._end))
            position += len(chunk)

    def read(self, file: BinaryIO, after: int, count: int) -> Iterator[tuple[int, bytes]]:
        """Up to `count` lines after number `after` of the log, each with its number."""
        skipped = max(0, after - self.base)
        count = min(count, self.lines - skipped)
        if count <= 0:
            return
        line_before, offset = self._marks[bisect_right(self._marks, (skipped, self._end)) - 1]
        file.seek(offset)
        first = skipped - line_before
        yield from enumerate(islice(file, first, first + count), self.base + skipped + 1)


def _base(file: BinaryIO) -> int | None:
    """Lines before a later part, as its notice has it; None as long as that is not there."""
    try:
        base = json.loads(file.readline(_HEAD))["base"]
    except (ValueError, LookupError, TypeError):
        return None
    return base if isinstance(base, int) else None


def _parse(number: int, data: bytes, *, raw: bool) -> LogLine:
    """One record. What is no record is shown as it stands: a log must never hide a line."""
    text = data.decode("utf-8", "surrogateescape").removesuffix("\n")
    try:
        record: Any = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        record = {"d": text}
    at = record.get("t")
    shown = record.get("d")
    said = shown if isinstance(shown, str) else text
    # What the engine says was received from nobody.
    received = None if record.get("s") == "engine" else record.get("raw", said)
    return LogLine(
        n=number,
        at=at if isinstance(at, int) else 0,
        stream=line(str(record.get("s", "engine")), limit=20),
        kind=line(str(record.get("k", "")), limit=40),
        text=line(said, limit=LIMIT),
        raw=received if raw and isinstance(received, str) else None,
    )
