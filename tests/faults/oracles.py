"""What must hold of a run whatever was done to it: each oracle gives its violations, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from smithers.engine import checker
from smithers.model.run import Intent, RunStatus
from smithers.model.step import JSON, AttemptStatus
from smithers.process import sweep
from smithers.process.identity import Life, life
from smithers.service import reading
from smithers.service.directory import Directory
from smithers.service.views import RunView
from smithers.store import audit, crashes, runs
from smithers.store.audit import Record
from smithers_tui.view import state, steps
from tests.faults import files
from tests.faults.flows import Flow

RUN = "r"


@dataclass
class Memory:
    """What was seen once and may never be otherwise again."""

    outputs: dict[str, JSON] = field(default_factory=dict)
    fence: int = 0
    frame: int = 0

    def copy(self) -> Memory:
        return Memory(dict(self.outputs), self.fence, self.frame)


@dataclass
class Scene:
    """A run as it lies there while nobody drives it."""

    db: Directory
    flow: Flow
    out: Path
    memory: Memory

    @property
    def root(self) -> Path:
        return self.db.root

    @cached_property
    def view(self) -> RunView:
        return reading.run(self.db, RUN)

    @cached_property
    def record(self) -> Record:
        return audit.read(self.db.reader, RUN)

    @cached_property
    def driven(self) -> bool:
        lease, held = runs.lease(self.db.reader, RUN)
        return held and life(lease.owner) in {Life.ALIVE, Life.SUSPENDED}

    def lines(self, name: str) -> list[str]:
        path = self.out / name
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def tokens(self) -> set[int]:
        return {one.token for tries in self.record.attempts.values() for one in tries}


Oracle = Callable[[Scene], list[str]]


def standing(scene: Scene, *, fully: bool = True) -> list[str]:
    """At any moment at which no engine is at work; `fully`: what readers say of it as well."""
    oracles = (*STANDING, *READING) if fully else STANDING
    return [wrong for oracle in oracles for wrong in oracle(scene)]


def ended(scene: Scene) -> list[str]:
    """Beyond that, of a run that has ended."""
    return [wrong for oracle in ENDED for wrong in oracle(scene)]


def projection(scene: Scene) -> list[str]:
    """Everything derived follows from the facts."""
    read, audit.read = audit.read, lambda *_: scene.record
    try:
        return checker.check(scene.db.reader, RUN)
    finally:
        audit.read = read


def outputs_stand(scene: Scene) -> list[str]:
    """What was acknowledged, to anybody, is there, once and unchanged."""
    rows = scene.db.reader.all("SELECT key, value FROM outputs WHERE run = 1")
    now = {key: json.loads(value) for key, value in rows}
    wrong = [] if len(now) == len(rows) else ["an output is there twice"]
    for line in scene.lines("acknowledged"):
        for key, value in json.loads(line).items():
            if scene.memory.outputs.setdefault(key, value) != value:
                wrong.append(f"{key} was acknowledged twice, and differs")
    for key, value in scene.memory.outputs.items():
        if key not in now:
            wrong.append(f"{key} was acknowledged and is lost")
        elif now[key] != value:
            wrong.append(f"{key} was {value} and is {now[key]}")
    scene.memory.outputs.update(now)
    return wrong


def marks_are_attempts(scene: Scene) -> list[str]:
    """Each mark is of a recorded attempt, none worked twice, and no finished step ran again."""
    marks = Counter(scene.lines("marks"))
    known: set[str] = set()
    wrong = [f"{mark} worked {times} times" for mark, times in marks.items() if times > 1]
    for key, tries in scene.record.attempts.items():
        for attempt in tries:
            mark = f"{RUN}/{key}.{attempt.n}.{attempt.token:012x}"
            known.add(mark)
            if attempt.status is AttemptStatus.SUCCEEDED:
                if attempt is not tries[-1]:
                    wrong.append(f"{key} finished in attempt {attempt.n} and ran again")
                if not marks[mark] and _leaves_marks(scene, key):
                    wrong.append(f"{key} finished in attempt {attempt.n} and never worked")
    wrong += [f"{mark} is of no recorded attempt" for mark in marks.keys() - known]
    return wrong


def _leaves_marks(scene: Scene, key: str) -> bool:
    kind = scene.record.steps[key].step.kind
    spec = scene.record.steps[key].step.spec
    exact = (scene.out / "acknowledged").exists()  # a real engine leaves no marks of its calls
    return (exact and kind.value == "call") or "marks" in str(spec.get("command", ""))


def readers_agree(scene: Scene) -> list[str]:
    """`ps`, `inspect` and `why` say what the facts say: interrupted at once, and never in vain."""
    view, run = scene.view, scene.record.run
    (row,) = reading.runs(scene.db)
    why = reading.why(scene.db, RUN)
    wrong = []
    if row != view.row:
        wrong.append(f"ps says {row}, inspect {view.row}")
    if list(view.waiting_on) != why:
        wrong.append(f"why says {why}, inspect {view.waiting_on}")
    follows = _status(scene)
    if view.row.status not in follows:
        wrong.append(f"it reads {view.row.status} and is {' or '.join(follows)}")
    well = {RunStatus.SUCCEEDED, RunStatus.CANCELLED}
    if bool(why) is (view.row.status in well):
        wrong.append(f"why says {why} of a run that is {view.row.status}")
    if why and not all(each.next.startswith("smithers ") for each in why):
        wrong.append(f"why names no command: {why}")
    for step in view.steps:
        stored = scene.record.steps[step.key].state.status.value
        # What was at work when its engine died will begin anew.
        shown = {stored, "ready"} if stored == "running" else {stored}
        if step.status.value not in shown:
            wrong.append(f"{step.key} is {stored} and shown as {step.status}")
    if run.frame < scene.memory.frame:
        wrong.append(f"frame {run.frame} comes after frame {scene.memory.frame}")
    scene.memory.frame = run.frame
    return wrong


def app_agrees(scene: Scene) -> list[str]:
    """The app's signs and rows say the same, and no step is missing from its tree."""
    row, run = scene.view.row, scene.record.run
    asks = bool(scene.record.open_gates) and not run.status.ended
    follows = state.of_run_status(row.status)
    if asks and row.status is not RunStatus.INTERRUPTED:
        follows = state.APPROVE
    shown = state.of_run(row)
    wrong = [] if shown == follows else [f"the app shows {shown.word} of {run.status}"]
    tree = [branch.step.key for branch in steps.tree(scene.view.steps) if branch.step]
    if sorted(tree) != sorted(scene.record.steps):
        wrong.append(f"the app shows {tree} of {sorted(scene.record.steps)}")
    return wrong


