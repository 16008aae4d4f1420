"""`demo`: the main job on a small project of its own, from the first edit to the gate."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from smithers.cli import decide, follow, forms, person, printing, project, record, story, where
from smithers.errors import UsageError
from smithers.model.gate import Answer
from smithers.model.run import RunStatus
from smithers.model.step import AttemptStatus, StepStatus
from smithers.service import control, locate, reading
from smithers.service.views import GateView, RunView, StepView

PROMPT = (
    "Add rate limiting to the API and don't stop until it builds, "
    "validates and a reviewer signs off"
)
RUN = "demo"
ACTOR = "agent:demo"
_HERE = Path(__file__).parent
_DIRECTORY = "smithers-demo"
_CRASH_STEP = "build[2]/code"
_CRASH_LINES = 3
_DEATH_SECONDS = 10.0
_KEPT = (StepStatus.SUCCEEDED, StepStatus.FAILED)


@dataclass(slots=True)
class _Watch:
    """What the demo knows of its run while it follows."""

    root: Path
    db: reading.Directory
    teller: story.Teller
    keeper: record.Keeper
    crash: bool
    yes: bool


def demo(args: Namespace) -> int:
    """Make the project, start `implement` on it, follow it, and say what happened."""
    root = _folder(args.dir)
    _make_project(root)
    printing.note(f"A small HTTP API with tests, in git: {where.shown(root)}")
    printing.note(f"The job: {PROMPT}")
    printing.note("Coder and reviewer follow a script; edits, commands and tests are real.\n")
    control.up(
        root,
        "implement",
        prompt=PROMPT,
        input={"checks": f"{_python()} -m unittest"},
        run_id=RUN,
        agents={},
        workspace=None,
        budget={},
        actor=where.actor(),
    )
    try:
        view = _follow(root, crash=args.crash, yes=args.yes)
    except KeyboardInterrupt:
        return follow.pause_and_leave(root, RUN, as_json=args.json)
    return _close(root, view, as_json=args.json)


def _folder(given: str | None) -> Path:
    """The folder to make: an empty or new one where it is named, else the first free name here."""
    if given is not None:
        folder = Path(given).expanduser().absolute()
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise UsageError(
                f"{where.shown(folder)} is not empty",
                kept="all that is in it",
                next="smithers demo --dir A-NEW-FOLDER",
            )
        return folder
    number = 1
    while (
        folder := Path.cwd() / (_DIRECTORY if number == 1 else f"{_DIRECTORY}-{number}")
    ).exists():
        number += 1
    return folder


def _make_project(root: Path) -> None:
    """Copy the project, put config and script beside it, and make the first commit."""
    shutil.copytree(
        _HERE / "demo_project",
        root,
        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        dirs_exist_ok=True,
    )
    locate.ensure(root)
    home = root / locate.NAME
    shutil.copyfile(_HERE / "demo_config.toml", home / "config.toml")
    shutil.copyfile(_HERE / "demo_script.json", home / "demo_script.json")
    project.begin(root, "A small HTTP API")


def _python() -> str:
    return "python" if shutil.which("python") else "python3"


def _follow(root: Path, *, crash: bool, yes: bool) -> RunView:
    """Tell the run until it has ended, or waits for somebody who is not here."""
    db = reading.open_directory(root)
    watch = _Watch(
        root, db, story.Teller(db, RUN, printing.note), record.Keeper(root, RUN), crash, yes
    )
    while True:
        view = reading.run(db, RUN)
        watch.teller.tell(view)
        status = view.row.status
        if status.ended or status is RunStatus.PAUSED:
            return view
        # A gate that is decided and not yet dealt with still reads `waiting`.
        open_gate = status is RunStatus.WAITING and view.row.open_gates > 0
        if open_gate and not _answer(watch, view):
            return view
        if status is RunStatus.INTERRUPTED and not watch.keeper.revive(view.row.frame):
            return view
        if watch.crash and _in_the_middle(watch, view):
            watch.crash = False
            _crash(watch, view)
        record.next_change(db, 0.1)


def _answer(watch: _Watch, view: RunView) -> bool:
    """Have the gate decided: by the person here, or with --yes. False where nobody does."""
    gates = [gate for gate in view.gates if gate.decision is None]
    if not gates:
        return False
    if not watch.yes:
        return not person.doubt() and decide.at_terminal(watch.root, watch.db, view)
    gate = reading.gate(watch.db, RUN, gates[0].id)
    _print_what_changes(watch.db)
    decide.take(watch.root, gate, Answer.APPROVE, "--yes", actor=ACTOR, established="caller")
    printing.note(_by_itself(gate))
    return True


def _print_what_changes(db: reading.Directory) -> None:
    printing.note("")
    for change in reading.diff(db, RUN).files:
        printing.note(f"    {change.status} {change.path}  +{change.added} -{change.removed}")


def _by_itself(gate: GateView) -> str:
    return (
        f"✓ {gate.step}: “{gate.title}” approved as {ACTOR}, because of --yes. The config of this "
        "project alone\n  lets anyone decide there; in yours a person does."
    )


def _in_the_middle(watch: _Watch, view: RunView) -> bool:
    """Whether the attempt that is to be torn has begun its work."""
    step = _step(view, _CRASH_STEP)
    if step is None or not step.attempts or step.attempts[-1].status is not AttemptStatus.RUNNING:
        return False
    return reading.log_length(watch.db, RUN, step.key, step.attempts[-1].n) >= _CRASH_LINES


def _step(view: RunView, key: str) -> StepView | None:
    return next((step for step in view.steps if step.key == key), None)


def _crash(watch: _Watch, view: RunView) -> None:
    """Kill the engine the hard way, show how that looks, and resume."""
    engine = view.engine
    if engine is None or not engine.alive:
        return
    os.kill(engine.pid, signal.SIGKILL)
    printing.note(f"\n  kill -9 {engine.pid}   (the engine, in the middle of {_CRASH_STEP})")
    deadline = time.monotonic() + _DEATH_SECONDS
    while view.row.status is not RunStatus.INTERRUPTED and time.monotonic() < deadline:
        time.sleep(0.02)
        view = reading.run(watch.db, RUN)
    done = [step.key for step in view.steps if step.status in _KEPT]
    sign = printing.RUN_SIGNS[view.row.status]
    printing.note(f"  {sign} {RUN} is {view.row.status}. Finished and kept: {', '.join(done)}")
    printing.note(f"  smithers resume {RUN}\n")
    control.resume(watch.root, RUN, agents={}, actor=where.actor())


def _close(root: Path, view: RunView, *, as_json: bool) -> int:
    """What happened, where the change is, and what to try next."""
    happened = story.summarise(reading.open_directory(root), view)
    code = follow.exit_code(view.row.status)
    commands = _commands(view)
    if as_json:
        forms.emit(
            {
                **forms.run(view),
                "dir": str(root),
                "happened": happened.form(),
                "next": [command for command, _ in commands],
            }
        )
        return code
    printing.note("")
    for line in happened.lines():
        printing.out(line)
    if view.branch:
        printing.out(f"The change is on branch {view.branch}, in {view.workspace}.")
    printing.out("\nTry next:")
    for command, meaning in commands:
        printing.out(f"  {command:<44}  {meaning}".rstrip())
    return code


def _commands(view: RunView) -> list[tuple[str, str]]:
    """Where to go, and five commands to try there."""
    commands = [
        ("smithers", "the terminal app"),
        (f"smithers diff {RUN}", "the whole change"),
        (f"smithers logs {RUN} 'build[2]/review'", "why the reviewer said no"),
        (f"smithers events {RUN}", "what happened, frame by frame"),
        (f"smithers land {RUN}", "merge it into main"),
    ]
    if view.row.status is RunStatus.WAITING:
        steps = [gate.step for gate in view.gates if gate.decision is None]
        commands[3] = (f"smithers deny {RUN} --reason WHY", "send it away")
        commands[4] = (f"smithers approve {RUN} {' '.join(steps[:1])}", "let it through")
    return [*_way_there(Path(view.workspace)), *commands]


def _way_there(workspace: Path) -> list[tuple[str, str]]:
    root = locate.find_root(workspace)
    way = [(f"cd {shlex.quote(where.shown(root))}", "")]
    program = Path(sys.argv[0])
    if "UV" in os.environ and program.name == "smithers":
        # Under `uv run` the command is on PATH only until it ends.
        way.append((f"alias smithers={shlex.quote(where.shown(program.absolute()))}", ""))
    return way
