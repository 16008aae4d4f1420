"""However work answers when it is told to stop, how it ended is what the limit, or the caller, says."""

import asyncio

import pytest

from smithers.clock import SYSTEM
from smithers.engine.limits import OutOfTime, Pulse, within

LONG = 60.0


async def _obeys():
    await asyncio.sleep(LONG)


async def _swallows():
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        return "done after all"


async def _fails():
    try:
        await asyncio.sleep(LONG)
    except asyncio.CancelledError:
        raise ValueError from None


async def _times_out_itself():
    raise TimeoutError("a socket's")


async def _value():
    return 3


def _within(work, timeout, stall):
    return within(work, clock=SYSTEM, pulse=Pulse(SYSTEM), timeout=timeout, stall=stall)


both = pytest.mark.parametrize("stall", [None, LONG])
stubborn = pytest.mark.parametrize("work", [_obeys, _swallows, _fails])


@both
@stubborn
def test_past_its_limit_work_is_out_of_time(work, stall):
    with pytest.raises(OutOfTime, match=r"time limit of 0\.01 s"):
        asyncio.run(_within(work(), 0.01, stall))


@both
@stubborn
def test_cancelled_work_is_cancelled(work, stall):
    async def cancel():
        task = asyncio.ensure_future(_within(work(), LONG, stall))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())


@both
@pytest.mark.parametrize("timeout", [None, LONG])
def test_within_its_limit_work_gives_its_value_or_its_own_error(timeout, stall):
    assert asyncio.run(_within(_value(), timeout, stall)) == 3
    with pytest.raises(TimeoutError, match="a socket's"):
        asyncio.run(_within(_times_out_itself(), timeout, stall))
