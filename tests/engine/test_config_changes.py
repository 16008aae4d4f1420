"""Config that is edited while an engine drives the run: it counts from the next attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from smithers.config import Files
from smithers.model.run import RunStatus
from tests.running import Workshop, hold

BODY = (
    'return Sequence(Task("first", agent="x", prompt="1"), Task("second", agent="y", prompt="2"))'
)


@pytest.fixture
def working(workshop: Workshop) -> Workshop:
    """The first of two tasks is at work; the agent of the second would fail."""
    first = {"step": "first", "do": [{"run": hold(workshop, "work")}]}
    workshop.script(first, {"step": "second", "do": [{"say": "done"}]}, name="able")
    workshop.script({"do": [{"fail": "config"}]}, name="unable")
    roles(workshop, "unable")
    workshop.up(workshop.flow(BODY))
    workshop.until_file("work.reached")
    return workshop


def roles(workshop: Workshop, second: str) -> None:
    workshop.config(
        f'[roles]\nx = "scripted:{workshop.out}/able.json"\n'
        f'y = "scripted:{workshop.out}/{second}.json"\n'
    )


@pytest.mark.slow
def test_another_role_counts_from_the_next_attempt_of_a_live_engine(working: Workshop) -> None:
    engine = working.engine()
    roles(working, "able")
    working.touch("work.go")
    assert working.until_ended().row.status is RunStatus.SUCCEEDED
    assert working.lease()[0].owner.pid == engine
    assert working.attempts() == {"first": ["succeeded"], "second": ["succeeded"]}


@pytest.mark.slow
def test_broken_config_pauses_the_run_after_what_was_at_work_and_nothing_is_lost(
    working: Workshop,
) -> None:
    working.config("[roles\n")
    working.touch("work.go")
    view = working.until_status(RunStatus.PAUSED)
    assert "config.toml is not valid TOML" in view.error
    working.until_no_engine()
    assert working.attempts() == {"first": ["succeeded"]}
    roles(working, "able")
    working.resume()
    assert working.until_ended().row.status is RunStatus.SUCCEEDED
    assert working.attempts() == {"first": ["succeeded"], "second": ["succeeded"]}


def test_each_change_of_either_file_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "person"))
    files = Files(tmp_path)
    paths = [tmp_path / "person/smithers/config.toml", tmp_path / ".smithers/config.toml"]
    assert (files.changed(), files.changed()) == (True, False)
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text("[limits]\n")
        assert (files.changed(), files.changed()) == (True, False)
        path.with_name("new").write_text("[limits]\n")
        path.with_name("new").replace(path)
        assert (files.changed(), files.changed()) == (True, False)
        path.unlink()
        assert (files.changed(), files.changed()) == (True, False)
