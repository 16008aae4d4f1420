"""When a provider's limit is tried again."""

from __future__ import annotations

import pytest

from smithers.schedule.retry import LONGEST_LIMIT, RATE_LIMIT_WAIT, rate_limited_until

WEEK = int(LONGEST_LIMIT * 1000)
MINUTE = int(RATE_LIMIT_WAIT * 1000)


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        (30.5, 30_500),
        (0.0, 500),
        (None, MINUTE),
        (-1.0, MINUTE),
        (float("nan"), MINUTE),
        (1e300, WEEK),
        (float("inf"), WEEK),
        (10**400, WEEK),
        (1_800_000_000_000.0, WEEK),
    ],
)
def test_a_limit_is_tried_again_within_a_week_whatever_was_told(
    told: float | None, wait: int
) -> None:
    assert rate_limited_until(1000, told, 1.0) == 1000 + wait
