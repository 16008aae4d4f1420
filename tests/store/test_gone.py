"""A database that is deleted, moved, replaced or taken apart while it is open: nothing is acknowledged that is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smithers.errors import StoreGone
from smithers.store import files
from smithers.store.database import NAME, Reader, Store
from tests.running import until
from tests.store.store_kit import make, new_run

TOP = Path(__file__).parents[2]
LOG, INDEX = f"{NAME}-wal", f"{NAME}-shm"


@pytest.fixture
def state(tmp_path) -> Path:
    folder = tmp_path / "project" / "state"
    folder.mkdir(parents=True)
    return folder


def _deleted(state: Path) -> None:
    (state / NAME).unlink()


def _moved(state: Path) -> None:
    (state / NAME).rename(state / "elsewhere")


def _replaced(state: Path) -> None:
    _moved(state)
    (state / NAME).touch()


def _taken_back(state: Path) -> None:
    """A copy of before in its place, as `git stash -a` or a backup tool leaves it."""
    (state / "before").replace(state / NAME)


def _cleaned(state: Path) -> None:
    shutil.rmtree(state)


def _folder_moved(state: Path) -> None:
    state.parent.rename(state.parent.with_name("moved"))


def _without_log(state: Path) -> None:
    (state / LOG).unlink()


def _log_replaced(state: Path) -> None:
    _without_log(state)
    (state / LOG).touch()


def _without_index(state: Path) -> None:
    (state / INDEX).unlink()


WAYS = (
    _deleted, _moved, _replaced, _taken_back, _cleaned, _folder_moved, _without_log, _log_replaced,
    _without_index,
)  # fmt: skip


@pytest.mark.parametrize("durable", [True, False], ids=["full", "normal"])
@pytest.mark.parametrize("way", WAYS)
def test_no_commit_is_acknowledged_any_more(state, way, durable):
    store = _with_copy(state)
    way(state)
    with pytest.raises(StoreGone, match="while"), store.write(durable=durable) as db:
        db.execute("UPDATE runs SET title = 'late'")
    assert store.all("SELECT title FROM runs") == [("a title",)]
    store.close()


@pytest.mark.parametrize("way", WAYS)
def test_also_when_no_name_in_the_folder_has_changed_for_long(state, way, monkeypatch):
    monkeypatch.setattr(files, "_TICKS", 0.03)
    store = _with_copy(state)
    until(lambda: _committed(store))
    way(state)
    with pytest.raises(StoreGone):
        new_run(store, "late")
    store.close()


def _committed(store: Store) -> bool:
    """Whether the next commit asks one question only."""
    with store.write(durable=False):
        pass
    return store._files._settled > 0


@pytest.mark.parametrize("way", WAYS)
def test_one_that_is_taken_during_the_commit_is_not_acknowledged(state, way):
    def crossing(point: str) -> None:
        if point == "after":
            way(state)

    _with_copy(state).close()
    store = Store(state, crossing=crossing)
    with pytest.raises(StoreGone):
        new_run(store, "late")
    store.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_reader_says_so_and_shows_no_stale_truth(state, way):
    store, reader = _with_copy(state), Reader(state)
    assert reader.version() > 0
    way(state)
    with pytest.raises(StoreGone):
        reader.version()
    with pytest.raises(StoreGone), reader.transaction():
        pass
    reader.close()
    store.close()


def test_who_looks_while_the_files_are_being_removed_is_told_of_the_database(state, monkeypatch):
    store, reader = make(state), Reader(state)
    monkeypatch.setattr(files.time, "sleep", lambda _seconds: _deleted(state))
    _without_log(state)
    with pytest.raises(StoreGone, match="the database was deleted or moved"):
        reader.version()
    reader.close()
    store.close()


def test_one_in_its_place_is_said_to_be_another(state):
    store, reader = _with_copy(state), Reader(state)
    _taken_back(state)
    with pytest.raises(StoreGone, match="the database was replaced") as told:
        reader.version()
    assert told.value.next == "smithers ps"
    reader.close()
    store.close()


def _with_copy(state: Path) -> Store:
    store = make(state)
    store.all("VACUUM INTO ?", (str(state / "before"),))
    new_run(store)
    return store


# -- what was acknowledged before is there afterwards --


def _other(state: Path, code: str) -> str:
    """Run code with `state` in another process, which shares no lock with this one."""
    names = "from tests.store.test_gone import *\nfrom pathlib import Path\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{names}state = Path({str(state)!r})\n{code}"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def rows_of(state: Path) -> list[str]:
    reader = Reader(state)
    assert reader.all("PRAGMA integrity_check") == [("ok",)]
    rows = [name for (name,) in reader.all("SELECT id FROM runs ORDER BY seq")]
    reader.close()
    return rows


def test_the_commits_of_a_deleted_log_are_saved_by_who_has_it_open_and_the_next_one_goes_on(state):
    store = make(state)
    new_run(store)
    _without_log(state)
    with pytest.raises(StoreGone, match="everything that was committed before"):
        new_run(store, "late")
    assert _other(
        state, "s = Store(state); new_run(s, 'next'); s.close(); print(rows_of(state))"
    ) == str(["r", "next"])
    store.close()
    assert rows_of(state) == ["r", "next"]


def test_the_commits_of_a_deleted_log_are_saved_when_the_last_one_closes(state):
    store = make(state)
    new_run(store)
    _without_log(state)
    store.close()
    assert rows_of(state) == ["r"]


def test_who_comes_before_a_deleted_log_is_saved_is_told_so_and_harms_nothing(state):
    store = make(state)
    new_run(store)
    _without_log(state)
    for opening in ("Store", "Reader"):
        said = _other(
            state,
            f"try:\n    {opening}(state)\n    print('opened')\nexcept StoreGone as error:\n    print(error)",
        )
        assert "was deleted while other processes had it open" in said
    with pytest.raises(StoreGone):
        new_run(store, "late")
    store.close()
    assert rows_of(state) == ["r"]


def test_an_index_without_a_log_that_dead_processes_left_is_no_obstacle(state):
    store = make(state)
    new_run(store)
    store.close()
    (state / INDEX).write_bytes(b"\1" * 32768)
    assert rows_of(state) == ["r"]
    (state / INDEX).write_bytes(b"\1" * 32768)
    new_run(Store(state), "next")
    assert rows_of(state) == ["r", "next"]


BUSY_OTHER = """
from smithers.store import database
database.CHECKPOINT_BYTES = 20_000
s = Store(state)
for n in range(30):
    new_run(s, f"other{n:02}")
