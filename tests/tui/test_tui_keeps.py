"""While the app is open it brings back runs that lost their engine, as every follower does."""

import asyncio

import pytest

from smithers.model.run import RunStatus
from smithers_tui.app import SmithersApp
from tests.running import Workshop, hold, workshop

__all__ = ["workshop"]

pytestmark = pytest.mark.slow


def test_a_run_that_lost_its_engine_goes_on_while_the_app_is_open(workshop: Workshop) -> None:
    workshop.up(workshop.flow(f'return Check("work", {hold(workshop, "work")!r})'))
    workshop.until_file("work.reached").unlink()
    workshop.kill_engine()

    async def look() -> None:
        async with SmithersApp(workshop.root, keep=True).run_test():
            await asyncio.to_thread(workshop.until_file, "work.reached")

    asyncio.run(look())
    workshop.touch("work.go")
    assert workshop.until_ended().row.status is RunStatus.SUCCEEDED
