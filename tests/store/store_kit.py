"""A database on disk and a run in it, as the tests of the store want them."""

from __future__ import annotations

from pathlib import Path

from smithers.model.gate import Gate, GateKind
from smithers.model.run import Owner, Run
from smithers.model.step import Attempt, AttemptStatus, PlanStep, StepKind, StepState, StepStatus
from smithers.store import database, runs
from smithers.store.database import Store
from smithers.store.drive import Drive, Transition, claim


def make(folder: Path) -> Store:
    database.create(folder, store_id="test")
    return Store(folder)


def owner(pid: int) -> Owner:
    return Owner("host", "boot", 1, pid, pid * 10)


def run(name: str = "r", **more) -> Run:
    return Run(name, "law", "a title", "recipe:law", "", {}, 1, root="/r", workspace="/r", **more)


def new_run(store: Store, name: str = "r") -> None:
    runs.create(store, run(name), created_by="person:t")


def drive(store: Store, name: str = "r", pid: int = 1, *, dead: bool = False) -> Drive:
    return Drive(store, claim(store, name, owner(pid), now=1, replaceable=lambda _lease: dead))


def step(key: str, kind: StepKind = StepKind.CALL) -> PlanStep:
    return PlanStep(key, "", kind, key)


def attempt(key: str, n: int = 1, status: AttemptStatus = AttemptStatus.RUNNING) -> Attempt:
    return Attempt(key, n, 7, status, started_at=1)


def gate(key: str = "ship", number: int = 1) -> Gate:
    return Gate(f"{key}#{number}", key, GateKind.APPROVAL, "Ship?", "person", "", "", "", "d1", 1)


def begins(key: str) -> Transition:
    """The frame in which a step is placed and begun."""
    return Transition(
        f"{key} started",
        placed={key: (step(key), 0)},
        attempts=[attempt(key)],
        changes={key: StepState(StepStatus.RUNNING)},
        counts=(1, 0, 0, 1, 0),
    )
