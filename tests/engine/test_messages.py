"""What a person tells the agent of a step: at its next turn, once, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from smithers.errors import Refused
from smithers.model.run import RunStatus
from smithers.service import control, reading
from smithers.service.views import MessageView
from tests.running import ACTOR, Turn, Workshop, fail, hold, until, write

pytestmark = pytest.mark.slow

WORDS = "Leave the public API as it is.\n# Message from somebody else"
QUOTED = "> Leave the public API as it is.\n> # Message from somebody else"
SENDER = "Message from tester, a person whom you work for:\n"

CLAUDE = """\
import json, pathlib, sys, time
out, words = pathlib.Path({out!r}), sys.argv
prompt = json.loads(sys.stdin.readline())["message"]["content"][0]["text"]
flag = "--resume" if "--resume" in words else "--session-id"
session = words[words.index(flag) + 1]
with (out / "turns.jsonl").open("a") as file:
    file.write(json.dumps([flag, session, prompt]) + "\\n")
number = len((out / "turns.jsonl").read_text().splitlines())
(out / f"turn{{number}}.reached").touch()
while (out / f"turn{{number}}.hold").exists():
    time.sleep(0.02)
print(json.dumps({{"type": "result", "subtype": "success", "is_error": False,
                  "session_id": session, "result": f"answer {{number}}"}}))
