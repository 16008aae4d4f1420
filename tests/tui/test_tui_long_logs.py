"""A log of which only the beginning and the end are kept: each line stands at its own number."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from directory import Directory
from driving import make, play, shows, text, until

from smithers.clock import SYSTEM
from smithers.engine.log import AttemptLog
from smithers.service.logfile import LogFile
from smithers.service.views import LogLine, Safe
from smithers_tui.view.logs import in_place
from smithers_tui.widgets.pages import PAGE


def kept(*numbers: int) -> list[LogLine]:
    return [LogLine(n, 0, Safe("out"), Safe("text"), Safe(f"said {n}")) for n in numbers]


def texts(lines: list[LogLine]) -> list[tuple[int, str]]:
    return [(line.n, line.text) for line in lines]


def test_a_page_without_gaps_is_as_it_was_read() -> None:
    lines = kept(11, 12, 13)
    assert in_place(10, 5, lines) is lines
    assert list(in_place(10, 5, [])) == []


def test_lines_that_are_not_kept_hold_the_places_of_their_numbers() -> None:
    lines = list(in_place(10, 5, kept(11, 14, 15, 16)))
    assert texts(lines) == [
        (11, "said 11"),
        (12, "not kept"),
        (13, "not kept"),
        (14, "said 14"),
        (15, "said 15"),
    ]
    assert [text for _, text in texts(list(in_place(10, 5, kept(*range(900, 905)))))] == (
        ["not kept"] * 5
    )


def test_the_log_is_followed_and_read_across_its_parts(there: Directory, root: Path) -> None:
    there.run("talk", status="running")
    there.step("talk", "code", status="running")
    path = there.attempt("talk", "code", status="running")

    def say(first: int, last: int) -> None:
        for n in range(first, last + 1):
            log.write("agent", "text", f"said number {n}.")

    async def script(pilot) -> None:
        await shows(pilot, "said number 20.", "following")
        for last in range(420, 3000, 400):  # a part holds some 500 lines
            say(last - 399, last)
            await shows(pilot, f"said number {last}.", "following")
        file = LogFile(path)
        pane = pilot.app.screen.log_pane
        assert pane.length == file.length()
        numbers = [line.n for line in file.page(0, 10**6)]
        gone = next(n for n in range(1, file.length()) if n not in numbers)
        await pilot.press("l", "g")
        await shows(pilot, "said number 1.")
        pane.move(gone + PAGE)
        await shows(pilot, f"{gone + PAGE:,}", "not kept")
        pane.move(gone - 2)
        await until(pilot, lambda: f"said number {gone - 1}." in text(pilot.app))
        await shows(pilot, "not kept")
        await pilot.press("f")
        await shows(pilot, f"said number {last}.")

    with closing(AttemptLog(path, SYSTEM, part_bytes=40_000)) as log:
        say(1, 20)
        play(make(root, screen="run", run="talk"), script)
