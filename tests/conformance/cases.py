"""Cases of single turns: each a function that takes a bench, and what the table calls it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from smithers.agents.base import Answered, Asked, EventKind, Failed, FailureKind
from smithers.agents.permissions import Policy, Remembered, Ruling, Tool
from smithers.model.step import Usage
from tests.conformance.bench import DONE, REPORT, SCHEMA, WRITE, Bench, Played

Case = Callable[[Bench], None]
TURNS: dict[str, Case] = {}
"""By name, in the order of the table; the docstring is what the table says."""

ODD = "żółć 🙈 \x1b[31mred\x1b[0m \x07 a\rb \x00 c\u2028d"


def case(check: Case) -> Case:
    TURNS[check.__name__] = check
    return check


@case
def edits(bench: Bench) -> None:
    """edits files and runs commands"""
    (bench.work / "old.txt").write_text("one two\n")
    bench.script(
        {"tools": [{"read": "old.txt"}]},
        {"tools": [{"edit": "old.txt", "old": "two", "new": "three"}]},
        WRITE,
        {"tools": [{"run": "cat hello.txt >ran.txt"}]},
        DONE,
    )
    played = bench.play()
    assert played.answered().text.endswith("Done.")
    assert (bench.work / "old.txt").read_text() == "one three\n"
    assert (bench.work / "hello.txt").read_text().strip() == "hello"
    assert (bench.work / "ran.txt").read_text().strip() == "hello"


@case
def events(bench: Bench) -> None:
    """streams text, tool calls and results as typed events, with the raw line of each"""
    bench.script({"text": "I look.", "tools": [{"run": "printf se''en"}]}, DONE)
    played = bench.play()
    played.answered()
    kinds = [event.kind for event in played.events]
    assert "I look." in played.texts("text")
    assert any("printf se" in text for text in played.texts("tool_call")), played.events
    assert any("seen" in text for text in played.texts("tool_result")), played.events
    assert kinds.index(EventKind.TOOL_CALL) < kinds.index(EventKind.TOOL_RESULT)
    assert played.texts("text")[-1] == "Done."
    assert all(event.raw for event in played.events)
    unknown = [text for text in played.texts("notice") if text.startswith("unknown")]
    assert unknown == [], "what an ordinary turn prints is known"


@case
def structured(bench: Bench) -> None:
    """gives a structured answer: it is told the schema, and its value is found"""
    model = bench.script({"json": REPORT})
    answered = bench.play(schema=SCHEMA).answered()
    assert answered.value == REPORT
    if bench.subject.asks:
        assert "additionalProperties" in json.dumps(model.requests[0].body), "it knows the schema"


@case
def unstructured(bench: Bench) -> None:
    """words in place of a structured answer, or broken JSON, are no value"""
    for text in ("I would rather not.", '{"ok": tru'):
        bench.script({"text": text})
        verdict = bench.play(schema=SCHEMA).verdict
        assert isinstance(verdict, Failed) or (
            isinstance(verdict, Answered) and verdict.value is None
        ), verdict


@case
def unknown(bench: Bench) -> None:
    """tells a conversation that is gone from other failures, before anything is asked"""
    bench.script(DONE)
    bench.play()  # it has some conversations
    asked = len(bench.model.requests)
    verdict = bench.play(session=str(uuid.uuid4()), resume=True).verdict
    assert isinstance(verdict, Failed), verdict
    assert verdict.kind is FailureKind.UNKNOWN_SESSION, verdict
    assert len(bench.model.requests) == asked


@case
def ended(bench: Bench) -> None:
    """ended from outside by SIGINT or SIGTERM, it has failed, whatever its exit code says"""
    for number in (signal.SIGINT, signal.SIGTERM):
        model = bench.script({"text": "late", "hang": threading.Event()})
        over = threading.Event()
        thread = threading.Thread(target=_strike, args=(bench, number, over))
        thread.start()
        verdict = bench.play().verdict
        over.set()
        thread.join()
        assert isinstance(verdict, Failed), (number, verdict)
        assert verdict.kind is FailureKind.ERROR, (number, verdict)
        model.closing.set()


@case
def denied(bench: Bench) -> None:
    """a tool that the rules deny is not used, and the events say so"""
    bench.script({"tools": [{"run": "echo no >no.txt", "outside": True}]}, WRITE, DONE)
    played = bench.play(policy=Policy(deny=("edit *", "shell *")))
    assert not (bench.work / "no.txt").exists()
    assert not (bench.work / "hello.txt").exists()
    assert any("deny" in text for text in played.texts("permission")), played.events


@case
def auth(bench: Bench) -> None:
    """a refused login is not retried, and the message names the cure"""
    failed = _failed(bench, {"error": 401, "message": "Refused."}, FailureKind.AUTH)
    assert re.search(r"log ?in|API key", failed.message, re.IGNORECASE), failed.message


@case
def model(bench: Bench) -> None:
    """an unknown model is not retried, and the message says so"""
    message = "The model `no-such-model` does not exist"
    failed = _failed(bench, {"error": 404, "message": message}, FailureKind.CONFIG)
    assert "model" in failed.message


@case
def broken(bench: Bench) -> None:
    """a service that answers 500 is a failure worth a retry"""
    failed = _failed(bench, {"error": 500}, FailureKind.ERROR)
    assert failed.usage in {Usage(), Usage(0, 0), Usage(0, 0, 0.0, 0), Usage(0, 0, None, 0)}


@case
def dropped(bench: Bench) -> None:
    """a dropped stream is taken up again or a failure, and half an answer is never one"""
    half = {"text": "This is half an answer, and no more than that.", "drop": 4}
    _failed(bench, half, FailureKind.ERROR)
    _whole(bench, half)


@case
def garbage(bench: Bench) -> None:
    """garbage in a stream does no harm or is a failure"""
    bench.script({"text": "Whole.", "garbage": True}, {"text": "Whole."})
    _is_whole(bench.play())


@case
def stopped(bench: Bench) -> None:
    """stopped at a limit, no process of it is left in 6 s"""
    bench.script({"tools": [{"run": "setsid sleep 100 & echo up >up; sleep 100"}]})
    os.mkfifo(bench.work / "up")
    took = asyncio.run(_cancelled(bench))
    assert bench.left() == set()
    assert took < 6


@case
def usage(bench: Bench) -> None:
    """tells what the model has counted: input, output and cache, in each turn of a conversation"""
    bench.script(
        {"tools": [{"run": "true"}], "usage": [120, 7, 30]},
        {**DONE, "usage": [200, 20, 50]},
        {"text": "Again.", "usage": [300, 33, 60]},
    )
    first = bench.play()
    one = first.answered()
    assert _tokens(one.usage) == _tokens(bench.model.used)
    before = bench.model.used
    two = bench.play("Again", session=one.session, resume=True).answered()
    assert _tokens(one.usage + two.usage) == _tokens(bench.model.used), before


@case
def asks(bench: Bench) -> None:
    """a question for a person ends the turn, and its answer is heeded in the next one"""
    command = "echo allowed >allowed.txt"
    run = {"tools": [{"run": command, "outside": True}]}
    bench.script(run, DONE)
    asked = bench.play(policy=Policy(ask=("shell *",))).verdict
    assert isinstance(asked, Asked), asked
    assert asked.question.tool is Tool.SHELL
    assert command in asked.question.body
    assert not (bench.work / "allowed.txt").exists()
    assert bench.left() == set()
    bench.model.replies = [run, DONE]
    bench.model.requests.clear()
    answer = Remembered(Ruling.ALLOW, Tool.SHELL, asked.question.subject)
    allowed = Policy(ask=("shell *",), remembered=(answer,))
    done = bench.play("Allowed.", policy=allowed, session=asked.session, resume=True).answered()
    assert (bench.work / "allowed.txt").read_text() == "allowed\n"
    assert "Do it" in bench.model.requests[0].said, "it is the same conversation"
    total = asked.usage + done.usage
    assert _tokens(total) == _tokens(bench.model.used)


@case
def secrets(bench: Bench) -> None:
    """secrets of the environment do not reach its shell, unless config names them"""
    os.environ["A_SECRET_TOKEN"] = "from-outside"  # taken away by the fixture
    bench.env["NAMED_SETTING"] = "from-config"
    bench.script({"tools": [{"run": "env >env.txt"}]}, DONE)
    bench.play().answered()
    env = (bench.work / "env.txt").read_text()
    assert "from-outside" not in env
    assert "NAMED_SETTING=from-config" in env


@case
def large(bench: Bench) -> None:
    """takes a prompt of 1 MB"""
    bench.script(DONE)
    prompt = f"It begins here.\n{'All work and no play. ' * 45_450}\nIt ends here."
    assert len(prompt) > 999_900
    assert bench.play(prompt).answered().text == "Done."
    if bench.subject.asks:
        said = bench.said()
        assert len(said) > 999_000
        assert "It begins here." in said
        assert "It ends here." in said


@case
def odd(bench: Bench) -> None:
    """unicode, NUL, `\\r`, escape sequences and broken UTF-8 go through prompt, answer and results"""
    escapes = r"printf 'caf\303\251\r\033[31mred\033[0m \360\237\231\210\n'"
    binary = r"printf 'a\000b\377c\n'; printf '\377\000\033]0;t\007' >&2"
    bench.script(
        {"text": f"First {ODD}", "tools": [{"run": escapes}]},
        {"tools": [{"run": binary}]},
        {"text": f"{ODD} end"},
    )
    played = bench.play(f"Say {ODD} please")
    assert re.search("żółć 🙈.*d end$", played.answered().text, re.DOTALL)
    assert any("🙈" in result for result in played.texts("tool_result")), played.events
    if bench.subject.asks:
        assert re.search("żółć 🙈.*d please", bench.model.requests[0].said, re.DOTALL)


def _failed(bench: Bench, reply: dict[str, object], kind: FailureKind) -> Failed:
    """It fails, as what it is, and says nothing that was not told."""
    bench.script(reply)
    verdict = bench.play().verdict
    assert isinstance(verdict, Failed), verdict
    assert verdict.kind is kind, verdict
    assert verdict.message
    return verdict


def _whole(bench: Bench, first: dict[str, object]) -> None:
    bench.script(first, {"text": "Whole."})
    _is_whole(bench.play())


def _is_whole(played: Played) -> None:
    if isinstance(played.verdict, Failed):
        assert played.verdict.kind is FailureKind.ERROR, played.verdict
    else:
        assert played.answered().text == "Whole."


def _strike(bench: Bench, number: int, over: threading.Event) -> None:
    """Send a signal to all of the agent as soon as it waits for the model, until it has ended."""
    bench.until_asked(1)
    while not over.is_set():
        for pid in bench.left():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        over.wait(1)


def _tokens(used: Usage) -> tuple[int | None, ...]:
    return used.input_tokens, used.output_tokens, used.cached_tokens


async def _cancelled(bench: Bench) -> float:
    """Cancel the turn as soon as its command is up; seconds that it takes."""
    task = asyncio.create_task(bench.agent.play(bench.turn(), lambda _: None))
    up = asyncio.create_task(asyncio.to_thread((bench.work / "up").read_text))
    await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
    assert up.done(), task
    began = time.monotonic()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled(), task
    return time.monotonic() - began