s.close()
"""


@pytest.mark.parametrize("writes", [True, False], ids=["writes", "only closes"])
def test_without_the_index_nothing_of_others_is_overwritten(state, writes):
    store = make(state)
    new_run(store)
    _without_index(state)
    _other(state, BUSY_OTHER)
    if writes:
        with pytest.raises(StoreGone):
            new_run(store, "late")
    store.close()
    assert rows_of(state) == ["r", *(f"other{n:02}" for n in range(30))]


# -- what cannot be written --


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A run directory that whoever is not its owner can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        store = make(folder)
        new_run(store)
        store.close()
        yield folder


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "read-only file": (lambda folder: (folder / NAME).chmod(0o444), "new_run(Store(state), 'x')"),
    "read-only folder": (lambda folder: (folder / NAME).chmod(0o666), "new_run(Store(state), 'x')"),
    "unreadable file": (lambda folder: (folder / NAME).chmod(0), "Reader(state)"),
    "reader of a read-only folder": (lambda folder: (folder / NAME).chmod(0o444), "Reader(state)"),
    "unreadable folder": (lambda folder: folder.chmod(0), "Store(state)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_what_may_not_be_written_is_said_in_words(foreign, case):
    prepare, code = CASES[case]
    prepare(foreign)
    if os.geteuid() != 0 and "folder" in case:
        foreign.chmod(0o555)
    said = _other(
        foreign,
        "import os\nfrom smithers.errors import StoreError\n"
        "if os.geteuid() == 0:\n    os.setgid(65534); os.setuid(65534)\n"
        f"try:\n    {code}\n    print('done')\nexcept StoreError as error:\n    print(error)\n",
    )
    foreign.chmod(0o755)
    assert "cannot read or write" in said
    assert "belongs to you" in said
    assert rows_of(foreign) == ["r"]
