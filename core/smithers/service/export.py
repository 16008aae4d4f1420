"""One run in one file, and looking into such a file where there is neither repository nor run."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from smithers.clock import SYSTEM, iso
from smithers.errors import SmithersError, UsageError
from smithers.service.diffs import diff
from smithers.service.directory import RUN_ID, head, open_directory
from smithers.service.gates import repository_of
from smithers.service.locate import state_dir
from smithers.service.newfile import new_file
from smithers.service.safe import line
from smithers.service.views import Safe
from smithers.store import copying, queries
from smithers.store.database import NAME
from smithers.vcs import packing
from smithers.vcs.repository import resolve

SUFFIX = ".smithers.zip"
_FORMAT = 1
_ABOUT, _ROWS, _OBJECTS, _PATCH, _LOGS = "run.json", "run.db", "objects.pack", "run.patch", "logs/"
_LOG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,160}\Z")
_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})?\Z")


class Exported(NamedTuple):
    path: Path
    bytes: int
    parts: tuple[str, ...]


class Opened(NamedTuple):
    """An exported run, unpacked as a run directory of its own for as long as it is looked at."""

    root: Path
    run: str
    exported_at: Safe


def export(root: Path, run_id: str, target: Path | None = None, *, actor: str) -> Exported:
    """Write the rows, logs and changes of a run as they are now; never what it did not change.

    Raises UnknownRun, Refused when the file is there already.
    """
    path = (target or Path(f"{run_id}{SUFFIX}")).absolute()
    with tempfile.TemporaryDirectory(prefix="smithers-") as temp, new_file(path) as part:
        rows = Path(temp) / _ROWS
        with open_directory(root) as db:
            with db.reader.transaction():
                seq = head(db, run_id).seq
                run = queries.run(db.reader, seq)
                taken = queries.snapshots(db.reader, seq)
                copying.of_run(db.reader, seq, rows)
            patch = diff(db, run_id).raw
        folder = repository_of(run)
        tip = resolve(folder, f"refs/heads/{run.branch}") if run.branch else ""
        commits = [each.commit for each in taken]
        objects = packing.pack(folder, run.base, [*commits, tip])
        about = {"format": _FORMAT, "run": run_id, "exported_at": iso(SYSTEM.now())}
        about |= {"exported_by": actor, "tip": tip if objects else ""}
        with zipfile.ZipFile(part, "x", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_ABOUT, json.dumps(about))
            archive.write(rows, _ROWS)
            archive.writestr(_PATCH, patch.encode("utf-8", "surrogateescape"))
            archive.writestr(_OBJECTS, objects)
            for log in sorted((state_dir(root) / "logs" / run_id).glob("*")):
                if _LOG_NAME.match(log.name) and log.is_file():
                    archive.write(log, f"{_LOGS}{log.name}")
            parts = tuple(archive.namelist())
        part.chmod(0o600)
    return Exported(path, path.stat().st_size, parts)


@contextmanager
def opened(file: Path) -> Iterator[Opened]:
    """Unpack an exported run for a while. Raises UsageError for a file that is none."""
    with tempfile.TemporaryDirectory(prefix="smithers-") as temp:
        try:
            with zipfile.ZipFile(file) as archive:
                found = _unpack(archive, Path(temp))
        except FileNotFoundError:
            raise UsageError(f"there is no file {line(str(file))}", next="ls") from None
        except (zipfile.BadZipFile, KeyError, ValueError, SmithersError) as error:
            raise UsageError(
                f"{line(str(file))} is no run that smithers exported ({line(str(error))})",
                kept="the file as it is",
                next="smithers export RUN, where the run is",
            ) from error
        yield found


def _unpack(archive: zipfile.ZipFile, root: Path) -> Opened:
    """Only what an export has, under names that are ours: the file may come from anybody."""
    size = sum(entry.file_size for entry in archive.infolist())
    if size > shutil.disk_usage(root).free // 2:
        raise ValueError(f"it holds {size:,} bytes, for which there is no room here")
    about: Any = json.loads(archive.read(_ABOUT))
    if not isinstance(about, dict) or about.keys() < {"format", "run", "tip", "exported_at"}:
        raise ValueError("it does not say what it is")
    run, tip = str(about["run"]), str(about["tip"])
    if about["format"] != _FORMAT or not RUN_ID.match(run) or not _COMMIT.match(tip):
        raise ValueError("it was written by a newer smithers, or by something else")
    state = state_dir(root)
    logs = state / "logs" / run
    logs.mkdir(parents=True)
    state.chmod(0o700)
    _save(archive, _ROWS, state / _ROWS)
    if copying.move_in(state / _ROWS, root) != run:
        raise ValueError("its parts are of different runs")
    # SQLite alone may open a file of that name.
    (state / _ROWS).rename(state / NAME)
    for name in archive.namelist():
        log = name.removeprefix(_LOGS)
        if name.startswith(_LOGS) and _LOG_NAME.match(log):
            _save(archive, name, logs / log)
    objects = archive.read(_OBJECTS)
    if objects:
        packing.unpack(root, objects, branch=f"smithers/{run}", tip=tip)
    return Opened(root, run, line(str(about["exported_at"])))


def _save(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    with archive.open(name) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file)
