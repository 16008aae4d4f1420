"""One registry is the truth of keys, help and equivalent commands."""

from __future__ import annotations

from collections import Counter

import pytest

from smithers_tui.actions import ACTIONS, Place, at_place, command_line
from smithers_tui.screens import help as help_screen
from smithers_tui.screens.diff import DiffScreen
from smithers_tui.screens.inbox import InboxScreen
from smithers_tui.screens.place import PlaceScreen
from smithers_tui.screens.run import RunScreen
from smithers_tui.screens.runs import RunsScreen
from smithers_tui.view.line import line_width, plain
from smithers_tui.widgets.paint import Pane

WHO = {
    Place.RUNS: RunsScreen,
    Place.RUN: RunScreen,
    Place.DIFF: DiffScreen,
    Place.INBOX: InboxScreen,
    Place.LIST: Pane,
    Place.EVERYWHERE: PlaceScreen,
}
FORBIDDEN = {"ctrl+b", "ctrl+o", "ctrl+q", "ctrl+c"} | {f"f{n}" for n in range(1, 13)}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda each: f"{each.place}.{each.id}")
def test_every_action_is_something_its_place_can_do(action) -> None:
    assert callable(getattr(WHO[action.place], f"action_{action.id.split('(')[0]}"))


@pytest.mark.parametrize("place", [Place.RUNS, Place.RUN, Place.DIFF, Place.INBOX])
def test_a_key_means_one_thing_in_a_place(place: Place) -> None:
    here = [*at_place(place), *at_place(Place.LIST), *at_place(Place.EVERYWHERE)]
    keys = Counter(key for action in here for key in action.keys.split(","))
    assert not [key for key, count in keys.items() if count > 1]
    assert not FORBIDDEN & set(keys)


@pytest.mark.parametrize("place", [Place.RUNS, Place.RUN, Place.DIFF, Place.INBOX])
@pytest.mark.parametrize("cells", [60, 110])
def test_help_lists_every_key_of_the_place_and_fits(place: Place, cells: int) -> None:
    lines = help_screen.lines(place, cells)
    written = "\n".join(plain(line) for line in lines)
    assert all(action.meaning[:20] in written for action in at_place(place))
    assert all(line_width(line) <= cells for line in lines)


def test_a_command_line_quotes_what_a_shell_would_read() -> None:
    line = command_line("smithers diff {run} {step}", run="r1", step="build[2]/code")
    assert line == "smithers diff r1 'build[2]/code'"
    assert command_line("smithers diff {run} {step}", run="r1") == "smithers diff r1"
