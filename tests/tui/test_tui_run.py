"""One run: the log is live and lets go of the reader; the diff names its sides."""

from __future__ import annotations

from pathlib import Path

from directory import Directory, write_log
from driving import make, play, shows, text, until
from sample import LOGIN


def talk(first: int, count: int) -> list[tuple[str, str, str]]:
    return [("agent", "text", f"line number {n}") for n in range(first, first + count)]


def a_talking_run(there: Directory) -> Path:
    there.run("talk", status="running")
    there.step("talk", "code", status="running")
    return there.attempt("talk", "code", status="running")


def test_the_log_follows_and_lets_go_when_somebody_reads(there: Directory, root: Path) -> None:
    log = a_talking_run(there)
    write_log(log, talk(1, 300))

    async def script(pilot) -> None:
        await shows(pilot, "line number 300", "following")
        write_log(log, talk(301, 5))
        await shows(pilot, "line number 305")
        await pilot.press("l", "k", "k")
        await until(pilot, lambda: "following" not in text(pilot.app))
        top = pilot.app.screen.log_pane.scroll_y
        write_log(log, talk(306, 40))
        await shows(pilot, "▼ 40 new")
        assert pilot.app.screen.log_pane.scroll_y == top
        await pilot.press("f")
        await shows(pilot, "line number 345", "following")

    play(make(root, screen="run", run="talk"), script)


def test_a_line_shows_once_it_is_written(there: Directory, root: Path) -> None:
    log = a_talking_run(there)
    write_log(log, talk(1, 3))

    async def script(pilot) -> None:
        await shows(pilot, "line number 3")
        write_log(log, talk(4, 1))
        await shows(pilot, "line number 4")

    play(make(root, screen="run", run="talk"), script)


def test_a_long_log_opens_at_its_end_and_holds_few_lines(there: Directory, root: Path) -> None:
    log = a_talking_run(there)
    write_log(log, talk(1, 60_000))

    async def script(pilot) -> None:
        await shows(pilot, "line number 60000")
        await pilot.press("l", "g")
        await shows(pilot, "line number 1 ".strip(), "60,000 lines")
        assert len(pilot.app.screen.log_pane._pages) < 10

    play(make(root, screen="run", run="talk"), script)


def test_attempts_output_and_frames_are_those_of_the_step(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "ship", "waits for a person")
        await pilot.press("k", "k")
        await pilot.press("k")
        await shows(pilot, "build[2]/code attempt 2/2", "200 of 200")
        await pilot.press("t")
        await shows(pilot, "rate limited", "resets at 11:57")
        await pilot.press("j", "enter")
        await shows(pilot, "attempt 1/2")
        await pilot.press("o")
        await shows(pilot, "null")

    play(make(root, screen="run", run=LOGIN), script)


def test_output_is_json_and_safe(there: Directory, root: Path) -> None:
    there.run("r")
    there.step("r", "code")
    there.attempt("r", "code")
    there.insert(
        "outputs",
        run=1,
        key="code",
        value='{"summary": "\\u001b]52;c;aGk=\\u0007 [/x] \\u202e done"}',
    )

    async def script(pilot) -> None:
        await shows(pilot, "code")
        await pilot.press("o")
        await shows(pilot, '"summary"', "[/x]", "done")

    play(make(root, screen="run", run="r"), script)


def test_the_engine_light_tells_a_dead_engine_from_none(there: Directory, root: Path) -> None:
    a_talking_run(there)

    async def script(pilot) -> None:
        await shows(pilot, "engine ●")
        there.kill_engine("talk")
        await shows(pilot, "engine × gone", "~ interrupted", within=2.0)

    play(make(root, screen="run", run="talk"), script)


def test_a_run_that_does_not_exist_says_so(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "no run nothing-like-it")

    play(make(root, screen="run", run="nothing-like-it"), script)


def test_the_diff_names_its_sides_and_walks_hunks_and_files(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "base ", "after build[2]/code, attempt 2", "3 files  +15 −3")
        await pilot.press("J")
        lines = pilot.app.screen.lines
        await until(pilot, lambda: lines.file == "src/auth/session.py")
        await pilot.press("n")
        assert lines.lines[lines.at].kind == "hunk"
        await pilot.press("tab", "j", "enter")
        await until(pilot, lambda: pilot.app.focused is lines)
        assert lines.file == "tests/test_login.py"

    play(make(root, screen="diff", run=LOGIN), script)


def test_an_empty_diff_says_why(there: Directory, root: Path) -> None:
    there.run("r", branch="smithers/r")

    async def script(pilot) -> None:
        await shows(pilot, "nothing has run yet")

    play(make(root, screen="diff", run="r"), script)
