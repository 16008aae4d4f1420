"""`logs`: every kind of line by one sign and word, and with --raw what was received, as it was."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from scene import CODE, EVIL, at_code, attempt
from terminal import Terminal

from smithers.agents.base import EventKind
from smithers.clock import SYSTEM
from smithers.engine.log import AttemptLog
from smithers.service import locate, transcript

SMITHERS = [sys.executable, "-m", "smithers.cli"]
LINE = '{"type":"assistant","text":"one\\ntwo"}'
BYTES = "caf\udce9 \x00 " + EVIL


@pytest.fixture
def told(scene):
    """A run with a log as the engine writes it; returns the function that writes."""
    at_code(scene.run("r"))
    begun = attempt(CODE.key)
    logs = []

    def write(*records):
        path = locate.state_dir(scene.root) / "logs" / "r" / f"{begun.id}.jsonl"
        log = AttemptLog(path, SYSTEM)
        logs.append(log)
        for record in records:
            log.write(*record)

    yield write
    for log in logs:
        log.close()


def printed(*words):
    """What goes into a pipe, byte for byte."""
    env = {**os.environ, "SMITHERS_DIR": ""}
    return subprocess.run(
        [*SMITHERS, "logs", "r", *words], capture_output=True, check=True, env=env
    ).stdout


@pytest.mark.parametrize("kind", EventKind)
def test_each_kind_of_event_has_a_sign_and_a_word_of_its_own(told, smithers, kind):
    others = {each for each in EventKind if each is not kind}
    told(*(("agent", each, "x", "") for each in (kind, *others)))
    first, *rest = [line.split()[2:4] for line in smithers("logs", "r").out.splitlines()]
    assert len(first[0]) == 1
    assert first[1].isalpha()
    assert first not in rest
    assert max(map(len, (" ".join(each) for each in (first, *rest)))) <= transcript.WIDTH


def test_what_commands_print_is_told_by_stream_and_the_unknown_by_its_name(told, smithers):
    told(("out", "text", "a", ""), ("err", "text", "b", ""), ("agent", "new kind", "c", ""))
    lines = [line.split(None, 2)[2] for line in smithers("logs", "r").out.splitlines()]
    assert lines == ["│ out     a", "┆ err     b", "· new kind c"]


def test_raw_is_each_line_once_however_much_was_read_out_of_it(told):
    more = LINE.replace("one", "three")
    told(
        ("engine", "prompt", "do it", ""),
        ("agent", "text", "one\ntwo", LINE),
        ("agent", "tool_call", "Write a", LINE),
        ("agent", "text", "three", more),
        ("agent", "text", "plain", "plain"),
        ("agent", "text", "plain", ""),
        ("agent", "text", "", ""),
    )
    assert printed("--raw").decode().split("\n") == [LINE, more, "plain", "plain", "", ""]


def test_raw_is_nothing_of_what_the_engine_says(told, smithers):
    told(("engine", "prompt", "do it", ""), ("out", "text", "a", ""), ("engine", "error", "e", ""))
    assert printed("--raw") == b"a\n"
    lines = smithers("logs", "r", "--json", "--raw").json["lines"]
    assert [line["raw"] for line in lines] == [None, "a", None]


def test_two_lines_that_are_alike_are_two(told):
    told(*(("agent", "text", "same", f"{{{each}}}") for each in ("x", "x")))
    assert printed("--raw") == b"{x}\n{x}\n"


def test_raw_goes_into_a_pipe_as_the_bytes_that_they_were(told):
    told(("agent", "text", "shown", BYTES))
    assert printed("--raw") == BYTES.encode("utf-8", "surrogateescape") + b"\n"


def test_raw_of_what_is_in_no_bytes_is_its_escape(told):
    told(("agent", "text", "a\ud800b", ""), ("agent", "text", "c", ""))
    assert printed("--raw") == b"a\\ud800b\nc\n"


def test_raw_on_a_terminal_obeys_nothing_and_hides_nothing(told, scene):
    long = "y" * 60_000
    told(("agent", "text", "shown", BYTES), ("agent", "text", "long", long))
    with Terminal([*SMITHERS, "logs", "r", "--raw"], cwd=scene.root) as terminal:
        assert terminal.end() == 0
        shown = terminal.shown
    assert not {"\x1b", "\x9b", "\x07", "\u202e", "\0"} & set(shown)
    assert "⟨U+202E⟩" in shown
    assert "]52;c;" in shown
    assert long in shown


def test_json_has_what_was_received_only_where_it_is_asked_for(told, smithers):
    told(("agent", "text", "one\ntwo", LINE), ("agent", "text", "plain", ""))
    assert "raw" not in smithers("logs", "r", "--json").json["lines"][0]
    lines = smithers("logs", "r", "--json", "--raw").json["lines"]
    assert [line["raw"] for line in lines] == [LINE, None, "plain"]


def test_a_log_of_before_is_read_as_well(scene, smithers):
    driver = at_code(scene.run("r"))
    driver.log(replace(attempt(CODE.key)), ("agent", "tool_call", "cat a"))
    assert smithers("logs", "r").out.rstrip().endswith("→ tool    cat a")
    assert printed("--raw") == b"cat a\n"
