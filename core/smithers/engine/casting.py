"""Who plays a role: the run's own word, then config, then the first agent that is installed.

Of several, the next one takes over when a provider's limit is reached, and after two failures.
One that asks nobody plays no role where something is to be asked or denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from smithers.agents.base import Agent
from smithers.agents.permissions import Policy
from smithers.agents.registry import SHAPES, installed, make, resolve
from smithers.config import Config
from smithers.errors import AgentError, UsageError
from smithers.model.step import JSON, Attempt, AttemptStatus

ENOUGH = 2
"""Failures of one agent in a row after which the next one is asked."""
_UNTIL = "until"
"""Where an attempt that was relieved keeps when its own limit is lifted."""
_FAILURES = frozenset({AttemptStatus.FAILED, AttemptStatus.TIMED_OUT})

Roles = str | Sequence[str]


def names_for(
    roles: Roles, given: Mapping[str, str], config: Config, root: Path, policy: Policy
) -> tuple[str, ...]:
    """The agents that can play one of the roles under a policy, in order.

    Those that are not there are left out, unless none is. UsageError when nobody can.
    """
    wanted = [roles] if isinstance(roles, str) else list(roles)
    named = [name for role in wanted for name in _of_role(role, given, config)]
    able = _able(named or installed(), config, policy)
    if not able:
        role = wanted[0]
        raise UsageError(
            f"nobody plays the role {role!r}",
            next=(
                f"install claude, or say `--agent {role}=AGENT`, or set [roles] {role} in "
                ".smithers/config.toml"
            ),
        )
    if not named:
        return (able[0],)
    there = able if len(able) == 1 else [each for each in able if _there(each, config, root)]
    return tuple(dict.fromkeys(there or able))


def rules(config: Config) -> Policy:
    """What config says of permissions, before any person has answered."""
    return Policy(config.permissions.allow, config.permissions.deny, config.permissions.ask)


def _able(names: Sequence[str], config: Config, policy: Policy) -> list[str]:
    """Those that can keep to the policy. UsageError where all of them ask nobody."""
    if not policy.needs_asking:
        return list(names)
    instead = {name: _instead(name, config) for name in names}
    able = [name for name in names if not instead[name]]
    if instead and not able:
        raise UsageError(
            f"[permissions] has something to ask or deny, and {names[0]} asks nobody",
            next=f"use {instead[names[0]]} in its place",
        )
    return able


def _instead(name: str, config: Config) -> str:
    """What to use in the place of one that asks nobody; empty: it asks, or nobody knows it."""
    try:
        kind = resolve(name, config.agents).kind
    except AgentError:
        return ""
    if kind == "command":
        return "an agent that asks"
    return SHAPES[kind].asks_as if kind in SHAPES else ""


def _there(name: str, config: Config, root: Path) -> bool:
    try:
        cast(name, config, root)
    except AgentError:
        return False
    return True


def _of_role(role: str, given: Mapping[str, str], config: Config) -> Sequence[str]:
    return [given[role]] if role in given else config.roles.get(role, ())


def name_for(names: Sequence[str], before: Iterable[Attempt], now: int) -> str:
    """Which of them is next, after these attempts at the step. `now`: milliseconds since 1970.

    When each has met its limit, the one whose limit is lifted first.
    """
    place = failures = 0
    limited = dict.fromkeys(names, 0)
    for attempt in before:
        agent = attempt.agent
        if agent not in limited:
            continue
        if agent != names[place] and limited[names[place]] > attempt.started_at:
            # It stood in for one that was still at its limit.
            place, failures = names.index(agent), 0
        limited[agent] = _until(attempt)
        if agent != names[place]:
            continue
        failures = failures + 1 if attempt.status in _FAILURES else 0
        if failures == ENOUGH or attempt.status is AttemptStatus.RATE_LIMITED:
            place, failures = (place + 1) % len(names), 0
    in_turn = [*names[place:], *names[:place]]
    return min(in_turn, key=lambda name: max(limited[name], now))


def relieved(names: Sequence[str], before: Sequence[Attempt], last: Attempt, now: int) -> Attempt:
    """`last`, which has met its limit, with who goes on: at once, or at the first limit's end."""
    tries = [*before, last]
    following = name_for(names, tries, now)
    if following == last.agent:
        return last
    until = next((_until(one) for one in reversed(tries) if one.agent == following), 0)
    again, word = (until, "then") if until > now else (now, "now")
    kept: JSON = {_UNTIL: last.retry_at}
    return replace(last, error=f"{last.error} ({word} {following})", retry_at=again, value=kept)


def _until(attempt: Attempt) -> int:
    """When the limit that it has met is lifted; 0: it has met none."""
    if attempt.status is not AttemptStatus.RATE_LIMITED:
        return 0
    kept = attempt.value.get(_UNTIL) if isinstance(attempt.value, dict) else attempt.retry_at
    return kept if isinstance(kept, int) else 0


def cast(name: str, config: Config, root: Path) -> Agent:
    """The agent of that name. Raises AgentError when it is not installed."""
    return make(name, resolve(name, config.agents), root=root)
