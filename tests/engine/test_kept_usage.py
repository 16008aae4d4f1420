"""What attempts use is known while they run, and after they were cut off."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from smithers.engine import meter
from smithers.engine.meter import Meter
from smithers.errors import LeaseLost, StoreFull
from smithers.model.run import RunStatus
from smithers.model.step import Usage
from tests.running import Workshop, hold


def test_a_word_is_kept_at_once_the_next_ones_at_the_end_and_none_twice() -> None:
    kept: list[Usage] = []

    async def attempt() -> None:
        told = Meter(kept.append)
        for tokens in (1, 2, 3):
            told.tell(Usage(tokens))
        assert kept == [Usage(1)]
        told.close(Usage(4))
        Meter(kept.append).close(Usage())

    asyncio.run(attempt())
    assert kept == [Usage(1), Usage(4)]


def test_the_last_word_of_an_agent_that_says_no_more_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meter, "BETWEEN_SECONDS", 0.001)

    async def attempt() -> None:
        all_kept = asyncio.Event()
        told = Meter(lambda used: all_kept.set() if used == Usage(2) else None)
        told.tell(Usage(1))
        told.tell(Usage(2))
        await asyncio.wait_for(all_kept.wait(), 10)
        told.close(Usage(2))

    asyncio.run(attempt())


@pytest.mark.parametrize("error", [LeaseLost("gone"), StoreFull("full")])
def test_what_cannot_be_kept_does_not_end_the_attempt(error: Exception) -> None:
    def keep(_: Usage) -> None:
        raise error

    async def attempt() -> None:
        told = Meter(keep)
        told.tell(Usage(1))
        told.close(Usage(2))

    asyncio.run(attempt())


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_budget_counts_what_an_attempt_had_used_that_was_cut_off(
    workshop: Workshop, sign: signal.Signals
) -> None:
    turn = {
        "do": [
            {"use": {"input_tokens": 5000, "output_tokens": 100}},
            {"run": hold(workshop, "work")},
        ]
    }
    flow = workshop.flow('return Task("code", agent="coder", prompt="x")')
    workshop.up(flow, turn, budget={"tokens": 6000})
    workshop.until_file("work.reached")
    spent = workshop.view().row.usage
    assert (spent.input_tokens, spent.output_tokens) == (5000, 100), "while it runs"
    os.kill(workshop.engine(), sign)
    workshop.until_no_engine()
    workshop.resume()
    view = workshop.until_status(RunStatus.WAITING)
    assert "1.02e+04 of 6000 tokens used" in view.waiting_on[0].text
    assert workshop.attempts() == {"code": ["interrupted", "stopped"]}
    assert [each.usage.input_tokens for each in view.steps[0].attempts] == [5000, 5000]
    assert view.row.usage.input_tokens == 10_000


@pytest.mark.slow
def test_what_was_told_on_the_way_to_a_failure_without_a_sum_is_used(workshop: Workshop) -> None:
    use = {"use": {"input_tokens": 5000, "output_tokens": 100}}
    flow = workshop.flow('return Task("code", agent="coder", prompt="x")')
    workshop.up(flow, {"do": [use, {"fail": "config"}]})
    view = workshop.until_ended()
    assert view.row.status is RunStatus.FAILED
    assert view.steps[0].attempts[0].usage.input_tokens == 5000
