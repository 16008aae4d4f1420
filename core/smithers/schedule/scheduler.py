"""The plan of one run, kept in step with its facts: what changed, what may start, what must stop.

Work is proportional to what changed. A step is looked at when one of those before it has ended, when a fact of
its own arrived, or when a render placed it; a scope is rendered when it opens or when something it read changed.
Making a fresh scheduler from the same facts gives the same states, which is how a run resumes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from smithers.author.context import Context, Reads
from smithers.author.render import Rendered, guarded, render
from smithers.author.steps import Leaf, Loop, Step
from smithers.author.workflow import Workflow
from smithers.errors import RenderError
from smithers.model.gate import Answer, Gate, GateKind
from smithers.model.run import Facts, Intent, RunStatus
from smithers.model.step import (
    JSON,
    Attempt,
    Output,
    PlanStep,
    StepKind,
    StepState,
    StepStatus,
    generic,
)
from smithers.schedule.states import (
    PENDING,
    exhausted,
    last_gate,
    red,
    state_of,
    verdict,
)

UNCHANGED_ITERATIONS = 3


@dataclass(frozen=True, slots=True)
class GateRequest:
    """A gate that the plan wants open. The engine adds what it is about."""

    key: str
    kind: GateKind
    title: str
    by: str
    why: str
    show: str | None = None


@dataclass(slots=True)
class Decision:
    """What one round of scheduling says. Facts that follow are in it, effects are only named."""

    begun: list[Attempt] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    changes: dict[str, StepState] = field(default_factory=dict)
    placed: dict[str, tuple[PlanStep, int]] = field(default_factory=dict)
    """Steps that are new or were redefined, with their place in their scope."""
    gone: list[str] = field(default_factory=list)
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    wake_at: int | None = None

    counts: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    """total, done, failed, running, waiting."""

    @property
    def empty(self) -> bool:
        """Nothing in it has to be written."""
        return not (
            self.changes or self.placed or self.gone or self.outputs or self.gates or self.begun
        )


class Hands(Protocol):
    """How facts come about that only the engine can make."""

    def begin(self, step: PlanStep) -> Attempt:
        """A running attempt of a step that may start."""
        ...

    def open(self, request: GateRequest) -> Gate:
        """The gate that was asked for, with what it is about."""
        ...


@dataclass(slots=True)
class _Scope:
    keys: dict[str, int] = field(default_factory=dict)
    """Its steps, in plan order, with their place."""
    open: set[str] = field(default_factory=set)
    """Those that have not ended."""
    bad: set[str] = field(default_factory=set)
    """Those that ended badly."""
    reads: Reads = field(default_factory=Reads)


class Scheduler:
    """States of one run's steps, and what follows from them. Pure: time is given, nothing is done."""

    def __init__(
        self, workflow: Workflow[Any], input: BaseModel, facts: Facts, *, tree: str = ""
    ) -> None:  # noqa: A002
        self.facts = facts
        self.tree = tree
        """The workspace's files as one hash, as the last attempt left them; empty where there is none."""
        self.authors: dict[str, Leaf] = {}
        self._workflow = workflow
        self._input = input
        self._states: dict[str, StepState] = {}
        self._iterations: dict[str, int] = {}
        self._scopes: dict[str, _Scope] = {}
        self._dependents: dict[str, list[str]] = {}
        self._waits: dict[str, int] = {}
        self._ready: dict[str, None] = {}
        self._running: dict[str, None] = {}
        self._waiting: dict[str, None] = {}
        self._retrying: dict[str, int] = {}
        self._in_group: dict[str, int] = {}
        self._readers: dict[str, set[str]] = {}
        self._state_readers: dict[str, set[str]] = {}
        self._dirty: dict[str, None] = {"": None}
        self._queue: dict[str, None] = {}
        self._decision = Decision()
        self._requests: list[GateRequest] = []
        self._persisted = facts.plan
        facts.plan = {}
        self._unseen: dict[str, list[str]] = {}
        """Persisted steps of scopes that have not been rendered yet."""
        for step in self._persisted.values():
            self._unseen.setdefault(step.scope, []).append(step.key)
        self._by = Counter(state.status for state in facts.stored.values())

    # -- what it can be asked --

    @property
    def states(self) -> Mapping[str, StepState]:
        return self._states

    @property
    def iterations(self) -> Mapping[str, int]:
        return self._iterations

    def inside(self, scope: str) -> Iterable[PlanStep]:
        held = self._scopes.get(scope)
        return [self.facts.plan[key] for key in held.keys] if held else []

    # -- what it can be told --

    def record_attempt(self, attempt: Attempt) -> None:
        """An attempt began, or the last one ended."""
        attempts = self.facts.attempts.setdefault(attempt.key, [])
        if attempts and attempts[-1].n == attempt.n:
            attempts[-1] = attempt
        else:
            attempts.append(attempt)
        self._queue[attempt.key] = None

    def record_output(self, output: Output) -> None:
        self.facts.outputs[output.key] = output
        self._queue[output.key] = None

    def record_gate(self, gate: Gate) -> None:
        """A gate was opened, or decided."""
        gates = self.facts.gates.setdefault(gate.key, [])
        if gates and gates[-1].id == gate.id:
            gates[-1] = gate
        else:
            gates.append(gate)
        self._queue[gate.key.rsplit("[", 1)[0] if gate.key.endswith("]") else gate.key] = None

    # -- the round --

    def advance(self, hands: Hands, *, now: int, cap: int) -> Decision:
        """Bring states up to the facts, begin what may begin, and say what follows. Raises RenderError."""
        decision = self._decision
        self._follow()
        self._due(now)
        for request in self._take_requests():
            gate = hands.open(request)
            decision.gates.append(gate)
            self.record_gate(gate)
        for step in self._startable(cap):
            attempt = hands.begin(step)
            decision.begun.append(attempt)
            self.record_attempt(attempt)
        self._follow()
        if self.facts.run.intent in {Intent.CANCEL, Intent.PAUSE_NOW}:
            decision.stop.extend(self._running)
        decision.wake_at = min(self._retrying.values(), default=None)
        decision.changes = self._news(decision.changes)
        decision.status, decision.reason = self._standing()
        decision.counts = self._counts()
        self._decision = Decision()
        return decision

    def _follow(self) -> None:
        while self._dirty or self._queue:
            if self._dirty:
                scope = next(iter(self._dirty))
                del self._dirty[scope]
                self._render(scope)
            else:
                key = next(iter(self._queue))
                del self._queue[key]
                self._look_at(key)

    def _take_requests(self) -> list[GateRequest]:
        requests, self._requests = self._requests, []
        return requests

    def _news(self, changes: dict[str, StepState]) -> dict[str, StepState]:
        """The changes that are not persisted already, which after a resume are few."""
        stored = self.facts.stored
        news = {}
        for key, state in changes.items():
            known = stored.get(key)
            if known is not None:
                if (known.status, known.reason, known.wake_at) == (
                    state.status,
                    state.reason,
                    state.wake_at,
                ):
                    continue
                self._by[known.status] -= 1
            self._by[state.status] += 1
            stored[key] = news[key] = state
        for key in self._decision.gone:
            known = stored.pop(key, None)
            if known is not None:
                self._by[known.status] -= 1
        return news

    def _counts(self) -> tuple[int, int, int, int, int]:
        by = self._by
        done = by[StepStatus.SUCCEEDED] + by[StepStatus.SKIPPED]
        total = sum(by.values())
        return (total, done, by[StepStatus.FAILED], len(self._running), by[StepStatus.WAITING])

    def _render(self, scope: str) -> None:
        held = self._scopes.setdefault(scope, _Scope())
        rendered = self._rendered(scope)
        self._note_reads(scope, held, rendered.reads)
        for key in [key for key in held.keys if key not in rendered.steps]:
            self._remove(held, key)
        for place, (key, step) in enumerate(rendered.steps.items()):
            self._place(held, step, place)
            self.authors[key] = rendered.authors[key]
        for key in self._unseen.pop(scope, ()):
            if key not in rendered.steps:
                self._decision.gone.append(key)
        if scope and not held.open:
            self._queue[scope.rsplit("[", 1)[0]] = None

    def _rendered(self, scope: str) -> Rendered:
        body: Callable[[Context[Any]], Step[Any]] = self._workflow.__call__
        iteration = 0
        if scope:
            loop = self.authors[scope.rsplit("[", 1)[0]]
            if not isinstance(loop, Loop):
                raise RenderError(f"{scope} was an iteration of a loop that is no loop any more")
            body, iteration = loop.body, int(scope.rsplit("[", 1)[1][:-1])
        return render(
            body, self._input, self, scope=scope, iteration=iteration, edits=self._workflow.edits
        )

    def _note_reads(self, scope: str, held: _Scope, reads: Reads) -> None:
        for index, before, after in (
            (self._readers, held.reads.keys, reads.keys),
            (self._state_readers, held.reads.states, reads.states),
        ):
            for key in before - after:
                index[key].discard(scope)
            for key in after - before:
                index.setdefault(key, set()).add(scope)
        held.reads = reads

    def _place(self, held: _Scope, step: PlanStep, place: int) -> None:
        key = step.key
        known = self.facts.plan.get(key)
        held.keys[key] = place
        if known == step:
            return
        for before in known.after if known else ():
            self._dependents[before].remove(key)
        for before in step.after:
            self._dependents.setdefault(before, []).append(key)
        self._waits[key] = sum(
            not self._states.get(before, PENDING).status.ended for before in step.after
        )
        self.facts.plan[key] = step
        if self._persisted.get(key) != step:
            self._decision.placed[key] = (step, place)
        if key not in self._states:
            self._states[key] = PENDING
            held.open.add(key)
            if step.kind is StepKind.LOOP:
                self._reopen_iterations(step)
        self._queue[key] = None

    def _reopen_iterations(self, step: PlanStep) -> None:
        """After a resume: the iterations that were opened are those with a verdict, and the next one."""
        if step.key in self.facts.outputs:
            return
        number = 0
        while f"{step.key}[{number + 1}]" in self.facts.outputs:
            number += 1
        following = f"{step.key}[{number + 1}]/"
        if any(key.startswith(following) for key in self._persisted):
            number += 1
        if number:
            self._iterations[step.key] = number
            self._open(f"{step.key}[{number}]")

    def _open(self, scope: str) -> None:
        if scope not in self._scopes:
            self._scopes[scope] = _Scope()
            self._dirty[scope] = None

    def _remove(self, held: _Scope, key: str) -> None:
        """A render no longer wants the step. What it did stays recorded."""
        for scope in [name for name in self._scopes if name.startswith(f"{key}[")]:
            inner = self._scopes.pop(scope)
            self._dirty.pop(scope, None)
            for child in list(inner.keys):
                self._remove(inner, child)
        step = self.facts.plan.pop(key)
        held.keys.pop(key)
        held.open.discard(key)
        held.bad.discard(key)
        for before in step.after:
            self._dependents[before].remove(key)
        if key in self._running:
            self._decision.stop.append(key)
        for pool in (self._ready, self._running, self._waiting, self._retrying):
            pool.pop(key, None)
        self._iterations.pop(key, None)
        self._states.pop(key, None)
        self._queue.pop(key, None)
        self._decision.gone.append(key)

    def _look_at(self, key: str) -> None:
        step = self.facts.plan.get(key)
        if step is None:
            return
        state = self._states[key]
        own = key in self.facts.attempts or key in self.facts.outputs or key in self._iterations
        if self._waits[key] and not own and self.facts.run.intent is not Intent.CANCEL:
            if not any(self._ended_badly(before) for before in step.after):
                return
        new = self._loop(step) if step.kind is StepKind.LOOP else state_of(step, self)
        if step.kind is StepKind.APPROVAL and new.status is StepStatus.READY:
            new = self._approval(step, new)
        if new != state:
            self._change(step, state, new)

    def _ended_badly(self, key: str) -> bool:
        state = self._states.get(key, PENDING)
        return state.status.ended and not state.ok

    def _change(self, step: PlanStep, old: StepState, new: StepState) -> None:
        key = step.key
        self._states[key] = new
        self._decision.changes[key] = new
        self._pool(key, new)
        held = self._scopes[step.scope]
        (held.open.discard if new.status.ended else held.open.add)(key)
        bad = new.status.ended and not new.ok
        (held.bad.add if bad else held.bad.discard)(key)
        self._count_groups(step, old, new)
        for scope in self._state_readers.get(key, ()):
            self._stale(scope)
        if new.status.ended != old.status.ended:
            self._tell_dependents(key, ended=new.status.ended)
        if new.status.ended or old.status.ended:
            for name in {key, generic(key)}:
                for scope in self._readers.get(name, ()):
                    self._stale(scope)
        if step.scope and not held.open:
            self._queue[step.scope.rsplit("[", 1)[0]] = None

    def _stale(self, scope: str) -> None:
        """Something that the scope read has changed. A closed iteration is never rendered again."""
        if scope == "" or scope not in self.facts.outputs:
            self._dirty[scope] = None

    def _tell_dependents(self, key: str, *, ended: bool) -> None:
        for dependent in self._dependents.get(key, ()):
            self._waits[dependent] += -1 if ended else 1
            if self._waits[dependent] == 0 or not ended or self._ended_badly(key):
                self._queue[dependent] = None

    def _pool(self, key: str, state: StepState) -> None:
        for pool in (self._ready, self._running, self._waiting, self._retrying):
            pool.pop(key, None)
        match state.status:
            case StepStatus.READY:
                self._ready[key] = None
            case StepStatus.RUNNING:
                if self.facts.plan[key].kind is not StepKind.LOOP:
                    self._running[key] = None
            case StepStatus.WAITING:
                self._waiting[key] = None
            case StepStatus.RETRYING:
                self._retrying[key] = state.wake_at or 0
            case _:
                pass

    def _count_groups(self, step: PlanStep, old: StepState, new: StepState) -> None:
        if step.kind is StepKind.LOOP or not step.limits:
            return
        change = (new.status is StepStatus.RUNNING) - (old.status is StepStatus.RUNNING)
        for group, _ in step.limits:
            self._in_group[group] = self._in_group.get(group, 0) + change

    # -- gates and loops: facts that follow from facts --

    def _conclude(self, key: str, value: JSON) -> None:
        output = Output(key, value)
        self.facts.outputs[key] = output
        self._decision.outputs.append(output)

    def _approval(self, step: PlanStep, ready: StepState) -> StepState:
        gate = last_gate(self.facts, step.key)
        if gate is not None and gate.decision is not None:
            approved = gate.decision.answer is Answer.APPROVE
            value: dict[str, JSON] = {
                "approved": approved,
                "actor": gate.decision.actor,
                "note": gate.decision.note,
            }
            self._conclude(step.key, value)
            return state_of(step, self)
        if self.facts.run.intent is not Intent.GO:
            return ready
        show = step.spec.get("show")
        self._requests.append(
            GateRequest(
                key=step.key,
                kind=GateKind.APPROVAL,
                title=str(step.spec.get("ask", step.title)),
                by=str(step.spec.get("by", "person")),
                why=f"the plan stops at {step.key} until it is decided",
                show=show if isinstance(show, str) else None,
            )
        )
        return ready

    def _loop(self, step: PlanStep) -> StepState:
        """Close iterations that ended, open the next, conclude the loop. Ends where something must happen."""
        while True:
            state = state_of(step, self)
            if state.status is StepStatus.READY:
                if self.facts.run.intent is not Intent.GO:
                    return state
                self._iterations[step.key] = 1
                self._open(f"{step.key}[1]")
                continue
            number = self._iterations.get(step.key, 0)
            scope = f"{step.key}[{number}]"
            held = self._scopes.get(scope)
            if state.status is not StepStatus.RUNNING or held is None:
                return state
            if held.open or scope in self._dirty:
                return state
            if not self._step_loop(step, number, scope):
                return state_of(step, self)

    def _step_loop(self, step: PlanStep, number: int, scope: str) -> bool:
        """One move at the end of an iteration. False when nothing more can be done now."""
        said = verdict(self.facts, scope)
        if said is None:
            self._conclude(scope, self._judge(step, number, scope))
            return True
        if not said.get("again"):
            self._conclude(step.key, {"iterations": number, "ended": said.get("because", "until")})  # type: ignore[dict-item]
            return False
        if self.facts.run.stop_by:
            self._conclude(
                step.key, {"iterations": number, "ended": f"stopped by {self.facts.run.stop_by}"}
            )
            return False
        if exhausted(step, self.facts, number):
            if step.spec.get("on_exhausted") == "continue":
                self._conclude(step.key, {"iterations": number, "ended": "exhausted"})
                return False
            title = f"{step.key} is not done after {number} iterations"
            self._ask(
                scope,
                GateKind.EXHAUSTED,
                title,
                f"approve: {step.spec.get('max')} more; deny: the run fails",
            )
            return False
        if self._unchanged(step, number) and not self._waved_on(scope):
            title = f"{UNCHANGED_ITERATIONS} iterations of {step.key} changed nothing"
            self._ask(
                scope,
                GateKind.NO_PROGRESS,
                title,
                "approve: go on; deny: the loop fails; `smithers stop` ends it well",
            )
            return False
        if self.facts.run.intent is not Intent.GO:
            return False
        self._iterations[step.key] = number + 1
        self._open(f"{step.key}[{number + 1}]")
        return True

    def _ask(self, scope: str, kind: GateKind, title: str, why: str) -> None:
        gate = last_gate(self.facts, scope)
        if (gate is None or gate.decision is not None) and self.facts.run.intent is Intent.GO:
            self._requests.append(GateRequest(scope, kind, title, "person", why))

    def _judge(self, step: PlanStep, number: int, scope: str) -> dict[str, JSON]:
        """The verdict on an iteration that ended whole and without a hard failure."""
        checks: list[JSON] = [
            [inner.key.removeprefix(scope), not red(inner, self.facts)]
            for inner in self.inside(scope)
            if inner.kind is StepKind.CHECK
        ]
        said: dict[str, JSON] = {"tree": self.tree, "checks": checks}
        if any(red(inner, self.facts) for inner in self.inside(scope)):
            return {"again": True, "because": "red check", **said}
        loop = self.authors[step.key]
        if not isinstance(loop, Loop):
            raise RenderError(f"{step.key} is a loop in the plan and none in the workflow")
        context = Context(self._input, self, scope=scope, iteration=number)
        done = bool(guarded(loop.until, context))
        return {"again": not done, "because": "until" if done else "not yet", **said}

    def _unchanged(self, step: PlanStep, number: int) -> bool:
        """The last iterations all left the same files and the same answers of their checks."""
        if number < UNCHANGED_ITERATIONS:
            return False
        seen = []
        for back in range(UNCHANGED_ITERATIONS):
            scope = f"{step.key}[{number - back}]"
            said = verdict(self.facts, scope)
            if said is None or not said.get("tree") or (back and self._waved_on(scope)):
                return False
            seen.append((said.get("tree"), said.get("checks")))
        return all(one == seen[0] for one in seen)

    def _waved_on(self, scope: str) -> bool:
        gate = last_gate(self.facts, scope)
        return (
            gate is not None
            and gate.decision is not None
            and gate.decision.answer is Answer.APPROVE
        )

    # -- choosing --

    def _due(self, now: int) -> None:
        for key in [key for key, wake in self._retrying.items() if wake <= now]:
            del self._retrying[key]
            self._ready[key] = None

    def _startable(self, cap: int) -> list[PlanStep]:
        """Ready leaves that fit under the run's cap and their groups' limits, in order of readiness."""
        free = cap - len(self._running)
        if self.facts.run.intent is not Intent.GO or free <= 0:
            return []
        chosen: list[PlanStep] = []
        taken: dict[str, int] = {}
        for key in self._ready:
            step = self.facts.plan[key]
            if step.kind in {StepKind.APPROVAL, StepKind.LOOP}:
                continue
            if any(
                self._in_group.get(group, 0) + taken.get(group, 0) >= most
                for group, most in step.limits
            ):
                continue
            for group, _ in step.limits:
                taken[group] = taken.get(group, 0) + 1
            chosen.append(step)
            if len(chosen) == free:
                break
        return chosen

    def _standing(self) -> tuple[RunStatus, str]:
        intent = self.facts.run.intent
        if self._running:
            return RunStatus.RUNNING, ""
        if intent is Intent.CANCEL:
            return RunStatus.CANCELLED, "cancelled"
        root = self._scopes[""]
        if not root.open:
            return self._ending(root)
        if intent is not Intent.GO:
            return RunStatus.PAUSED, "paused"
        if self._ready or self._retrying:
            return RunStatus.RUNNING, ""
        waits = next(iter(self._waiting), "")
        return RunStatus.WAITING, f"waits at {waits}" if waits else "nothing can start"

    def _ending(self, root: _Scope) -> tuple[RunStatus, str]:
        failed = [key for key in root.keys if self._states[key].status is StepStatus.FAILED]
        if failed:
            reason = self._states[failed[0]].reason.strip().split("\n")[0]
            return RunStatus.FAILED, f"{failed[0]} failed" + (f": {reason}" if reason else "")
        notes = []
        for key, step in ((key, self.facts.plan[key]) for key in root.keys):
            output = self.facts.outputs.get(key)
            if step.kind is StepKind.LOOP and output is not None and isinstance(output.value, dict):
                ended = str(output.value.get("ended", ""))
                if ended == "exhausted":
                    notes.append(f"{key} ended at its bound, not because it was done")
                elif ended.startswith("stopped"):
                    notes.append(f"{key} {ended}")
        return RunStatus.SUCCEEDED, "; ".join(notes)
