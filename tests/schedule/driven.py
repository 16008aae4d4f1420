"""A run without an engine: facts in a ledger, a scheduler over them, and tests that make things happen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from smithers.author.steps import Step
from smithers.author.workflow import Workflow
from smithers.model.gate import Answer, Gate
from smithers.model.gate import Decision as Verdict
from smithers.model.run import Facts, Intent, Run, RunStatus
from smithers.model.step import (
    JSON,
    Attempt,
    AttemptStatus,
    Output,
    PlanStep,
    StepKind,
    StepState,
    StepStatus,
)
from smithers.schedule.scheduler import Decision, GateRequest, Scheduler

ADA = "person:ada"


class Empty(BaseModel):
    """Input of workflows that need none."""


def workflow(function: Callable[..., Step[Any]], *, edits: bool = False) -> Workflow[Empty]:
    return Workflow(function, name="w", summary="", edits=edits, input=Empty)


def a_run(run_id: str = "r", **values: Any) -> Run:
    return Run(
        id=run_id,
        recipe="w",
        title="W",
        source="",
        source_digest="",
        input={},
        created_at=0,
        status=RunStatus.RUNNING,
        **values,
    )


class Memory:
    """What a store would hold, as plain values."""

    def __init__(self) -> None:
        self.run = a_run()
        self.rows: dict[str, tuple[PlanStep, int]] = {}
        self.states: dict[str, StepState] = {}
        self.attempts: dict[str, list[Attempt]] = {}
        self.outputs: dict[str, Output] = {}
        self.gates: dict[str, list[Gate]] = {}

    @property
    def rev(self) -> int:
        return self.run.rev

    def facts(self) -> Facts:
        rows = sorted(self.rows.values(), key=lambda row: (row[0].scope, row[1]))
        attempts = {
            key: tries
            for key, tries in self.attempts.items()
            if any(one.status is not AttemptStatus.SUCCEEDED for one in tries)
        }
        return copy.deepcopy(
            Facts(
                self.run,
                outputs=self.outputs,
                attempts=attempts,
                gates=self.gates,
                plan={step.key: step for step, _ in rows},
                stored={k: replace(state, ok=False) for k, state in self.states.items()},
            )
        )

    def commit(self, decision: Decision, ended: list[tuple[Attempt, Output | None]]) -> None:
        for attempt in (*(one for one, _ in ended), *decision.begun):
            tries = self.attempts.setdefault(attempt.key, [])
            tries[attempt.n - 1 :] = [attempt]
        for output in (*(one for _, one in ended if one), *decision.outputs):
            assert output.key not in self.outputs, f"{output.key} has an output already"
            self.outputs[output.key] = output
        for gate in decision.gates:
            self.gates.setdefault(gate.key, []).append(gate)
        for key, row in decision.placed.items():
            self.rows[key] = row
            self.states.setdefault(key, StepState(StepStatus.PENDING))
        for key, state in decision.changes.items():
            assert key in self.rows, f"{key} changed and is no row"
            self.states[key] = state
        for key in decision.gone:
            self.rows.pop(key, None)
            self.states.pop(key, None)
        self.run = replace(self.run, status=decision.status, status_reason=decision.reason)

    def _outside(self, **values: Any) -> None:
        self.run = replace(self.run, rev=self.run.rev + 1, **values)

    def decide(self, gate: Gate, answer: Answer) -> None:
        said = Verdict(gate.id, answer, ADA, "terminal", "", gate.digest, 0)
        gates = self.gates[gate.key]
        gates[gates.index(gate)] = replace(gate, decision=said)
        self._outside()

    def intend(self, intent: Intent) -> None:
        self._outside(intent=intent)

    def stop(self) -> None:
        self._outside(stop_by=self.run.stop_by or ADA)

    def reopen(self, key: str) -> None:
        tries = self.attempts[key]
        tries[-1] = replace(tries[-1], reopened=ADA)
        self._outside(intent=Intent.GO)


class Driven:
    """Plays the engine. `cap` is the run's limit, `now` its clock, `tree` its files."""

    def __init__(self, author: Workflow[Any], ledger: Any = None, *, cap: int = 4) -> None:
        self.author = author
        self.ledger = ledger or Memory()
        self.cap = cap
        self.now = 1_000
        self.tree = ""
        self.begun: list[str] = []
        """Every start, in order."""
        self.last = Decision()
        self._ended: list[tuple[Attempt, Output | None]] = []
        self._rev = -1
        self.scheduler: Scheduler

    # -- the engine --

    def load(self) -> None:
        self._rev = self.ledger.rev
        self.scheduler = Scheduler(self.author, Empty(), self.ledger.facts(), tree=self.tree)

    def round(self) -> Decision:
        """What an engine does when there is news."""
        if self._rev != self.ledger.rev:
            self.load()
        self.scheduler.tree = self.tree
        ended, self._ended = self._ended, []
        for attempt, output in ended:
            if output is not None:
                self.scheduler.record_output(output)
            self.scheduler.record_attempt(attempt)
        self.last = self.scheduler.advance(self, now=self.now, cap=self.cap)
        self.ledger.commit(self.last, ended)
        return self.last

    def begin(self, step: PlanStep) -> Attempt:
        before = self.scheduler.facts.attempts.get(step.key, [])
        self.begun.append(step.key)
        n = before[-1].n + 1 if before else 1
        return Attempt(step.key, n, len(self.begun), AttemptStatus.RUNNING, self.now)

    def open(self, request: GateRequest) -> Gate:
        number = len(self.scheduler.facts.gates.get(request.key, [])) + 1
        return Gate(
            id=f"{request.key}#{number}",
            key=request.key,
            kind=request.kind,
            title=request.title,
            by=request.by,
            why=request.why,
            show="text" if request.show else "",
            body=request.show or "",
            digest="d",
            opened_at=self.now,
        )

    # -- what is there --

    @property
    def running(self) -> dict[str, Attempt]:
        return {
            key: tries[-1]
            for key, tries in self.ledger.attempts.items()
            if tries[-1].status is AttemptStatus.RUNNING
            and key not in {attempt.key for attempt, _ in self._ended}
        }

    @property
    def ending(self) -> bool:
        """Some attempt has ended, and no round has heard of it."""
        return bool(self._ended)

    @property
    def asking(self) -> list[Gate]:
        gates = (gates[-1] for gates in self.ledger.gates.values())
        return [gate for gate in gates if gate.decision is None]

    def status(self, key: str) -> StepStatus:
        return self.scheduler.states[key].status

    def reason(self, key: str) -> str:
        return self.scheduler.states[key].reason

    @property
    def standing(self) -> RunStatus:
        return self.last.status

    # -- what can happen --

    def _end(self, key: str, output: Output | None = None, **how: Any) -> None:
        self._ended.append((replace(self.running[key], finished_at=self.now, **how), output))

    def succeed(self, key: str, value: JSON = "done") -> Decision:
        self.end_well(key, value)
        return self.round()

    def end_well(self, key: str, value: JSON = "done") -> None:
        if self.scheduler.facts.plan.get(key, _TASK).kind is StepKind.CHECK:
            value = {"passed": True, "exit_code": 0, "tail": ""}
        self._end(key, Output(key, value), status=AttemptStatus.SUCCEEDED)

    def fail(self, key: str, *, retry_at: int | None = None, error: str = "no") -> Decision:
        self._end(key, status=AttemptStatus.FAILED, error=error, retry_at=retry_at)
        return self.round()

    def red(self, key: str, code: int = 1, *, retry_at: int | None = None) -> Decision:
        """A check that exits with `code`."""
        self.end_red(key, code, retry_at=retry_at)
        return self.round()

    def end_red(self, key: str, code: int = 1, *, retry_at: int | None = None) -> None:
        value: JSON = {"passed": False, "exit_code": code, "tail": ""}
        status = AttemptStatus.FAILED
        self._end(key, status=status, value=value, exit_code=code, retry_at=retry_at)

    def end_badly(self, key: str, status: AttemptStatus, *, retry_at: int | None = None) -> None:
        charged = status not in {AttemptStatus.STOPPED, AttemptStatus.INTERRUPTED}
        self._end(key, status=status, error=str(status), retry_at=retry_at, charged=charged)

    def obey_stops(self) -> None:
        """End what the last decision wanted stopped, as the engine does."""
        for key in self.last.stop:
            if key in self.running:
                self.end_badly(key, AttemptStatus.STOPPED)

    def crash(self) -> Decision:
        """The engine dies; another one takes over and finds what ran interrupted."""
        self._ended.clear()
        self.load()
        for key in self.running:
            self.end_badly(key, AttemptStatus.INTERRUPTED)
        return self.round()

    def resume(self) -> Decision:
        """A fresh scheduler over the same facts."""
        self.load()
        return self.round()

    def decide(self, key: str, answer: Answer = Answer.APPROVE) -> Decision:
        (gate,) = [gate for gate in self.asking if gate.key == key]
        self.ledger.decide(gate, answer)
        return self.round()

    def intend(self, intent: Intent) -> Decision:
        self.ledger.intend(intent)
        return self.round()

    def stop(self) -> Decision:
        self.ledger.stop()
        return self.round()

    def reopen(self, key: str) -> Decision:
        self.ledger.reopen(key)
        return self.round()


_TASK = PlanStep("", "", StepKind.TASK, "")


def drive(function: Callable[..., Step[Any]], **kwargs: Any) -> Driven:
    """A run of the workflow after its first round."""
    driven = Driven(workflow(function), **kwargs)
    driven.round()
    return driven
