"""One open run directory, and how a run or a step is found in it by what a person types."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from smithers.clock import SYSTEM, Clock
from smithers.errors import UnknownRun, UsageError
from smithers.model.step import generic
from smithers.service.locate import state_dir
from smithers.service.logfile import LogFile
from smithers.service.safe import line
from smithers.store import queries
from smithers.store.database import Reader, open_reader

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_OPEN_LOGS = 16


@dataclass(slots=True)
class Directory:
    """A reader of one run directory, for one thread. What it has learnt of log files it keeps."""

    root: Path
    reader: Reader
    clock: Clock = SYSTEM
    seen: int = 0
    logs: OrderedDict[Path, LogFile] = field(default_factory=OrderedDict)

    @property
    def state(self) -> Path:
        return state_dir(self.root)

    def log_file(self, path: Path) -> LogFile:
        """The file with its index; the least used ones are forgotten."""
        found = self.logs.pop(path, None) or LogFile(path)
        self.logs[path] = found
        while len(self.logs) > _OPEN_LOGS:
            self.logs.popitem(last=False)
        return found

    def close(self) -> None:
        self.reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_directory(root: Path) -> Directory:
    """Open what `root` holds for reading. Raises StoreError if there is nothing."""
    reader = open_reader(state_dir(root))
    return Directory(root=root, reader=reader, seen=reader.version())


def changed(db: Directory) -> bool:
    """Whether anybody has committed since this was last asked, or since opening."""
    version = db.reader.version()
    moved = version != db.seen
    db.seen = version
    return moved


def resolve(db: Directory, name: str) -> str:
    """The id that `name` means: an id, a unique prefix or `@last`. Raises UnknownRun."""
    if name == "@last":
        ids = queries.newest(db.reader)
        if not ids:
            raise UnknownRun("there are no runs here", next="smithers up")
        return ids[0]
    if not RUN_ID.match(name):
        raise _unknown(db, name)
    if queries.exists(db.reader, name):
        return name
    ids = queries.newest(db.reader, prefix=name, limit=6)
    if len(ids) == 1:
        return ids[0]
    if ids:
        more = ", …" if len(ids) > 5 else ""
        raise UnknownRun(
            f"several runs begin with {name}: {', '.join(ids[:5])}{more}",
            next="give more of the id",
        )
    raise _unknown(db, name)


def _unknown(db: Directory, name: str) -> UnknownRun:
    near = _nearest(name[:64], queries.newest(db.reader, limit=200))
    return UnknownRun(
        f"no run {line(name, limit=80)}", next=f"smithers why {near}" if near else "smithers ps"
    )


def head(db: Directory, run_id: str) -> queries.Head:
    """The stored line of a run. Raises UnknownRun."""
    found = queries.head(db.reader, run_id) if RUN_ID.match(run_id) else None
    if found is None:
        raise _unknown(db, run_id)
    return found


def step_key(db: Directory, run_id: str, name: str) -> str:
    """The key of the step that `name` means in that run. Raises UsageError.

    A key, or one without iterations (`build/review`: its last), or an id that one place has.
    """
    return find_key(queries.step_keys(db.reader, head(db, run_id).seq), run_id, name)


def find_key(keys: Collection[str], run_id: str, name: str) -> str:
    """As `step_key`, among these keys."""
    if name in keys:
        return name
    places = {generic(key) for key in keys}
    if name not in places:
        named = sorted(place for place in places if place.endswith(f"/{name}"))
        if len(named) > 1:
            raise UsageError(
                f"several steps of {line(run_id)} are called {line(name, limit=80)}: "
                f"{line(', '.join(named), limit=300)}",
                next="give the whole key",
            )
        if not named:
            raise _no_step(places, run_id, name)
        name = named[0]
    return max((key for key in keys if generic(key) == name), key=iterations)


def iterations(key: str) -> tuple[int, ...]:
    """The iteration numbers of a key, outermost first."""
    return tuple(int(number) for number in re.findall(r"\[(\d+)\]", key))


def _no_step(places: Collection[str], run_id: str, name: str) -> UsageError:
    near = _nearest(name[:200], places)
    hint = f"; did you mean {line(near, limit=200)}?" if near else ""
    return UsageError(
        f"no step {line(name, limit=80)} in {line(run_id)}{hint}",
        next=f"smithers inspect {line(run_id)}",
    )


def _nearest(name: str, names: Collection[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  only mistakes pay for it

    return next(iter(get_close_matches(name, names, n=1)), "")