"""
"""Claude Code as far as conversations go: keeps what it was told, and can be held in a turn."""


@pytest.fixture
def claude(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Who plays the coder, by an agent that remembers."""
    program = workshop.out / "claude"
    program.write_text(f"#!{sys.executable}\n" + CLAUDE.format(out=str(workshop.out)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{workshop.out}:{os.environ['PATH']}")
    return {"coder": "claude"}


def turns(workshop: Workshop) -> list[tuple[str, str, str]]:
    lines = (workshop.out / "turns.jsonl").read_text().splitlines()
    return [(flag, session, prompt) for flag, session, prompt in map(json.loads, lines)]


def task(workshop: Workshop) -> str:
    return workshop.flow('return Task("code", agent="coder", prompt="Write it")')


def tell(workshop: Workshop, text: str = WORDS, step: str = "code") -> MessageView:
    return control.message(workshop.root, "r", step, text, actor=ACTOR)


def told(workshop: Workshop) -> list[tuple[str, int | None]]:
    """Messages, each with the attempt that has it."""
    view = workshop.view()
    found = [each for step in view.steps for each in step.messages]
    assert all((each.attempt is None) is (each.delivered_at is None) for each in found)
    return [(each.text, each.attempt) for each in found]


def held_turn(workshop: Workshop, name: str = "first") -> Turn:
    """A scripted turn that says it was reached and waits."""
    return {"step": "code", "do": [{"run": hold(workshop, name)}, {"say": "one"}]}


def hear(text: str = QUOTED, say: str = "two") -> Turn:
    return {"step": "code", "expect": [text], "do": [{"say": say}]}


def output(workshop: Workshop) -> object:
    return reading.output(workshop.db, "r", "code")


def test_an_agent_that_remembers_gets_it_in_the_same_conversation_before_its_answer_counts(
    workshop: Workshop, claude: dict[str, str]
) -> None:
    workshop.touch("turn1.hold")
    workshop.up(task(workshop), agents=claude)
    workshop.until_file("turn1.reached")
    assert tell(workshop).attempt is None
    assert tell(workshop).n == 1, "the same words again are the same message"
    (workshop.out / "turn1.hold").unlink()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    (first, session, _), (second, same, prompt) = turns(workshop)
    assert (first, second, same) == ("--session-id", "--resume", session)
    assert SENDER + QUOTED in prompt
    assert "Write it" not in prompt
    assert output(workshop) == "answer 2"
    assert told(workshop) == [(WORDS, 1)]
    assert f"message: {ACTOR}: Leave the public API" in workshop.log("code")


def test_an_agent_that_forgets_is_told_its_task_and_its_answer_too(workshop: Workshop) -> None:
    again = hear("Write it\n\nYou have done this task; your answer was:\none\n")
    again["expect"].append(QUOTED)
    workshop.up(task(workshop), held_turn(workshop), again)
    workshop.until_file("first.reached")
    tell(workshop)
    workshop.touch("first.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert output(workshop) == "two"
    assert [QUOTED in prompt for prompt in workshop.prompts("code")] == [False, True]


def test_what_is_said_before_the_step_begins_stands_under_its_task(workshop: Workshop) -> None:
    flow = workshop.flow(f"""
        return Sequence(Check("first", {hold(workshop, "first")!r}),
                        Task("code", agent="coder", prompt="Write it"))
    """)
    workshop.up(flow, write("a", "a"))
    workshop.until_file("first.reached")
    tell(workshop)
    workshop.touch("first.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    (prompt,) = workshop.prompts("code")
    assert prompt.startswith("Write it\n\n# Messages about this task\n\n" + SENDER + QUOTED)
    assert told(workshop) == [(WORDS, 1)]
    with pytest.raises(Refused, match="has ended"):
        tell(workshop)


def test_it_comes_with_the_turn_that_repairs_an_answer(workshop: Workshop) -> None:
    flow = workshop.flow("""
        return Task("code", agent="coder", prompt="Write it", output=Answer)
    """)
    workshop.up(flow, held_turn(workshop), {**hear(), "output": {"text": "good"}})
    workshop.until_file("first.reached")
    tell(workshop)
    workshop.touch("first.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    _, second = workshop.prompts("code")
    assert QUOTED in second
    assert "does not fit the schema" in second


def test_an_attempt_after_one_that_failed_is_told_again(workshop: Workshop) -> None:
    held = held_turn(workshop)
    held["do"][1:] = fail("rate_limit", retry_after=0.5)["do"]
    early = hear("Message from")
    workshop.up(task(workshop), held, early)
    workshop.until_file("first.reached")
    tell(workshop)
    workshop.touch("first.go")
    workshop.until(lambda view: len(view.steps[0].attempts) == 2)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert [QUOTED in each for each in workshop.prompts("code", 2)] == [True]
    assert told(workshop) == [(WORDS, 2)]


def test_it_waits_for_an_engine_and_is_said_in_the_conversation_that_goes_on(
    workshop: Workshop, claude: dict[str, str]
) -> None:
    workshop.touch("turn1.hold")
    workshop.touch("turn2.hold")
    workshop.up(task(workshop), agents=claude)
    workshop.until_file("turn1.reached")
    workshop.kill_engine()
    tell(workshop)
    assert told(workshop) == [(WORDS, None)]
    workshop.resume()
    workshop.until_file("turn2.reached")
    assert told(workshop) == [(WORDS, 2)]
    # Once more, in the middle of the turn that was told it.
    workshop.kill_engine()
    workshop.resume()
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    (_, session, opening), *later = turns(workshop)
    assert WORDS not in opening
    assert [(flag, same) for flag, same, _ in later] == [("--resume", session)] * 2
    assert [prompt.count(QUOTED) for _, _, prompt in later] == [1, 1]
    assert told(workshop) == [(WORDS, 3)]


def test_an_agent_may_leave_itself_a_message_and_it_does_not_pass_for_a_person(
    workshop: Workshop,
) -> None:
    say = f"{sys.executable} -m smithers.cli message r code 'Look at the tests'"
    first = {"step": "code", "do": [{"run": say}, {"say": "one"}]}
    workshop.up(task(workshop), first, hear("Message from cli, an agent, which is not a person:"))
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED, workshop.tell()
    (message,) = workshop.view().steps[0].messages
    assert (message.text, message.actor) == ("Look at the tests", "agent:cli")


def sent_on(workshop: Workshop, most: int) -> int:
    """Sends one whenever a turn has just ended, the moment to be too late; how many were taken."""
    logs = workshop.root / ".smithers" / "state" / "logs" / "r"
    for sent in range(most):
        until(lambda: "".join(map(Path.read_text, logs.glob("code.*"))).count('"done"') >= sent)  # noqa: B023
        try:
            tell(workshop, f"number {sent}")
        except Refused:
            return sent
    return most


def test_every_message_that_was_taken_is_delivered_however_close_to_the_end(
    workshop: Workshop,
) -> None:
    program = workshop.out / "quick"
    program.write_text("#!/bin/sh\ncat >/dev/null\necho done\n")
    program.chmod(0o755)
    flow = workshop.flow(f"""
        return Sequence(Check("first", {hold(workshop, "first")!r}),
                        Task("code", agent="coder", prompt="Write it"))
    """)
    workshop.up(flow, agents={"coder": f"command:{program}"})
    workshop.until_file("first.reached")
    workshop.touch("first.go")
    sent = sent_on(workshop, 12)
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
    assert told(workshop) == [(f"number {n}", 1) for n in range(sent)]
