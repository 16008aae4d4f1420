"""Whether what is stored of a run agrees: every projection, computed again from the facts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from smithers.model.run import Facts, RunStatus
from smithers.model.step import PlanStep, StepKind, StepState, StepStatus
from smithers.schedule.states import state_of
from smithers.store import audit, runs
from smithers.store.database import Reader, Store

_ITERATION = re.compile(r"(.*)\[(\d+)\]$")


class _Stored:
    """A run as it was persisted, with the states that follow from its facts."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.iterations: dict[str, int] = {}
        self._inside: dict[str, list[PlanStep]] = {}
        for step in facts.plan.values():
            self._inside.setdefault(step.scope, []).append(step)
            found = _ITERATION.match(step.scope)
            if found:
                loop, number = found[1], int(found[2])
                self.iterations[loop] = max(number, self.iterations.get(loop, 0))
        self._states: dict[str, StepState] = {}
        for step in self._inner_first():
            self._states[step.key] = state_of(step, self)

    @property
    def states(self) -> Mapping[str, StepState]:
        return self._states

    def inside(self, scope: str) -> Iterable[PlanStep]:
        return self._inside.get(scope, [])

    def _inner_first(self) -> Iterator[PlanStep]:
        """Steps so that what a state depends on comes before it."""
        seen: set[str] = set()
        stack = [(step, False) for step in reversed(list(self.facts.plan.values()))]
        while stack:
            step, ready = stack.pop()
            if ready:
                yield step
                continue
            if step.key in seen:
                continue
            seen.add(step.key)
            stack.append((step, True))
            before = [self.facts.plan[key] for key in step.after if key in self.facts.plan]
            if step.kind is StepKind.LOOP:
                scope = f"{step.key}[{self.iterations.get(step.key, 0)}]"
                before.extend(self.inside(scope))
            stack.extend((one, False) for one in before if one.key not in seen)


def check(store: Store | Reader, run_id: str) -> list[str]:
    """Every disagreement, in words; none is what is wanted. Times are not computed again."""
    facts = runs.facts(store, run_id)
    return [
        *_states(facts),
        *_counts(store, facts),
        *_history(store, facts),
        *_attempts(facts),
        *audit.inconsistencies(store, run_id),
    ]


def _states(facts: Facts) -> Iterator[str]:
    if facts.run.status is RunStatus.PAUSED and facts.run.error:
        return  # its plan could not be made: what is stored is the last that could
    for key, state in _Stored(facts).states.items():
        stored = facts.stored[key].status
        if stored is not state.status:
            yield f"step {key} is stored as {stored}, and follows as {state.status}"


def _counts(store: Store | Reader, facts: Facts) -> Iterator[str]:
    by = Counter(state.status for state in facts.stored.values())
    running = sum(
        state.status is StepStatus.RUNNING and facts.plan[key].kind is not StepKind.LOOP
        for key, state in facts.stored.items()
    )
    found = (
        len(facts.stored),
        by[StepStatus.SUCCEEDED] + by[StepStatus.SKIPPED],
        by[StepStatus.FAILED],
        running,
        by[StepStatus.WAITING],
    )
    stored = audit.counts(store, facts.run.id)
    if stored != found:
        yield f"the run counts {stored} (total, done, failed, running, waiting), its steps {found}"


def _history(store: Store | Reader, facts: Facts) -> Iterator[str]:
    last = audit.last_states(store, facts.run.id)
    for key, state in facts.stored.items():
        told = last.get(key, StepStatus.PENDING.value)
        if told != state.status:
            yield f"step {key} is {state.status}, and its history ends with {told}"


def _attempts(facts: Facts) -> Iterator[str]:
    for key, attempts in facts.attempts.items():
        if [one.n for one in attempts] != list(range(1, len(attempts) + 1)):
            yield f"attempts of {key} are not numbered from 1 without a gap"
        for one in attempts[:-1]:
            if one.finished_at is None:
                yield f"attempt {one.n} of {key} is open, and a later one has begun"
