"""A script plays real edits, commands and answers, each turn once."""

from __future__ import annotations

import asyncio
import json

import pytest

from smithers.agents.base import Answered, Failed, FailureKind
from smithers.agents.scripted import ScriptedAgent
from smithers.model.step import Usage


@pytest.fixture
def script(tmp_path):
    def make(*turns):
        file = tmp_path / "script.json"
        file.write_text(json.dumps({"turns": list(turns)}))
        return ScriptedAgent("actor", file)

    return make


def test_it_writes_edits_runs_says_and_answers(script, make_turn, play):
    agent = script(
        {
            "step": "build/code",
            "iteration": 2,
            "expect": ["Do"],
            "do": [
                {"write": "src/a.txt", "text": "one two"},
                {"edit": "src/a.txt", "old": "two", "new": "three"},
                {"run": "cat src/a.txt; exit 4", "ok": [0, 4]},
                {"say": "There."},
            ],
            "output": {"summary": "ok"},
            "usage": {"input_tokens": 7, "output_tokens": 2, "cost_usd": 0.5},
        }
    )
    turn = make_turn()
    verdict, events = play(agent, turn)
    assert verdict == Answered("There.", {"summary": "ok"}, Usage(7, 2, 0.5), turn.session)
    assert (turn.workspace / "src/a.txt").read_text() == "one three"
    assert events == [
        ("tool_call", "write src/a.txt"),
        ("tool_result", "done"),
        ("tool_call", "edit src/a.txt"),
        ("tool_result", "done"),
        ("tool_call", "run cat src/a.txt; exit 4"),
        ("tool_result", "exit 4\none three"),
        ("text", "There."),
    ]


def test_without_words_the_answer_is_what_was_said(script, make_turn, play):
    verdict, _ = play(script({"output": {"a": 1}}), make_turn())
    assert (verdict.text, verdict.value) == ('{"a": 1}', {"a": 1})


def test_turns_are_chosen_by_step_iteration_and_attempt_in_order(script, make_turn, play):
    agent = script(
        {"step": "build/review", "do": [{"say": "review"}]},
        {"step": "build/code", "iteration": 1, "do": [{"say": "first round"}]},
        {"step": "build/code", "attempt": 2, "do": [{"say": "second try"}]},
        {"step": "build[2]/code", "do": [{"say": "exact"}]},
        {"do": [{"say": "anybody"}]},
    )
    said = [play(agent, make_turn())[0].text for _ in range(2)]
    said.append(play(agent, make_turn(attempt=2))[0].text)
    said.append(play(agent, make_turn(step="build[1]/code"))[0].text)
    said.append(play(agent, make_turn(step="build[1]/review"))[0].text)
    assert said == ["exact", "anybody", "second try", "first round", "review"]


def test_no_turn_left_is_final_and_quotes_the_prompt(script, make_turn, play):
    verdict, _ = play(script({"step": "other"}), make_turn("p" * 1000))
    assert verdict.kind is FailureKind.CONFIG
    assert "no turn left for build[2]/code, attempt 1" in verdict.message
    assert verdict.message.endswith(": " + "p" * 400)


def test_an_expectation_that_is_not_met_is_final_and_leaves_the_turn_unplayed(
    script, make_turn, play
):
    agent = script({"expect": ["please"], "do": [{"say": "yes"}]})
    verdict, _ = play(agent, make_turn("do it now"))
    assert verdict.kind is FailureKind.CONFIG
    assert "expects 'please' in the prompt: do it now" in verdict.message
    assert play(agent, make_turn("please"))[0].text == "yes"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rate_limit", FailureKind.RATE_LIMITED),
        ("error", FailureKind.ERROR),
        ("auth", FailureKind.AUTH),
    ],
)
def test_a_failure_on_order_counts_as_played(kind, expected, script, make_turn, play):
    agent = script({"do": [{"fail": kind, "retry_after": 5}]}, {"do": [{"say": "now"}]})
    verdict, _ = play(agent, make_turn())
    assert verdict == Failed(expected, f"scripted {kind}", retry_after=5.0)
    assert play(agent, make_turn())[0].text == "now"


def test_a_command_that_fails_fails_the_turn_and_the_next_try_plays_it_again(
    script, make_turn, play
):
    agent = script({"do": [{"run": "echo seen; test -e flag"}, {"say": "good"}]})
    turn = make_turn()
    verdict, _ = play(agent, turn)
    assert verdict.kind is FailureKind.ERROR
    assert "exited with 1: seen" in verdict.message
    (turn.workspace / "flag").touch()
    assert play(agent, make_turn())[0].text == "good"


