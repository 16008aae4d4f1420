"""The database is taken away under the open app: it says so, shows nothing stale as true, and reopens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from directory import NOW, Directory
from driving import make, play, shows, text, until

from smithers_tui.screens.run import RunScreen


@pytest.mark.parametrize("place", ["home", "run"])
def test_it_says_what_happened_and_shows_what_is_there_once_there_is_something(
    there: Directory, root: Path, place: str
) -> None:
    there.run("old", "The old task", status="running")

    async def script(pilot) -> None:
        await shows(pilot, "● live", "The old task")
        if place == "run":
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
            await shows(pilot, "running")
        shutil.rmtree(there.state)
        await shows(
            pilot,
            "× last known state",
            "the database was deleted or moved while it was open",
            "smithers.db); next: put it back",
        )
        assert "● live" not in text(pilot.app)
        first = pilot.app.overview.light
        await until(pilot, lambda: pilot.app.overview.light is not first)
        assert pilot.app.overview.light == first, "that it is still gone is no news of it"
        another = Directory(root)
        another.run("new", "The new task")
        await shows(pilot, "● live", "The new task", "opened again")
        assert "The old task" not in text(pilot.app)
        assert "0 running" in text(pilot.app)
        another.db.close()

    play(make(root), script)


def test_ages_stand_still_while_nothing_is_known(there: Directory, root: Path) -> None:
    there.run("driven", status="running")
    app = make(root)

    async def script(pilot) -> None:
        await shows(pilot, "● live", "driven")
        assert app.now() == NOW
        (there.state / "smithers.db").unlink()
        await shows(pilot, "× last known state")
        assert app.overview.light is not None
        assert app.now() == app.overview.light.at

    play(app, script)