def _status(scene: Scene) -> set[RunStatus]:
    """What the run may read as by the facts, now that no engine lives."""
    run, held = scene.record.run, scene.record.held
    if run.status.ended or scene.driven:
        return {run.status}
    if run.intent is Intent.CANCEL:
        return {RunStatus.CANCELLED}
    if run.intent is not Intent.GO:
        return {RunStatus.PAUSED}
    if held and run.status is not RunStatus.WAITING:
        return {RunStatus.INTERRUPTED}
    # Until a while has passed it is believed that somebody is about to start it.
    soon = RunStatus.QUEUED if run.status is RunStatus.PAUSED else run.status
    return {soon, RunStatus.INTERRUPTED}


def sound(scene: Scene) -> list[str]:
    """The file is whole, and fences only rise."""
    ask = scene.db.reader.all
    wrong = [row[0] for row in ask("PRAGMA integrity_check") if row[0] != "ok"]
    wrong += [str(row) for row in ask("PRAGMA foreign_key_check")]
    ((fence,),) = ask("SELECT fence FROM leases")
    if fence < scene.memory.fence:
        wrong.append(f"fence {fence} comes after {scene.memory.fence}")
    scene.memory.fence = fence
    if crashes.KEY in scene.record.gates and not scene.flow.supervised:
        wrong.append("a person brought it back each time, and is asked about crashes")
    return wrong


def timers_are_ahead(scene: Scene) -> list[str]:
    """A retry is due after the attempt that it follows began, and by minutes at most."""
    return [
        f"attempt {one.n} of {key} ended at {one.finished_at} and is tried again at {one.retry_at}"
        for key, tries in scene.record.attempts.items()
        for one in tries
        if one.retry_at is not None
        and not one.started_at <= one.retry_at <= (one.finished_at or 0) + 400_000
    ]


def nobody_left(scene: Scene) -> list[str]:
    """No process carries a mark of the run."""
    if not scene.flow.processes:
        return []
    return [f"process {pid} is left" for pid in sorted(sweep.find(scene.tokens()))]


def nothing_open(scene: Scene) -> list[str]:
    """No attempt runs, no lease is held."""
    wrong = [
        f"{key} still runs in attempt {one.n}"
        for key, tries in scene.record.attempts.items()
        for one in tries
        if one.status is AttemptStatus.RUNNING
    ]
    return [*wrong, "the lease is held"] if scene.record.held else wrong


def ending(scene: Scene) -> JSON:
    """How the run ended, as far as no fault may change it."""
    states: dict[str, JSON] = {
        key: row.state.status.value for key, row in scene.record.steps.items() if not row.gone
    }
    outputs: dict[str, JSON] = {
        # A decision tells when it was made.
        key: None if key in scene.record.gates else output.value
        for key, output in scene.record.outputs.items()
    }
    return {
        "status": scene.record.run.status.value,
        "steps": states,
        "outputs": outputs,
        "files": files.branch(scene.root) if scene.flow.edits else "",
    }


def _files(oracle: Callable[[Scene], list[str]]) -> Oracle:
    return lambda scene: oracle(scene) if scene.flow.edits else []


STANDING: tuple[Oracle, ...] = (
    projection,
    outputs_stand,
    marks_are_attempts,
    timers_are_ahead,
    _files(lambda scene: files.refs_are_whole(scene.root)),
    _files(lambda scene: files.snapshots_exist(scene.root, scene.db)),
    _files(lambda scene: files.only_own_edits(scene.root, scene.db, scene.flow)),
)
READING: tuple[Oracle, ...] = (readers_agree, app_agrees, sound)
ENDED: tuple[Oracle, ...] = (
    nobody_left,
    nothing_open,
    _files(lambda scene: files.refs_are_recorded(scene.root, scene.db)),
    _files(lambda scene: files.branch_holds(scene.root, scene.flow)),
)
