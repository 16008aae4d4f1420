"""Where a command acts and on whose behalf: run directory, run, step, actor."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Sequence
from pathlib import Path

from smithers.cli import person
from smithers.errors import Refused, UsageError
from smithers.model.step import generic
from smithers.service import directory, locate, reading, safe
from smithers.service.views import GateView, RunView, Safe, StepView

_ACTOR_LIMIT = 64


def root() -> Path:
    """The folder that holds `.smithers`, found from the working directory upwards."""
    return locate.find_root(Path.cwd())


def open_run(name: str) -> tuple[Path, reading.Directory, str]:
    """Root, open directory and id of the run that a name stands for."""
    here = root()
    db = reading.open_directory(here)
    return here, db, reading.resolve(db, name)


def shown(path: Path) -> Safe:
    """A path for the eye: file names can hold anything."""
    return safe.line(str(path))


def clean(text: str) -> Safe:
    """Words that did not come through `reading`: of an error, of an argument."""
    return safe.clean(text)


def login() -> str:
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def actor() -> str:
    """Who asks: a person where one is proven at the terminal, else the agent that drives us."""
    return claim()[0]


def claim() -> tuple[str, str]:
    """Who asks, and how that was established: `terminal`, or only the `caller`'s word."""
    if not person.doubt():
        return f"person:{login()}", "terminal"
    name = safe.line(os.environ.get("SMITHERS_ACTOR", ""))[:_ACTOR_LIMIT]
    return f"agent:{name.removeprefix('agent:') or 'cli'}", "caller"


def pick_steps(view: RunView, name: str) -> list[StepView]:
    """The step of a key; without iteration numbers, those of all iterations, in plan order."""
    keys = [step.key for step in view.steps]
    key = directory.find_key(keys, view.row.id, name)
    if key == name:
        return [step for step in view.steps if step.key == key]
    return [step for step in view.steps if generic(step.key) == generic(key)]


def pick_gate(view: RunView, name: str | None) -> GateView:
    """The one open gate that is meant, by step key or gate id."""
    run = view.row.id
    open_gates = [gate for gate in view.gates if gate.decision is None]
    if name is None:
        return _only(run, open_gates)
    named = [gate for gate in view.gates if name in {gate.id, gate.step}]
    found = [gate for gate in named if gate.decision is None]
    if found:
        return found[-1]
    if not named:
        steps = [gate.step for gate in view.gates]
        raise UsageError(
            f"run {run} has no gate {safe.line(name)}{nearest(name, steps)}",
            next=f"smithers why {run}",
        )
    raise Refused(_decided(named[-1]), next=f"smithers why {run}")


def _only(run: Safe, gates: Sequence[GateView]) -> GateView:
    if not gates:
        raise Refused(f"run {run} has no open gate", next=f"smithers why {run}")
    if len(gates) > 1:
        names = ", ".join(gate.step for gate in gates)
        raise UsageError(
            f"run {run} has several open gates: {names}",
            next=f"smithers approve {run} {shlex.quote(gates[0].step)}",
        )
    return gates[0]


def _decided(gate: GateView) -> str:
    decision = gate.decision
    if decision is None:
        return f"{gate.step} is open"
    word = "approved" if decision.answer == "approve" else "denied"
    return f"{gate.step} was {word} by {decision.actor} already"


def nearest(name: str, names: Sequence[str]) -> str:
    """`; nearest: a, b`, or nothing."""
    import difflib  # noqa: PLC0415

    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"; nearest: {', '.join(dict.fromkeys(close))}" if close else ""
