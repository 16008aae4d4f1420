"""The log of an attempt: bounded, its beginning and its end kept, its lines numbered for good."""

from __future__ import annotations

import json
import random
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from smithers.clock import SYSTEM
from smithers.engine.log import AttemptLog, last_written, parts
from smithers.service.logfile import LogFile

PART = 4000
A_PART = 62
"""Lines that fit into one, with their notice."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "a.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[AttemptLog]:
    made = AttemptLog(path, SYSTEM, part_bytes=PART)
    yield made
    made.close()


def say(log: AttemptLog, first: int, last: int) -> None:
    for n in range(first, last + 1):
        log.write("out", "text", f"said {n}")


def shown(path: Path) -> dict[int, str]:
    return {line.n: line.text for line in LogFile(path).page(0, 10**6)}


def test_a_record_holds_time_stream_kind_text_and_what_it_was_read_from(
    path: Path, log: AttemptLog
) -> None:
    log.write("agent", "text", 'a "b"\n\udcff\x00', raw='{"x": 1}')
    line = '{"y": 2}'
    log.write("agent", "text", "of one line", raw=line)
    log.write("agent", "tool_call", "two events", raw=line)
    log.write("out", "text", "same", raw="same")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(r["s"], r["k"], r["d"], r.get("raw", "-")) for r in records] == [
        ("agent", "text", 'a "b"', '{"x": 1}'),
        ("agent", "text", "\udcff\x00", None),
        ("agent", "text", "of one line", line),
        ("agent", "tool_call", "two events", None),
        ("out", "text", "same", "-"),
    ]
    assert all(abs(record["t"] - SYSTEM.now()) < 60_000 for record in records)


def test_of_a_long_log_beginning_and_end_are_kept_within_three_parts(
    path: Path, log: AttemptLog
) -> None:
    say(log, 1, 5000)
    sizes = [part.stat().st_size for part in parts(path)]
    assert max(sizes) <= PART
    assert sum(sizes[:2]) > 1.9 * PART
    texts = list(shown(path).values())
    assert texts[0] == "said 1"
    assert texts[-1] == "said 5000"
    assert 2 * PART < sum(sizes) <= 3 * PART
    assert [path.name for path in sorted(path.parent.iterdir())] == [
        "a.jsonl",
        "a.jsonl.1",
        "a.jsonl.2",
    ]


def test_a_line_has_the_same_number_for_good_and_a_notice_says_where_some_are_missing(
    path: Path, log: AttemptLog
) -> None:
    numbers: dict[str, int] = {}
    for n in range(1, 1000):
        say(log, n, n)
        numbers[f"said {n}"] = LogFile(path).length()
    lines = shown(path)
    said = {n: text for n, text in lines.items() if text.startswith("said")}
    assert all(numbers[text] == n for n, text in said.items())
    gaps = [n for n in lines if n > 1 and n - 1 not in lines]
    assert len(gaps) == 1
    assert lines[gaps[0]] == (
        f"the log goes on here with line {gaps[0] + 1}; "
        "of a long log the beginning and the end are kept"
    )
    assert len(lines) == len(said) + 2


@pytest.mark.parametrize("seed", range(8))
def test_who_follows_reads_each_line_once_in_order_and_none_that_is_there_is_passed_over(
    path: Path, log: AttemptLog, seed: int
) -> None:
    chance = random.Random(seed)
    follower = LogFile(path)
    read: list[tuple[int, str]] = []
    n = unread = 0
    while n < 1500:
        burst = chance.choice([1, 2, 30, 60, 60])
        say(log, n + 1, n + burst)
        n += burst
        unread += burst
        if chance.random() < 0.8 or unread > A_PART - 60:
            unread = 0
            limit = chance.choice([7, 1000])
            while page := follower.page(read[-1][0] if read else 0, limit):
                read += [(line.n, line.text) for line in page]
    numbers = [number for number, _ in read]
    assert numbers == list(range(1, follower.length() + 1))
    said = [text for _, text in read if text.startswith("said")]
    assert said == [f"said {number}" for number in range(1, n + 1)]
    assert dict(read[-10:]).items() <= shown(path).items()


def test_a_reader_that_slept_goes_on_with_the_first_line_there_is(
    path: Path, log: AttemptLog
) -> None:
    follower = LogFile(path)
    say(log, 1, 10)
    assert follower.page(0, 100)[-1].n == 10
    say(log, 11, 5000)
    page = follower.page(10, 10**6)
    assert [line.n for line in page] == [n for n in shown(path) if n > 10]
    assert page[0].n == 11
    assert page[-1].text == "said 5000"


def test_what_stands_between_two_steps_of_the_writer_is_read_once(
    path: Path, log: AttemptLog
) -> None:
    say(log, 1, 200)
    before = shown(path)
    _, middle, last = parts(path)
    follower = LogFile(path)
    follower.length()
    last.replace(middle)
    assert LogFile(path).page(0, 10**6)[-1].n == follower.length() == max(before)
    last.touch()  # its notice is not there yet
    assert follower.length() == max(before)
    assert [n for n in shown(path) if n > 150] == [n for n in before if n > 150]


class Watched(type(Path())):  # type: ignore[misc]
    """A path that tells when it has been opened."""

    opened: Callable[[], None]

    def open(self, *args: Any, **more: Any) -> Any:
        file = super().open(*args, **more)
        Watched.opened()
        return file


def test_a_part_that_moves_while_a_reader_looks_is_not_passed_over(
    path: Path, log: AttemptLog
) -> None:
    written, turn = 0, 0

    def write_a_part() -> None:
        """Once in each look, at another of its steps each time."""
        nonlocal written, turn
        turn += 1
        if turn % 4 == 0:
            say(log, written + 1, written + A_PART - 2)
            written += A_PART - 2

    follower = LogFile(Watched(path))
    read: list[tuple[int, str]] = []
    Watched.opened = write_a_part
    for _ in range(60):
        read += [(line.n, line.text) for line in follower.page(len(read), 1000)]
    Watched.opened = lambda: None
    read += [(line.n, line.text) for line in follower.page(len(read), 1000)]
    assert [n for n, _ in read] == list(range(1, len(read) + 1))
    said = [text for _, text in read if text.startswith("said")]
    assert said == [f"said {n}" for n in range(1, written + 1)]
    assert written > 10 * A_PART


def test_a_log_is_begun_afresh(path: Path, log: AttemptLog) -> None:
    say(log, 1, 1000)
    again = AttemptLog(path, SYSTEM, part_bytes=PART)
    say(again, 7, 7)
    again.close()
    assert shown(path) == {1: "said 7"}


def test_the_last_sign_of_a_long_log_is_in_its_last_part(path: Path, log: AttemptLog) -> None:
    assert last_written(path.with_name("none.jsonl")) is None
    say(log, 1, 1000)
    newest = int(parts(path)[2].stat().st_mtime * 1000)
    assert last_written(path) == newest


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The kernel writes no file beyond this: as a full disk does, it takes a part of a record."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_of_a_record_that_was_written_in_part_nothing_stays(path: Path, log: AttemptLog) -> None:
    say(log, 1, 1)
    with files_of_at_most(1000):
        log.write("out", "text", "y" * 2000)
    say(log, 2, 2)
    assert [json.loads(line)["d"] for line in path.read_text().split("\n")[:-1]] == [
        "said 1",
        "lines that could not be written here: 1",
        "said 2",
    ]
    assert path.read_text().endswith("\n")


@pytest.mark.parametrize("room", [0, 1000, 2017])
def test_what_could_not_be_written_is_counted_and_the_log_goes_on(
    path: Path, log: AttemptLog, room: int
) -> None:
    say(log, 1, 5)
    with files_of_at_most(room):
        say(log, 6, 60)
    say(log, 61, 61)
    raw = b"".join(part.read_bytes() for part in parts(path) if part.exists())
    texts = [json.loads(line)["d"] for line in raw.splitlines()]
    kept = [text for text in texts if text.startswith("said")]
    missing = [text for text in texts if "could not be written" in text]
    assert missing == [f"lines that could not be written here: {61 - len(kept)}"]
    assert kept == [f"said {n}" for n in range(1, len(kept))] + ["said 61"]
    assert list(shown(path).values()) == texts
