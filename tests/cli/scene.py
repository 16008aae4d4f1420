"""A run directory with runs in every state, written by the store itself; no engine, no agent."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from smithers.model.gate import Gate, GateKind
from smithers.model.run import Intent, Owner, Run, RunStatus
from smithers.model.step import (
    Attempt,
    AttemptStatus,
    Output,
    PlanStep,
    StepKind,
    StepState,
    StepStatus,
    Usage,
)
from smithers.process import identity
from smithers.service import locate
from smithers.store import runs
from smithers.store.database import Store
from smithers.store.drive import Drive, Transition, claim

START = 1_764_000_000_000
EVIL = "\x1b]52;c;aGk=\x07\u202etxt\x9b31m"


class Scene:
    """Writes what an engine would, one frame at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        locate.ensure(root)
        self.store = Store(locate.state_dir(root))

    def run(self, name: str, *, recipe: str = "implement", title: str = "Add a limit") -> "Driver":
        run = Run(
            id=name,
            recipe=recipe,
            title=title,
            source=f"recipe:{recipe}",
            source_digest="0",
            input={"prompt": "Add a limit"},
            created_at=START,
            root=str(self.root),
            workspace=str(self.root),
        )
        runs.create(self.store, run, created_by="person:ann")
        return Driver(self, name)


class Driver:
    def __init__(self, scene: Scene, run: str) -> None:
        self.scene = scene
        self.run = run
        self.drive: Drive | None = None

    def begin(self, owner: Owner | None = None) -> "Driver":
        lease = claim(
            self.scene.store,
            self.run,
            owner or identity.me(),
            now=START,
            replaceable=lambda _: True,
        )
        self.drive = Drive(self.scene.store, lease)
        return self

    def commit(self, move: Transition, *, park: bool = False) -> "Driver":
        rev = runs.rev(self.scene.store, self.run) if park or move.status.ended else None
        assert self.drive is not None
        assert self.drive.commit(move, now=START + self.drive.frame * 1000, release_at=rev)
        return self

    def log(self, attempt: Attempt, *lines: tuple[str, str, str]) -> None:
        folder = locate.state_dir(self.scene.root) / "logs" / self.run
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{attempt.id}.jsonl").open("a", encoding="utf-8") as file:
            for stream, kind, text in lines:
                record = {"t": START, "s": stream, "k": kind, "d": text}
                file.write(json.dumps(record) + "\n")


LOOP = PlanStep("build", "", StepKind.LOOP, "Build it", spec={"max_iterations": 8})
CODE = PlanStep("build[1]/code", "build[1]", StepKind.TASK, "Change the code")
CHECKS = PlanStep("build[1]/checks", "build[1]", StepKind.CHECK, "Run the checks")
CODE_AGAIN = PlanStep("build[2]/code", "build[2]", StepKind.TASK, "Change the code")
SHIP = PlanStep("ship", "", StepKind.APPROVAL, "Merge this change?", after=("build",))


def place(*steps: PlanStep) -> dict[str, tuple[PlanStep, int]]:
    return {step.key: (step, number) for number, step in enumerate(steps)}


def attempt(key: str, status: AttemptStatus = AttemptStatus.RUNNING, **more: object) -> Attempt:
    made = Attempt(key=key, n=1, token=7, status=status, started_at=START, agent="coder")
    if status is not AttemptStatus.RUNNING:
        made = replace(made, finished_at=START + 4000)
    return replace(made, **more)


def states(**by_key: StepStatus) -> dict[str, StepState]:
    return {key: StepState(status) for key, status in by_key.items()}


def at_code(driver: Driver, owner: Owner | None = None) -> Driver:
    """In the middle of the first attempt of the first iteration."""
    return driver.begin(owner).commit(
        Transition(
            "began",
            attempts=[attempt(CODE.key)],
            placed=place(LOOP, CODE, CHECKS, SHIP),
            changes={
                LOOP.key: StepState(StepStatus.RUNNING),
                CODE.key: StepState(StepStatus.RUNNING),
                CHECKS.key: StepState(StepStatus.PENDING),
                SHIP.key: StepState(StepStatus.PENDING),
            },
            counts=(4, 0, 0, 2, 0),
        )
    )


def red(driver: Driver) -> Driver:
    """The first iteration's check has failed, the second iteration's code runs."""
    at_code(driver)
    coded = attempt(CODE.key, AttemptStatus.SUCCEEDED, usage=Usage(1200, 300, 0.02))
    checked = attempt(
        CHECKS.key,
        AttemptStatus.FAILED,
        agent="",
        exit_code=1,
        error="exit 1",
        value={"passed": False, "exit_code": 1, "tail": "1 failed"},
    )
    again = replace(attempt(CODE_AGAIN.key), started_at=START + 9000)
    driver.commit(
        Transition(
            "code succeeded",
            attempts=[coded, attempt(CHECKS.key)],
            outputs=[Output(CODE.key, {"summary": f"a limit {EVIL}", "files": ["api.py"]})],
            changes={
                CODE.key: StepState(StepStatus.SUCCEEDED, ok=True),
                CHECKS.key: StepState(StepStatus.RUNNING),
            },
            counts=(4, 1, 0, 2, 0),
        )
    )
    driver.commit(
        Transition(
            "checks failed",
            attempts=[checked, again],
            placed=place(LOOP, CODE, CHECKS, SHIP, CODE_AGAIN),
            changes={
                CHECKS.key: StepState(StepStatus.FAILED, "exit 1"),
                CODE_AGAIN.key: StepState(StepStatus.RUNNING),
            },
            counts=(5, 1, 1, 2, 0),
        )
    )
    driver.log(
        coded,
        ("agent", "text", f"I read the API {EVIL}"),
        ("agent", "tool_call", "cat README.md"),
    )
    driver.log(checked, ("out", "", "FAILED (failures=1)"))
    return driver


def gate(by: str = "person", body: str = "Plan: one, two", key: str = "ship") -> Gate:
    return Gate(
        id=f"{key}#1",
        key=key,
        kind=GateKind.APPROVAL,
        title="Merge this change?",
        by=by,
        why="the reviewer signed off",
        show="text",
        body=body,
        digest=sha256(body.encode()).hexdigest(),
        opened_at=START + 60_000,
    )


def at_gate(driver: Driver, made: Gate | None = None) -> Driver:
    """Parked: only a person's answer is missing."""
    driver.begin()
    return driver.commit(
        Transition(
            "ship waits",
            placed=place(SHIP),
            gates=[made or gate()],
            changes={SHIP.key: StepState(StepStatus.WAITING)},
            status=RunStatus.WAITING,
            reason="waits for ship",
            counts=(1, 0, 0, 0, 1),
        ),
        park=True,
    )


def ended(driver: Driver, status: RunStatus = RunStatus.SUCCEEDED, error: str = "") -> Driver:
    driver.begin()
    step = StepStatus.SUCCEEDED if status is RunStatus.SUCCEEDED else StepStatus.FAILED
    return driver.commit(
        Transition(
            "ended",
            placed=place(CODE),
            attempts=[attempt(CODE.key, AttemptStatus(step.value))],
            changes={CODE.key: StepState(step, error)},
            status=status,
            error=error,
            counts=(1, int(not error), int(bool(error)), 0, 0),
        ),
        park=True,
    )


def paused(driver: Driver) -> Driver:
    runs.intend(driver.scene.store, driver.run, Intent.PAUSE, actor="person:ann", now=START)
    return driver


def dead() -> Owner:
    """A process of this machine that is no more."""
    return replace(identity.me(), pid=2**22 - 1, start_time=1)
