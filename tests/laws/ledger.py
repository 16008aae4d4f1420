"""The ledger of a driven run, as rows of a real database."""

from __future__ import annotations

from pathlib import Path

from smithers.model.gate import Answer, Gate
from smithers.model.gate import Decision as Verdict
from smithers.model.run import Facts, Intent, Run
from smithers.model.step import Attempt, Output, PlanStep, StepState
from smithers.schedule.scheduler import Decision
from smithers.store import audit, database, runs
from smithers.store.audit import Record
from smithers.store.database import Store
from smithers.store.drive import Drive, Transition, claim
from tests.schedule.driven import ADA, a_run
from tests.store.store_kit import owner


class Rows:
    """What `Memory` is to a test that has no database. One engine holds the run throughout."""

    def __init__(self, folder: Path) -> None:
        database.create(folder, store_id="law")
        self.store = Store(folder)
        runs.create(self.store, a_run(), created_by=ADA)
        lease = claim(self.store, "r", owner(1), now=1, replaceable=lambda _: True)
        self._drive = Drive(self.store, lease)

    @property
    def _record(self) -> Record:
        return audit.read(self.store, "r")

    @property
    def run(self) -> Run:
        return runs.get(self.store, "r")

    @property
    def rev(self) -> int:
        return runs.rev(self.store, "r")

    @property
    def rows(self) -> dict[str, tuple[PlanStep, int]]:
        steps = self._record.steps.items()
        return {key: (row.step, row.position) for key, row in steps if not row.gone}

    @property
    def states(self) -> dict[str, StepState]:
        return {key: row.state for key, row in self._record.steps.items() if not row.gone}

    @property
    def attempts(self) -> dict[str, list[Attempt]]:
        return self._record.attempts

    @property
    def outputs(self) -> dict[str, Output]:
        return self._record.outputs

    @property
    def gates(self) -> dict[str, list[Gate]]:
        return self._record.gates

    def facts(self) -> Facts:
        return runs.facts(self.store, "r")

    def commit(self, decision: Decision, ended: list[tuple[Attempt, Output | None]]) -> None:
        move = Transition(
            why="law",
            attempts=[*(attempt for attempt, _ in ended), *decision.begun],
            outputs=[*(output for _, output in ended if output), *decision.outputs],
            gates=decision.gates,
            placed=decision.placed,
            gone=decision.gone,
            changes=decision.changes,
            status=decision.status,
            reason=decision.reason,
            wake_at=decision.wake_at,
            counts=decision.counts,
        )
        self._drive.commit(move, now=1)

    def decide(self, gate: Gate, answer: Answer) -> None:
        runs.decide(self.store, "r", Verdict(gate.id, answer, ADA, "terminal", "", gate.digest, 2))

    def intend(self, intent: Intent) -> None:
        runs.intend(self.store, "r", intent, actor=ADA, now=2)

    def stop(self) -> None:
        runs.stop(self.store, "r", actor=ADA, now=9)

    def reopen(self, key: str) -> None:
        runs.reopen(self.store, "r", key, actor=ADA, now=9)
