"""The log of one attempt: a line of JSON for each thing that was said, in the order it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

from smithers.clock import Clock

MOST_BYTES = 256 * 1024 * 1024


class AttemptLog:
    """Appends to `<attempt>.jsonl`.

    Bounded: past the limit one notice is written, and nothing more.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._clock = clock
        self._size = self._file.tell()
        self._full = False

    def write(self, stream: str, kind: str, text: str, raw: str = "") -> None:
        """A record for each line of `text`. `stream` is `out`, `err`, `agent` or `engine`."""
        first, *rest = text.split("\n")
        self._record(stream, kind, first, raw if raw != text else "")
        for line in rest:
            self._record(stream, kind, line, "")

    def _record(self, stream: str, kind: str, text: str, raw: str) -> None:
        if self._full:
            return
        record: dict[str, object] = {"t": self._clock.now(), "s": stream, "k": kind, "d": text}
        if raw:
            record["raw"] = raw
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        self._size += len(line)
        if self._size > MOST_BYTES:
            self._full = True
            notice = {
                "t": self._clock.now(),
                "s": "engine",
                "k": "notice",
                "d": "log is full: the rest is not kept",
            }
            line = json.dumps(notice).encode() + b"\n"
        try:
            self._file.write(line)
        except OSError:
            # A full disk must not take the attempt with it.
            self._full = True

    def close(self) -> None:
        self._file.close()
