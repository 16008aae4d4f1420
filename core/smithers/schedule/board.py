"""Where every placed step stands, indexed so that a change costs what it touches and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from smithers.author.context import Reads
from smithers.model.run import Facts
from smithers.model.step import AttemptStatus, PlanStep, StepKind, StepState, StepStatus
from smithers.schedule.decision import Decision
from smithers.schedule.ready import Limits, Ready
from smithers.schedule.rows import Rows
from smithers.schedule.states import PENDING

LEFT = StepState(StepStatus.CANCELLED, "it left the plan")


@dataclass(slots=True)
class Scope:
    """The workflow itself, or one iteration."""

    keys: dict[str, int] = field(default_factory=dict)
    """Its steps, in plan order, with their place."""
    open: set[str] = field(default_factory=set)
    """Those that have not ended."""
    reads: Reads = field(default_factory=Reads)


class Board:
    """Placed steps and their states. Knows the plan's order; decides nothing."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.states: dict[str, StepState] = {}
        self.iterations: dict[str, int] = {}
        """By loop: the iteration that was opened last."""
        self.scopes: dict[str, Scope] = {}
        self.queue: dict[str, None] = {}
        """Steps to look at: something that they depend on has changed."""
        self.ready = Ready()
        self.running: dict[str, None] = {}
        self.waiting: dict[str, None] = {}
        self.retrying: dict[str, int] = {}
        """When each starts again."""
        self.waits: dict[str, int] = {}
        """How many of those before a step have not ended."""
        self.in_group: dict[str, int] = {}
        self.stopping = {
            key
            for key, attempts in facts.attempts.items()
            if attempts[-1].status is AttemptStatus.RUNNING and key not in facts.plan
        }
        """Steps that left the plan while they ran, until their attempts have ended."""
        self.decision = Decision()
        self._dependents: dict[str, list[str]] = {}
        loops = [step.key for step in facts.plan.values() if step.kind is StepKind.LOOP]
        self._rows, facts.plan = Rows(facts.plan), {}
        for key in loops:
            if number := self.opened(key):
                self.iterations[key] = number
        self._by = Counter(state.status for state in facts.stored.values())

    def inside(self, scope: str) -> Iterable[PlanStep]:
        held = self.scopes.get(scope)
        return [self.facts.plan[key] for key in held.keys] if held else []

    def opened(self, loop: str) -> int:
        """The iteration that was opened last before this start, of a loop that goes on.

        Those that were opened have a verdict, or are the next one and have steps on record.
        """
        outputs, number = self.facts.outputs, 0
        if loop in outputs:
            return 0
        while f"{loop}[{number + 1}]" in outputs:
            number += 1
        return number + self._rows.unseen(f"{loop}[{number + 1}]")

    # -- the plan --

    def recorded(self, scope: str) -> dict[str, PlanStep]:
        """The scope's steps as they were persisted, until its first render; then nothing."""
        return self._rows.recorded(scope)

    def place(self, held: Scope, step: PlanStep, place: int) -> bool:
        """Put a step where a render wants it. True if it was not there before."""
        key = step.key
        known = self.facts.plan.get(key)
        held.keys[key] = place
        self._forget(self._rows.put(step, place))
        if known == step:
            return False
        if known is not None and key in self.running:
            self._count_groups(known, -1)
            self._count_groups(step, +1)
        for before in known.after if known else ():
            self._dependents[before].remove(key)
        for before in step.after:
            self._dependents.setdefault(before, []).append(key)
        self.waits[key] = sum(
            not self.states.get(before, PENDING).status.ended for before in step.after
        )
        self.facts.plan[key] = step
        self.queue[key] = None
        if key in self.ready:
            self.ready.add(step)
        if key in self.states:
            return False
        self._begin_with(key)
        held.open.add(key)
        return True

    def _begin_with(self, key: str) -> None:
        """A placed step is pending, whatever it was recorded as, until it has been looked at."""
        self.states[key] = PENDING
        if key in self.facts.stored:
            self.decision.changes[key] = PENDING
        else:
            self.facts.stored[key] = PENDING
            self._by[StepStatus.PENDING] += 1
        if key in self.decision.stop:
            self.decision.stop.remove(key)
        self.stopping.discard(key)

    def order(self, held: Scope, keys: Iterable[str]) -> None:
        """All of a scope has been placed: hold it in plan order."""
        held.keys = {key: place for place, key in enumerate(keys)}

    def drop_unseen(self, scope: str, wanted: Iterable[str]) -> None:
        """Let go of persisted steps that the first render of their scope does not want any more."""
        for key in self._rows.see(scope):
            if key not in wanted:
                self._forget(self._rows.drop(key))

    def remove(self, held: Scope, key: str) -> list[str]:
        """A render no longer wants the step. What it did stays recorded. Returns what needed it."""
        for scope in [name for name in self.scopes if name.startswith(f"{key}[")]:
            # A loop further in takes its own with it.
            inner = self.scopes.get(scope, Scope())
            for child in list(inner.keys):
                self.remove(inner, child)
            self.scopes.pop(scope, None)
        step = self.facts.plan.pop(key)
        held.keys.pop(key)
        held.open.discard(key)
        for before in step.after:
            self._dependents[before].remove(key)
        if key in self.running:
            self._count_groups(step, -1)
        self.ready.drop(key)
        for pool in (self.running, self.waiting, self.retrying):
            pool.pop(key, None)
        self.states.pop(key, None)
        self.queue.pop(key, None)
        self._forget(self._rows.drop(key))
        self.queue_loop_of(step.scope)
        return [one for one in self._dependents.get(key, ()) if one in self.facts.plan]

    def scope_of(self, key: str) -> str:
        return self.facts.plan[key].scope

    def _forget(self, keys: Iterable[str]) -> None:
        """These are in the plan no more; what runs of them is to be stopped."""
        for key in keys:
            self.iterations.pop(key, None)
            self.decision.changes.pop(key, None)
            attempts = self.facts.attempts.get(key)
            if attempts and attempts[-1].status is AttemptStatus.RUNNING:
                self.decision.stop.append(key)
                self.stopping.add(key)

    def queue_loop_of(self, scope: str) -> None:
        """Have the loop looked at once nothing in its iteration is open any more."""
        if scope and not self.scopes[scope].open:
            self.queue[scope.rsplit("[", 1)[0]] = None

    # -- states --

    def change(self, step: PlanStep, new: StepState) -> StepState:
        """Move a step to a state, and queue what that concerns. Returns the state it had."""
        key = step.key
        old = self.states[key]
        self.states[key] = new
        self.decision.changes[key] = new
        self._pool(key, new)
        held = self.scopes[step.scope]
        (held.open.discard if new.status.ended else held.open.add)(key)
        if step.kind is not StepKind.LOOP and step.limits:
            running = StepStatus.RUNNING
            self._count_groups(step, (new.status is running) - (old.status is running))
        if new.status.ended != old.status.ended:
            self._tell_dependents(key, ended=new.status.ended)
        elif new.status.ended and (new.status, new.ok) != (old.status, old.ok):
            # How it ended is what those behind it say of themselves.
            self.queue.update(dict.fromkeys(self._dependents.get(key, ())))
        self.queue_loop_of(step.scope)
        return old

    def ended_badly(self, key: str) -> bool:
        state = self.states.get(key, PENDING)
        return state.status.ended and not state.ok

    def _tell_dependents(self, key: str, *, ended: bool) -> None:
        for dependent in self._dependents.get(key, ()):
            self.waits[dependent] += -1 if ended else 1
            if self.waits[dependent] == 0 or not ended or self.ended_badly(key):
                self.queue[dependent] = None

    def _pool(self, key: str, state: StepState) -> None:
        self.ready.drop(key)
        for pool in (self.running, self.waiting, self.retrying):
            pool.pop(key, None)
        match state.status:
            case StepStatus.READY:
                self.ready.add(self.facts.plan[key])
            case StepStatus.RUNNING:
                if self.facts.plan[key].kind is not StepKind.LOOP:
                    self.running[key] = None
            case StepStatus.WAITING:
                self.waiting[key] = None
            case StepStatus.RETRYING:
                self.retrying[key] = state.wake_at or 0
            case _:
                pass

    def _count_groups(self, step: PlanStep, change: int) -> None:
        for group, _ in step.limits:
            self.in_group[group] = self.in_group.get(group, 0) + change

    def due(self, now: int) -> None:
        """Retries whose time has come may start."""
        for key in [key for key, wake in self.retrying.items() if wake <= now]:
            del self.retrying[key]
            self.ready.add(self.facts.plan[key])

    def startable(self, cap: int) -> list[PlanStep]:
        """Ready leaves that fit under the cap and their groups' limits, in order of readiness."""
        free = cap - len(self.running) - len(self.stopping)
        taken: Counter[str] = Counter()

        def full(limits: Limits) -> bool:
            return any(self.in_group.get(group, 0) + taken[group] >= most for group, most in limits)

        chosen: list[PlanStep] = []
        for step in self.ready.in_turn(full) if free > 0 else ():
            chosen.append(step)
            taken.update(group for group, _ in step.limits)
            if len(chosen) == free:
                break
        return chosen

    # -- what is to be written --

    def take(self) -> Decision:
        """All that has come together since it was last taken, less what is persisted already."""
        decision, self.decision = self.decision, Decision()
        decision.placed, decision.gone, left = self._rows.take()
        recorded = set(decision.gone)
        ended_by_leaving = {}
        for key in left:
            known = self.facts.stored.pop(key, None)
            if known is not None:
                self._by[known.status] -= 1
                if key in recorded and not known.status.ended:
                    ended_by_leaving[key] = LEFT
        decision.changes = {**self._news(decision), **ended_by_leaving}
        decision.counts = self._counts()
        return decision

    def _news(self, decision: Decision) -> dict[str, StepState]:
        stored = self.facts.stored
        news = {}
        for key, state in decision.changes.items():
            known = stored.get(key)
            if known is not None:
                if _same(known, state):
                    continue
                self._by[known.status] -= 1
            self._by[state.status] += 1
            stored[key] = news[key] = state
        return news

    def _counts(self) -> tuple[int, int, int, int, int]:
        by = self._by
        done = by[StepStatus.SUCCEEDED] + by[StepStatus.SKIPPED]
        total = sum(by.values())
        return (total, done, by[StepStatus.FAILED], len(self.running), by[StepStatus.WAITING])


def _same(one: StepState, other: StepState) -> bool:
    """Alike in what is persisted of a state."""
    return (one.status, one.reason, one.wake_at) == (other.status, other.reason, other.wake_at)
