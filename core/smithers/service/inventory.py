"""What a run directory and the repository around it hold, by the name of the run it belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from smithers.errors import SmithersError
from smithers.service.directory import RUN_ID
from smithers.service.locate import state_dir
from smithers.store import pruning, queries
from smithers.store.database import Reader, open_reader
from smithers.store.pruning import Stored
from smithers.vcs import clearing
from smithers.vcs.repository import Repository, discover


@dataclass(slots=True)
class Case:
    """One name, and what is known of it."""

    name: str
    run: Stored | None
    snapshot: str = ""
    bytes: int = 0
    touched: int = 0
    """When anything under a name that no run has was last changed."""
    local: bool = True
    """It has files in this run directory; else only refs in the repository."""

    @property
    def title(self) -> str:
        return self.run.title if self.run else ""

    @property
    def branched(self) -> bool:
        """A branch of that name is its own; a run that works in place has none."""
        return self.run is None or bool(self.run.branch)


@dataclass(slots=True)
class Place:
    """The run directory and the repository around it."""

    state: Path
    repo: Repository | None = None
    trouble: str = ""
    """Why git cannot be asked."""
    ended: dict[str, bool] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)

    def worktree(self, name: str) -> Path:
        return self.state / "worktrees" / name

    def folders(self, name: str) -> tuple[Path, ...]:
        return (self.state / "logs" / name, self.state / "scratch" / name)


def survey(root: Path) -> tuple[Place, list[Case]]:
    """Every run, oldest first, then every name that no run has. Raises StoreError."""
    place = Place(state_dir(root))
    try:
        place.repo = discover(root)
    except SmithersError as error:
        place.trouble = error.what
    # The disk first: whatever run makes a folder after that has had its row before.
    local = set(_local_names(place.state))
    refs = clearing.names(place.repo) if place.repo else set()
    names = local | {name for name in refs if RUN_ID.match(name)}
    reader = open_reader(place.state)
    try:
        rows = pruning.all_runs(reader)
        snapshots = {row.id: _newest(reader, row) for row in rows if row.branch}
    finally:
        reader.close()
    place.ended = {row.id: row.status.ended for row in rows}
    place.parents = {row.id: row.parent for row in rows}
    cases = [Case(row.id, row, snapshots.get(row.id, "")) for row in rows]
    known = {row.id for row in rows}
    cases += [Case(name, None, local=name in local) for name in sorted(names - known)]
    for case in cases:
        found = [place.worktree(case.name), *place.folders(case.name)]
        case.bytes, case.touched = _measure(found)
    return place, cases


def _newest(reader: Reader, row: Stored) -> str:
    taken = [each for each in queries.snapshots(reader, row.seq) if each.side != "before"]
    return taken[-1].commit if taken else ""


def _local_names(state: Path) -> Iterator[str]:
    """What is called as runs are; anything else in there is not ours."""
    for folder, suffix in (("logs", ""), ("scratch", ""), ("worktrees", ""), ("engines", ".lock")):
        for entry in (state / folder).glob(f"*{suffix}"):
            name = entry.name.removesuffix(suffix)
            if RUN_ID.match(name):
                yield name


def _measure(places: Iterable[Path]) -> tuple[int, int]:
    """Bytes on disk, and milliseconds at which anything at the top was last changed."""
    size, touched = 0, 0
    for place in places:
        try:
            touched = max(touched, int(place.lstat().st_mtime * 1000))
        except FileNotFoundError:
            continue
        for folder, _, files in os.walk(place):
            for name in files:
                try:
                    size += os.lstat(f"{folder}/{name}").st_blocks * 512
                except FileNotFoundError:
                    continue
    return size, touched
