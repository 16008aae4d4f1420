"""Everything that is recorded of one run, row by row, for a checker that trusts no projection."""

from __future__ import annotations

from dataclasses import dataclass

from smithers.model.gate import Gate
from smithers.model.run import Run
from smithers.model.step import Attempt, Output, PlanStep, StepState, StepStatus
from smithers.store import codec, runs
from smithers.store.database import Reader, Store


@dataclass(frozen=True, slots=True)
class StepRecord:
    step: PlanStep
    state: StepState
    position: int
    gone: bool


@dataclass(frozen=True, slots=True)
class Record:
    run: Run
    counts: tuple[int, int, int, int, int]
    """total, done, failed, running, waiting, as the run's row says."""
    held: bool
    """Somebody holds the lease."""
    steps: dict[str, StepRecord]
    attempts: dict[str, list[Attempt]]
    outputs: dict[str, Output]
    gates: dict[str, list[Gate]]
    """By key, in order of opening."""
    open_gates: frozenset[str]
    """Ids of the gates whose row says open."""
    decided: tuple[str, ...]
    """The gate of each decision, also of one that decides nothing known."""
    frames: tuple[int, ...]
    history: tuple[tuple[int, str, StepStatus], ...]
    """Frame, key and status of each change, in order."""


def read(store: Store | Reader, run_id: str) -> Record:
    """All rows of a run. Raises UnknownRun. For one moment's truth, ask inside a transaction."""
    run = runs.get(store, run_id)
    _, held = runs.lease(store, run_id)
    seq, *counts = store.all(
        "SELECT seq, total, done, failed, running, waiting FROM runs WHERE id = ?", (run_id,)
    )[0]
    total, done, failed, running, waiting = counts
    attempts: dict[str, list[Attempt]] = {}
    for row in store.all(
        f"SELECT {codec.ATTEMPT_COLUMNS} FROM attempts WHERE run = ? ORDER BY key, n",  # noqa: S608
        (seq,),
    ):
        attempt = codec.attempt_from_row(row)
        attempts.setdefault(attempt.key, []).append(attempt)
    asked = store.all("SELECT id FROM gates WHERE run = ? AND open = 1", (seq,))
    decided = store.all("SELECT gate FROM decisions WHERE run = ? ORDER BY gate", (seq,))
    frames = store.all("SELECT n FROM frames WHERE run = ? ORDER BY n", (seq,))
    return Record(
        run=run,
        counts=(total, done, failed, running, waiting),
        held=held,
        steps=_steps(store, seq),
        attempts=attempts,
        outputs={
            key: Output(key, codec.loads(value))
            for key, value in store.all("SELECT key, value FROM outputs WHERE run = ?", (seq,))
        },
        gates=runs.by_key(runs.gates(store, seq)),
        open_gates=frozenset(row[0] for row in asked),
        decided=tuple(row[0] for row in decided),
        frames=tuple(row[0] for row in frames),
        history=tuple(
            (frame, key, StepStatus(status))
            for frame, key, status in store.all(
                "SELECT frame, key, status FROM step_history WHERE run = ? ORDER BY frame, key",
                (seq,),
            )
        ),
    )


def _steps(store: Store | Reader, seq: int) -> dict[str, StepRecord]:
    rows = store.all(
        f"SELECT {codec.PLAN_STEP_COLUMNS}, {codec.STATE_COLUMNS}, position, gone FROM steps "  # noqa: S608
        "WHERE run = ? ORDER BY scope, position",
        (seq,),
    )
    found = {}
    for row in rows:
        step = codec.plan_step_from_row(row)
        found[step.key] = StepRecord(step, codec.state_from_row(row[8:11]), row[11], bool(row[12]))
    return found
