"""Home: what is shown is true within a second, at any length, and nothing moves under the finger."""

from __future__ import annotations

from pathlib import Path

import pytest
from directory import NOW, Directory
from driving import NARROW, make, play, shows, text, until
from sample import LOGIN

from smithers_tui.screens.inbox import InboxScreen
from smithers_tui.screens.run import RunScreen


def test_states_are_a_sign_and_a_word(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(
            pilot,
            "! approve",
            "● running",
            "~ interrupted",
            "‖ paused",
            "× failed",
            "⊘ cancelled",
            "✓ done",
        )

    play(make(root), script)


def test_a_new_run_of_another_process_appears_by_itself(there: Directory, root: Path) -> None:
    there.run("first")

    async def script(pilot) -> None:
        await shows(pilot, "first")
        there.run("second", "Something new")
        await shows(pilot, "Something new")

    play(make(root), script)


def test_a_dead_engine_shows_within_a_second_and_a_half_and_can_be_resumed(
    there: Directory, root: Path
) -> None:
    there.run("driven", status="running")

    async def script(pilot) -> None:
        await shows(pilot, "● running")
        there.kill_engine("driven")
        await shows(pilot, "~ interrupted", "r resume", within=1.5)

    play(make(root), script)


def test_the_cursor_stays_on_its_run_when_new_ones_come(there: Directory, root: Path) -> None:
    for n in range(5):
        there.run(f"run-{n}")

    async def script(pilot) -> None:
        await shows(pilot, "run-4")
        await pilot.press("j", "j")
        runs = pilot.app.screen.run_list
        assert runs.run.id == "run-2"
        there.run("newer")
        await shows(pilot, "newer")
        assert runs.run.id == "run-2"

    play(make(root), script)


def test_ten_thousand_runs_can_be_walked_to_the_last(there: Directory, root: Path) -> None:
    there.db.execute("BEGIN")
    for n in range(10_000):
        there.run(f"r{n:05}", f"Task {n}")
    there.db.execute("COMMIT")

    async def script(pilot) -> None:
        await shows(pilot, "r09999")
        assert len(pilot.app.screen.run_list._shown) < 1000
        await pilot.press("G")
        await shows(pilot, "r00000", within=60)
        await until(pilot, lambda: pilot.app.screen.run_list.run.id == "r00000")
        await pilot.press("g")
        await shows(pilot, "r09999")

    play(make(root), script)


def test_a_filter_shows_some_and_esc_shows_all(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "× failed")
        await pilot.press("slash", *"failed", "enter")
        await until(pilot, lambda: pilot.app.screen.run_list.known == 1)
        assert "esc shows all" in text(pilot.app)
        await pilot.press("escape")
        await shows(pilot, "✓ done", "× failed")
        await pilot.press("slash", *"redis", "enter")
        await until(pilot, lambda: pilot.app.screen.run_list.known == 1)
        await pilot.press("slash", *" redis nowhere", "enter")
        await shows(pilot, "No run is redis nowhere", "10 others are hidden")

    play(make(root), script)


def test_no_runs_says_how_to_start_one(there: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "No runs here yet", "smithers up")
        there.run("first", "It is here by itself")
        await shows(pilot, "It is here by itself")
        assert "No runs here yet" not in text(pilot.app)

    play(make(root), script)


def test_no_directory_says_so_and_appears_once_it_is_made(root: Path) -> None:
    root.mkdir()

    async def script(pilot) -> None:
        await shows(pilot, "last known state")
        Directory(root).db.close()
        await shows(pilot, "● live", "No runs here yet")

    play(make(root), script)


@pytest.mark.parametrize("size", [(59, 20), (80, 14)])
def test_a_terminal_too_small_says_what_is_needed_and_who_waits(
    shop: Directory, root: Path, size
) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "60×15 needed", "3 need you")
        await pilot.resize_terminal(*NARROW)
        await shows(pilot, "STATE")

    play(make(root), script, size)


def test_the_preview_folds_away_in_a_narrow_window(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "STATE")
        assert "turn 2" not in text(pilot.app)
        await pilot.press("space")
        await shows(pilot, "turn 2")
        await pilot.press("escape")
        await until(pilot, lambda: "turn 2" not in text(pilot.app))

    play(make(root), script, NARROW)


def test_pause_writes_it_and_says_the_command(there: Directory, root: Path) -> None:
    there.run("driven", status="running")

    async def script(pilot) -> None:
        await shows(pilot, "● running")
        await pilot.press("p")
        await shows(pilot, "$ smithers pause driven")
        asked = there.db.execute("SELECT intent, intent_by FROM runs").fetchone()
        assert asked[0] == "pause"
        assert asked[1].startswith("person:")

    play(make(root), script)


def test_cancel_asks_first_and_names_the_run(there: Directory, root: Path) -> None:
    there.run("driven", "Build the thing", status="running")

    def intent() -> str:
        return there.db.execute("SELECT intent FROM runs").fetchone()[0]

    async def script(pilot) -> None:
        await shows(pilot, "● running")
        await pilot.press("X")
        await shows(pilot, "Cancel this run?", "Build the thing")
        await pilot.press("enter")
        await pilot.press("n")
        assert intent() == "go"
        await pilot.press("X")
        await shows(pilot, "Cancel this run?")
        await pilot.press("y")
        await until(pilot, lambda: intent() == "cancel")

    play(make(root), script)


def test_a_key_that_makes_no_sense_says_why(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "× failed")
        await pilot.press("slash", *"failed", "enter")
        await until(pilot, lambda: pilot.app.screen.run_list.known == 1)
        await pilot.press("p")
        await shows(pilot, "it is over: failed")

    play(make(root), script)


def test_keys_lead_to_the_run_and_the_inbox_and_back(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "! approve")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("escape", "exclamation_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, InboxScreen))
        await pilot.press("escape", "escape")
        await shows(pilot, "STATE", "q quits")

    play(make(root), script)


def test_the_command_key_copies_the_command_of_this_place(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "! approve")
        await pilot.press("Y")
        await shows(pilot, f"$ smithers inspect {LOGIN}")
        assert pilot.app.clipboard == f"smithers inspect {LOGIN}"

    play(make(root), script)


def test_ages_are_of_the_clock_that_was_given(there: Directory, root: Path) -> None:
    there.run("old", age=3 * 86_400_000)
    assert NOW

    async def script(pilot) -> None:
        await shows(pilot, "3d")

    play(make(root), script)
