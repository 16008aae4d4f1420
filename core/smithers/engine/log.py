"""The log of one attempt: a line of JSON for each thing that was said, in the order it was."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import BinaryIO

from smithers.clock import Clock

PART_BYTES = 32 * 1024 * 1024


def parts(path: Path) -> tuple[Path, Path, Path]:
    """Files of the log at `path`, in order: its beginning, then the two parts that are its end.

    Only a log of more than `PART_BYTES` has the second and third.
    """
    return path, path.with_name(f"{path.name}.1"), path.with_name(f"{path.name}.2")


def last_written(path: Path) -> int | None:
    """When something was last written to the log at `path`, in ms; None if there is none."""
    times = [int(part.stat().st_mtime * 1000) for part in parts(path) if part.exists()]
    return max(times, default=None)


class AttemptLog:
    """Begins `<attempt>.jsonl` afresh, and appends to it.

    Bounded: the first part stays, what follows goes to the last one, and whenever that is full it
    takes the place of the middle one. So beginning and end are kept, and numbers of lines never
    change: each later part begins with a notice that says in `base` how many lines were before.
    """

    def __init__(self, path: Path, clock: Clock, *, part_bytes: int = PART_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._parts = parts(path)
        for part in self._parts[1:]:
            part.unlink(missing_ok=True)
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._clock = clock
        self._part_bytes = part_bytes
        self._size = 0
        """Bytes of the part that is written to."""
        self._lines = 0
        """Lines that were written in all."""
        self._lost = 0
        """Records since the last one that could be written."""
        self._received = ""
        """What the last record with `raw` was read out of."""
        self._head = b""
        """What the first write to this part begins with."""

    def write(self, stream: str, kind: str, text: str, raw: str = "") -> None:
        """A record for each line of `text`. `stream` is `out`, `err`, `agent` or `engine`.

        The first has `raw`, what `text` was read out of. Those that follow have null there, and so
        have all that were read out of the very same string as the one before.
        """
        more = ""
        if raw and raw != text:
            again, self._received = raw is self._received, raw
            more = ',"raw":null' if again else f',"raw":{json.dumps(raw)}'
        for line in text.split("\n"):
            self._record(stream, kind, line, more)
            more = more and ',"raw":null'

    def close(self) -> None:
        self._file.close()

    def _record(self, stream: str, kind: str, text: str, more: str) -> None:
        line = self._line(stream, kind, text, more)
        try:
            if self._size and self._size + len(line) > self._part_bytes:
                self._next_part()
            if self._lost:
                lost = f"lines that could not be written here: {self._lost}"
                self._append(self._line("engine", "notice", lost))
                self._lost = 0
            self._append(line)
        except OSError:
            # A full disk must not take the attempt with it; when there is room, the log goes on.
            self._lost += 1

    def _line(self, stream: str, kind: str, text: str, more: str = "") -> bytes:
        # Words of ours need no quoting, and the whole at once would cost eight times as much.
        now = self._clock.now()
        return f'{{"t":{now},"s":"{stream}","k":"{kind}","d":{json.dumps(text)}{more}}}\n'.encode()

    def _next_part(self) -> None:
        _, middle, last = self._parts
        if last.exists():
            last.replace(middle)
        fresh = last.open("wb", buffering=0)
        self._file.close()
        self._file, self._size = fresh, 0
        notice = (
            f"the log goes on here with line {self._lines + 2}; "
            "of a long log the beginning and the end are kept"
        )
        self._head = self._line("engine", "notice", notice, f',"base":{self._lines}')

    def _append(self, line: bytes) -> None:
        """Whole or not at all: what was written of it in vain is taken back."""
        data = self._head + line
        if self._file.write(data) != len(data):
            os.ftruncate(self._file.fileno(), self._size)
            self._file.seek(self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(data)
        self._lines += 2 if self._head else 1
        self._head = b""
