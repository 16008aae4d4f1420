"""Whether a failed attempt is tried again, and when."""

from __future__ import annotations

from collections.abc import Sequence

from smithers.model.step import Attempt, AttemptStatus, PlanStep, StepKind

DEFAULT_RETRIES = {StepKind.TASK: 2}
FIRST_WAIT = 5.0
LONGEST_WAIT = 300.0
RATE_LIMIT_WAIT = 60.0
"""Seconds to wait for a limit whose reset the provider did not name."""
LONGEST_LIMIT = 7 * 86_400.0
"""Seconds after which a limit is tried again, whatever the provider named."""


def retry_at(
    step: PlanStep,
    attempts: Sequence[Attempt],
    *,
    now: int,
    jitter: float,
    default: int | None = None,
) -> int | None:
    """When to try again after one more charged failure, in ms since 1970; None: no tries left.

    `attempts` are those before this one. Attempts before the last reopening do not count.
    """
    charged = 0
    for attempt in attempts:
        if attempt.charged and attempt.status in {AttemptStatus.FAILED, AttemptStatus.TIMED_OUT}:
            charged += 1
        if attempt.reopened:
            charged = 0
    given = step.spec.get("retries")
    if isinstance(given, int):
        allowed = given
    else:
        allowed = DEFAULT_RETRIES.get(step.kind, 0)
        if default is not None and step.kind is StepKind.TASK:
            allowed = default
    if charged >= allowed:
        return None
    wait = min(FIRST_WAIT * 2**charged, LONGEST_WAIT) * jitter
    return now + int(wait * 1000)


def rate_limited_until(now: int, retry_after: float | None, jitter: float) -> int:
    """When a provider's limit is tried again: its own word if that makes sense, else a minute."""
    wait = RATE_LIMIT_WAIT * jitter
    if retry_after is not None and retry_after >= 0:
        wait = retry_after
    return now + int(min(max(wait, 0.5), LONGEST_LIMIT) * 1000)
