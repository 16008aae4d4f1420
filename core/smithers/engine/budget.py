"""What a run may consume, and has. Past it a gate opens; it is no crash and no failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from smithers.model.gate import Answer, Gate, GateKind
from smithers.model.run import RunStatus
from smithers.model.step import Attempt, Usage
from smithers.schedule.decision import Decision, GateRequest
from smithers.store import usage
from smithers.store.database import Reader, Store

KEY = "@budget"
"""Where its gates hang: beside the plan, under a name that no step can have."""
_STEP_LIKE = "budget"
"""Where they hang in databases of before, among those of a step of that name."""


@dataclass(slots=True)
class Budget:
    limits: Mapping[str, float] = field(default_factory=dict)
    spent: Usage = field(default_factory=Usage)
    worked_ms: float = 0.0
    """Of all attempts that ended, added up."""
    begun: dict[str, float] = field(default_factory=dict)
    """When the attempts in flight began, by key: seconds of time awake."""
    using: dict[str, Usage] = field(default_factory=dict)
    """What the attempts in flight have used so far, as far as their agents tell."""

    def load(self, store: Store | Reader, run_id: str, limits: Mapping[str, float]) -> None:
        self.limits = limits
        self.spent, self.worked_ms = usage.of_run(store, run_id)

    def begin(self, key: str, now: float) -> None:
        """An attempt of this step begins. `now` and below: seconds of time awake."""
        self.begun[key] = now

    def use(self, key: str, usage: Usage) -> None:
        """The attempt in flight at a step has used so much by now."""
        self.using[key] = usage

    def add(self, attempt: Attempt, now: float) -> None:
        """An attempt has ended. How long one of another engine took its record says."""
        self.spent = self.spent + attempt.usage
        self.using.pop(attempt.key, None)
        begun = self.begun.pop(attempt.key, None)
        if begun is not None:
            self.worked_ms += (now - begun) * 1000
        elif attempt.finished_at is not None:
            self.worked_ms += max(0, attempt.finished_at - attempt.started_at)

    def over(self, gates: Iterable[Gate], now: float) -> str:
        """What is used up, in words, or nothing."""
        share = 1 + sum(
            gate.decision is not None and gate.decision.answer is Answer.APPROVE for gate in gates
        )
        minutes = self.worked_ms / 60_000 + sum(now - start for start in self.begun.values()) / 60
        spent = sum(self.using.values(), self.spent)
        tokens = (spent.input_tokens or 0) + (spent.output_tokens or 0)
        for name, used in (
            ("minutes", minutes),
            ("tokens", float(tokens)),
            ("usd", spent.cost_usd or 0.0),
        ):
            limit = self.limits.get(name)
            if limit is not None and used >= limit * share:
                return f"{used:.4g} of {limit * share:g} {name} used"
        return ""

    def next_look(self) -> float | None:
        """Seconds after which running attempts could have used it up: a second at a time."""
        return 1.0 if self.begun and self.limits else None


def gates_of(known: dict[str, list[Gate]]) -> list[Gate]:
    """The gates about a run's budget, in order: a list that `known` keeps."""
    found = known.setdefault(KEY, [])
    older = known.get(_STEP_LIKE, ())
    found[:0] = [gate for gate in older if gate.kind is GateKind.BUDGET and gate not in found]
    return found


def hold(
    decision: Decision,
    over: str,
    gates: list[Gate],
    *,
    busy: bool,
    ask: Callable[[GateRequest], Gate],
) -> None:
    """Have the run wait at a gate, or fail if no more was given. `busy`: attempts still end."""
    if decision.status.ended or decision.status is RunStatus.PAUSED:
        return
    answer = gates[-1].decision.answer if gates and gates[-1].decision else None
    if answer is Answer.DENY:
        if not busy:
            decision.status = RunStatus.FAILED
            decision.reason = f"budget: {over}, and no more was given"
        return
    if not gates or answer is Answer.APPROVE:
        request = GateRequest(
            KEY,
            GateKind.BUDGET,
            f"{over}. As much again?",
            "person",
            "approve: as much again; deny: the run fails",
        )
        gate = ask(request)
        gates.append(gate)
        decision.gates.append(gate)
    if not busy:
        decision.status, decision.reason = RunStatus.WAITING, "waits at budget"