def test_a_turn_that_was_cut_off_is_played_again_over_its_own_edits(
    script, make_turn, play, cancel_when
):
    agent = script(
        {
            "do": [
                {"write": "a", "text": "x\n"},
                {"edit": "a", "old": "x\n", "new": "x\ny\n"},
                {"say": "waiting"},
                {"wait_for": "go"},
                {"say": "done"},
            ]
        },
        {"do": [{"say": "the second turn"}]},
    )
    turn = make_turn()
    cancel_when(agent, turn, lambda event: event.text == "waiting")
    (turn.workspace / "go").touch()
    again = ScriptedAgent("actor", agent.script)  # as a new engine would have it
    assert play(again, make_turn())[0].text == "done"
    assert (turn.workspace / "a").read_text() == "x\ny\n"
    assert play(again, make_turn())[0].text == "the second turn"


def test_an_edit_that_was_done_before_is_done(script, make_turn, play):
    agent = script(
        {"do": [{"edit": "a", "old": "x\n", "new": "x\ny\n"}, {"edit": "a", "old": "q", "new": ""}]}
    )
    turn = make_turn()
    (turn.workspace / "a").write_text("x\ny\nz\n")
    assert isinstance(play(agent, turn)[0], Answered)
    assert (turn.workspace / "a").read_text() == "x\ny\nz\n"


def test_an_edit_of_what_is_not_there_fails(script, make_turn, play):
    agent = script({"do": [{"edit": "a", "old": "x", "new": "y"}]})
    turn = make_turn()
    assert "No such file" in play(agent, turn)[0].message
    (turn.workspace / "a").write_text("z")
    assert "a does not hold 'x'" in play(agent, turn)[0].message


def test_steps_side_by_side_get_different_turns(script, make_turn):
    agent = script(
        {"do": [{"wait_for": "go"}, {"say": "one"}]},
        {"do": [{"write": "go", "text": ""}, {"say": "two"}]},
    )
    turns = [make_turn(step="a"), make_turn(step="b")]

    async def go():
        return await asyncio.gather(*(agent.play(turn, lambda _: None) for turn in turns))

    assert [verdict.text for verdict in asyncio.run(go())] == ["one", "two"]


def test_cancelling_ends_a_command_and_all_that_it_began(script, make_turn, cancel_when):
    agent = script({"do": [{"run": "setsid sleep 100 & env -i setsid sleep 100 & wait"}]})
    cancel_when(agent, make_turn(), lambda event: event.kind == "tool_call")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"turns": [{"do": [{"dance": 1}]}]}', '{"turns": [{"do": ["x"]}]}']
)
def test_a_script_that_is_none_is_a_final_failure(text, tmp_path, make_turn, play):
    file = tmp_path / "bad.json"
    file.write_text(text)
    verdict, _ = play(ScriptedAgent("actor", file), make_turn())
    assert verdict.kind is FailureKind.CONFIG


def test_a_repair_turn_plays_the_next_match(script, make_turn, play):
    agent = script(
        {"step": "build/code", "output": {"n": "no number"}},
        {"step": "build/code", "output": {"n": 1}},
    )
    first, second = make_turn(), make_turn(resume=True)
    assert play(agent, first)[0].value == {"n": "no number"}
    assert play(agent, second)[0].value == {"n": 1}


def test_turns_of_an_attempt_that_came_to_no_verdict_are_played_again(script, make_turn, play):
    agent = script({"do": [{"say": "one"}]}, {"do": [{"say": "two"}]})
    first = make_turn()
    assert play(agent, first)[0].text == "one"
    assert play(agent, make_turn(attempt=2))[0].text == "two"
    lost = make_turn(attempt=3, undone=frozenset({first.mark.token}))
    assert play(agent, lost)[0].text == "one"
    assert play(agent, make_turn(attempt=4))[0].kind is FailureKind.CONFIG


def test_numbers_beyond_all_bounds_are_brought_within(script, make_turn, play):
    usage = {"input_tokens": 10**30, "output_tokens": -1, "cost_usd": float("inf")}
    agent = script(
        {"do": [], "usage": usage}, {"do": [{"fail": "rate_limit", "retry_after": 10**400}]}
    )
    verdict, _ = play(agent, make_turn())
    assert verdict.usage == Usage(2**53, 0, None)
    verdict, _ = play(agent, make_turn())
    assert verdict.retry_after == 2**53
