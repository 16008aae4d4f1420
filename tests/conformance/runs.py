"""Cases of whole runs, in which a detached engine drives the agent."""

from __future__ import annotations

import json
import threading

from smithers.clock import SYSTEM
from smithers.model.run import RunStatus
from smithers.model.step import Attempt
from smithers.process import sweep
from tests.conformance.bench import WRITE, Bench, workspace
from tests.conformance.cases import Case

RUNS: dict[str, Case] = {}

ANSWER = {"json": {"text": "hello.txt"}}


def case(check: Case) -> Case:
    RUNS[check.__name__] = check
    return check


@case
def repaired(bench: Bench) -> None:
    """an answer that does not fit is repaired in the same conversation"""
    bench.script({"json": {"text": "thirteen"}}, ANSWER)
    bench.start()
    view = bench.workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, bench.workshop.tell()
    first, second = bench.workshop.prompts("code")
    assert "Your answer does not fit the schema: text: " in second
    if bench.subject.asks:
        assert first in bench.said()
        assert "thirteen" in json.dumps(bench.model.requests[-1].body), "it knows what it answered"


@case
def resumed(bench: Bench) -> None:
    """after a kill -9 of the engine, it goes on in the same conversation"""
    _killed(bench)
    view = bench.workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, bench.workshop.tell()
    (code,) = view.steps
    assert [each.status.value for each in code.attempts] == ["interrupted", "succeeded"]
    assert code.attempts[0].session == code.attempts[1].session
    told = bench.said()
    assert "I write." in told
    assert "You were interrupted" in told


@case
def afresh(bench: Bench) -> None:
    """where the conversation is gone, a fresh attempt is told what happened"""
    _killed(bench, forget=bool(bench.subject.memory))
    view = bench.workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED, bench.workshop.tell()
    (code,) = view.steps
    assert [each.status.value for each in code.attempts] == ["interrupted", "succeeded"]
    told = bench.workshop.prompts("code", 2)[-1]
    assert "An earlier attempt at this task was interrupted" in told
    assert "what it had written is in commit" in told
    assert not (workspace(bench) / "hello.txt").exists(), "its files were set back"


@case
def limited(bench: Bench) -> None:
    """a rate limit with a reset is waited for, with no process alive and no attempt charged"""
    attempt = _limited(bench, {"error": 429, "retry_after": 3600})
    assert attempt.retry_at is not None
    wait = attempt.retry_at / 1000 - SYSTEM.now() / 1000
    assert 3400 < wait < 4500, wait


@case
def limited_unnamed(bench: Bench) -> None:
    """a rate limit without a reset is waited for as well"""
    attempt = _limited(bench, {"error": 429})
    assert attempt.retry_at is not None
    assert 0 < attempt.retry_at / 1000 - SYSTEM.now() / 1000 < 130


@case
def stalled(bench: Bench) -> None:
    """a stream that hangs meets the stall limit; nothing is left of it, and it is tried again"""
    bench.script({"text": "This never comes to its end.", "stall": threading.Event()})
    bench.start(limits=f"stall = {bench.subject.quiet}")
    bench.workshop.until_step("code", "retrying", "failed")
    (attempt,) = bench.workshop.facts().attempts["code"]
    assert attempt.status.value == "timed_out", bench.workshop.tell()
    assert "no sign of life" in attempt.error
    assert attempt.retry_at is not None
    bench.until_asked(1)
    assert sweep.find({attempt.token}) == set()


def _killed(bench: Bench, *, forget: bool = False) -> None:
    """Its engine dies while it waits for the model, and the run is taken up again."""
    hanging = threading.Event()
    bench.script(WRITE, {"text": "…", "hang": hanging}, ANSWER)
    bench.start()
    bench.until_asked(2)
    bench.workshop.kill_engine()
    bench.workshop.until_status(RunStatus.INTERRUPTED)
    if forget:
        bench.end()
        bench.forget()
    bench.workshop.resume()
    bench.release(hanging)


def _limited(bench: Bench, reply: dict[str, object]) -> Attempt:
    bench.script({**reply, "message": "Rate limit reached: too many requests."})
    bench.start()
    bench.workshop.until_step("code", "retrying", "failed")
    (attempt,) = bench.workshop.facts().attempts["code"]
    assert attempt.status.value == "rate_limited", bench.workshop.tell()
    assert not attempt.charged
    assert sweep.find({attempt.token}) == set()
    return attempt
