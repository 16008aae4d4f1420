"""The log of one attempt, paged by line: a file of a million lines opens as fast as a short one."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from smithers.service.safe import LIMIT, line
from smithers.service.views import LogLine

_CHUNK = 64 * 1024


class LogFile:
    """A growing file of JSON lines and a sparse index of it, both read only as far as they must be.

    A last line without its end is not there yet. A file that shrank or was replaced is read anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self._identity = (0, 0)
        self._end = 0
        self._lines = 0
        self._marks = [(0, 0)]

    def length(self) -> int:
        """Complete lines at present; 0 if there is no file."""
        try:
            with self.path.open("rb") as file:
                self._extend(file)
        except FileNotFoundError:
            self._forget()
        return self._lines

    def page(self, after: int, limit: int) -> list[LogLine]:
        """Up to `limit` lines that follow line number `after`."""
        after = max(0, after)
        try:
            with self.path.open("rb") as file:
                self._extend(file)
                wanted = min(limit, self._lines - after)
                if wanted <= 0:
                    return []
                raw = self._read(file, after, wanted)
        except FileNotFoundError:
            self._forget()
            return []
        return [_parse(number, data) for number, data in enumerate(raw, after + 1)]

    def _extend(self, file: BinaryIO) -> None:
        """Index what has been added since the last look, up to the last line end."""
        size = file.seek(0, 2)
        status = self.path.stat()
        if size < self._end or self._identity != (status.st_dev, status.st_ino):
            self._forget()
            self._identity = (status.st_dev, status.st_ino)
        position = file.seek(self._end)
        while position < size and (chunk := file.read(_CHUNK)):
            last = chunk.rfind(b"\n")
            if last >= 0:
                self._lines += chunk.count(b"\n")
                self._end = position + last + 1
                self._marks.append((self._lines, self._end))
            position += len(chunk)

    def _read(self, file: BinaryIO, after: int, count: int) -> list[bytes]:
        index = bisect_right(self._marks, (after, self._end)) - 1
        line_before, offset = self._marks[index]
        file.seek(offset)
        return list(islice(file, after - line_before, after - line_before + count))


def _parse(number: int, data: bytes) -> LogLine:
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
    return LogLine(
        n=number,
        at=at if isinstance(at, int) else 0,
        stream=line(str(record.get("s", "engine")), limit=20),
        kind=line(str(record.get("k", "")), limit=40),
        text=line(shown if isinstance(shown, str) else text, limit=LIMIT),
    )
