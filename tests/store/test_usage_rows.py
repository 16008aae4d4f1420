"""What a running attempt has used, in its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from smithers.errors import LeaseLost
from smithers.model.step import AttemptStatus, Usage
from smithers.store import runs, usage
from smithers.store.drive import Transition
from tests.store.store_kit import attempt, begins, drive, make, new_run, owner

USED = Usage(5000, 100, 0.5, 4000)


def test_a_running_attempt_shows_what_it_used_and_only_its_own_engine_can_say_so(
    tmp_path: Path,
) -> None:
    store = make(tmp_path)
    new_run(store)
    drive(store).commit(begins("a"), now=2)
    usage.keep(store, "r", attempt("a"), owner(1), USED)
    assert runs.attempts_of(store, "r")["a"][-1].usage == USED
    assert usage.of_run(store, "r")[0] == Usage(), "it is added when it ends"
    pen = drive(store, pid=2, dead=True)
    with pytest.raises(LeaseLost):
        usage.keep(store, "r", attempt("a"), owner(1), Usage(1))
    pen.commit(Transition("ended", [attempt("a", status=AttemptStatus.FAILED)]), now=3)
    usage.keep(store, "r", attempt("a"), owner(2), USED)
    assert runs.attempts_of(store, "r")["a"][-1].usage == Usage(), "what has ended stands"
    store.close()
