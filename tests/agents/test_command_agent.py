"""Any program is an agent: prompt in, words or JSON out, exit 0 for success."""

from __future__ import annotations

import json
import shlex

import pytest

from smithers.agents.answers import last_object
from smithers.agents.base import Answered, Failed, FailureKind
from smithers.agents.command import CommandAgent

SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}}


def shell(script, **more):
    return CommandAgent("sh", f"/bin/sh -c {shlex.quote(script)}", **more)


def test_the_prompt_comes_by_stdin_and_the_words_are_the_answer(make_turn, play):
    verdict, events = play(shell("pwd; cat; echo note >&2"), make_turn("what to do\nin lines"))
    assert isinstance(verdict, Answered)
    assert verdict.text.endswith("/work\nwhat to do\nin lines")
    assert verdict.value is None
    assert ("text", "what to do") in events
    assert ("notice", "note") in events


def test_the_prompt_stands_in_a_file_where_the_template_says_so(make_turn, play):
    agent = CommandAgent(
        "sh",
        '/bin/sh -c \'cat "$1"; wc -c; echo "$2"\' sh {prompt_file} --model={model}',
        model="big",
    )
    verdict, _ = play(agent, make_turn("by file"))
    assert verdict.text.split() == ["by", "file0", "--model=big"]


def test_a_prompt_is_never_taken_for_shell(make_turn, play):
    verdict, _ = play(
        CommandAgent("echo", "echo {model}"), make_turn(model="$(touch x); 'quoted' {prompt_file}")
    )
    assert verdict.text.startswith("$(touch x); 'quoted' ")


def test_the_answer_is_the_file_that_it_was_told_to_write(make_turn, play):
    script = 'grep -q boolean "$SMITHERS_SCHEMA" && echo \'{"ok": true}\' > "$SMITHERS_OUTPUT"; echo \'{"ok": false}\''
    verdict, _ = play(shell(script), make_turn(schema=SCHEMA))
    assert verdict.value == {"ok": True}


def test_without_the_file_the_last_object_of_its_words_counts(make_turn, play):
    verdict, _ = play(
        shell('printf \'first {"ok": false}\\nthen\\n{\\n "ok": true\\n}\\nthat was it {x\''),
        make_turn(schema=SCHEMA),
    )
    assert verdict.value == {"ok": True}


@pytest.mark.parametrize(
    "script", ["echo nothing", 'echo \'{"ok": true}\'; echo "{broken" > "$SMITHERS_OUTPUT"']
)
def test_no_good_json_is_an_answer_without_a_value(script, make_turn, play):
    verdict, _ = play(shell(script), make_turn(schema=SCHEMA))
    assert isinstance(verdict, Answered)
    assert verdict.value is None


def test_an_earlier_turns_answer_is_not_taken_for_this_ones(make_turn, play):
    turn = make_turn(schema=SCHEMA)
    play(shell('echo \'{"ok": true}\' > "$SMITHERS_OUTPUT"'), turn)
    verdict, _ = play(shell("echo done"), turn)
    assert verdict.value is None


def test_another_exit_is_a_failure_that_shows_its_stderr(make_turn, play):
    verdict, _ = play(shell("echo out; echo why >&2; exit 3"), make_turn())
    assert verdict == Failed(FailureKind.ERROR, "/bin/sh exited with 3: why", exit_code=3)


def test_a_program_that_is_not_there_is_not_tried_again(make_turn, play):
    verdict, _ = play(CommandAgent("x", "/no/such/program"), make_turn())
    assert verdict.kind is FailureKind.CONFIG
    assert not verdict.kind.retryable


def test_cancelling_ends_everything_that_it_began(make_turn, cancel_when):
    turn = make_turn()
    script = "setsid sleep 100 & env -i setsid sleep 100 & echo up; wait"
    cancel_when(shell(script), turn, lambda event: event.text == "up")


def test_what_it_leaves_in_the_background_is_ended(make_turn, play):
    verdict, _ = play(shell("setsid sleep 100 & echo done"), make_turn())
    assert isinstance(verdict, Answered)


def test_a_flood_of_output_is_kept_at_its_end(make_turn, play):
    agent = shell("yes '{\"ok\": false}' | head -n 20000; echo '{\"ok\": true}'")
    verdict, _ = play(agent, make_turn(schema=SCHEMA))
    assert verdict.value == {"ok": True}
    assert len(verdict.text) < 140_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("no { object", None),
        ('[{"a": 1}]', {"a": 1}),
        ('{"a": {"b": 2}} tail', {"a": {"b": 2}}),
        ('{"a": 1}{"c": 3}', {"c": 3}),
        ('```json\n{"a": "}{"}\n```', {"a": "}{"}),
        pytest.param('{"a":' * 5000, None, id="deep"),
        pytest.param("{" * 100_000, None, id="braces"),
    ],
)
def test_the_last_object_in_words(text, found):
    assert last_object(text) == found


def test_json_in_the_schema_file_is_the_schema(make_turn, play):
    verdict, _ = play(shell('cat "$SMITHERS_SCHEMA"'), make_turn(schema=SCHEMA))
    assert json.loads(verdict.text) == SCHEMA
