"""Gates: `inbox`, `approve`, `deny`, and the question that a person is asked at one; `land`."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from pathlib import Path

from smithers.cli import forms, person, printing, question, where
from smithers.cli.screen import screen_width
from smithers.errors import NeedsPerson, Refused
from smithers.model.gate import Answer, Remember
from smithers.service import reading
from smithers.service.views import DecisionView, GateView, RunView

_SHORT = 12
"""Lines of a question in a list."""
_SCOPES = {"o": Remember.ONCE, "s": Remember.STEP, "r": Remember.RUN, "c": Remember.RECIPE}
_HOW_LONG = "What does it hold for: [o]nce  this [s]tep  this [r]un  this re[c]ipe: "
_CHOICES = "[a] approve  [d] show what it is about  [x] deny  [o] open the app  [l] leave it: "


def inbox(args: Namespace) -> int:
    """Open gates of all runs, the oldest first."""
    db = reading.open_directory(where.root())
    gates = question.with_questions(db, reading.inbox(db))
    if args.json:
        forms.emit({"gates": [{**forms.gate(each), "next": _command(each)} for each in gates]})
        return 0
    if not gates:
        printing.note("nothing waits for a decision")
        return 0
    rows = [
        (f"! {gate.run}", gate.step, gate.by, printing.age(gate.opened_at), gate.title)
        for gate in gates
    ]
    least = (max(len(gate.run) + 2 for gate in gates), 8, 6, 3, 10)
    lines = printing.table(rows, least=least, width=screen_width())
    for gate, line in zip(gates, lines, strict=True):
        printing.out(line)
        for row in question.lines(gate, most=_SHORT):
            printing.out(row)
    printing.note(f"next: {_command(gates[0])}")
    return 0


def _command(gate: GateView, verb: str = "approve") -> str:
    return f"smithers {verb} {gate.run} {shlex.quote(gate.step)}"


def approve(args: Namespace) -> int:
    """Open a gate; the run goes on by itself."""
    return _decide(args, Answer.APPROVE, args.note)


def deny(args: Namespace) -> int:
    """Keep a gate shut; the reason goes to the record and to the agent."""
    return _decide(args, Answer.DENY, args.reason)


def _decide(args: Namespace, answer: Answer, note: str) -> int:
    remember = Remember(args.remember)
    root, db, run = where.open_run(args.run)
    gate = where.pick_gate(reading.run(db, run), args.gate)
    if gate.by == "person":
        gate = reading.gate(db, run, gate.id)
        _ask_a_person(gate, answer)
    actor, established = where.claim()
    decision = take(
        root, gate, answer, note, actor=actor, established=established, remember=remember
    )
    if args.json:
        forms.emit({"run": run, "gate": gate.id, "step": gate.step, **forms.decision(decision)})
    else:
        printing.note(f"{_said(gate, decision)}. next: smithers wait {run}")
    return 0


def take(
    root: Path,
    gate: GateView,
    answer: Answer,
    note: str,
    *,
    actor: str,
    established: str,
    remember: Remember = Remember.ONCE,
) -> DecisionView:
    """Decide about exactly what was shown. Refused where it has changed or is decided."""
    from smithers.service import control  # noqa: PLC0415

    return control.decide(
        root,
        gate.run,
        gate.id,
        answer,
        actor=actor,
        established=established,
        note=note,
        digest=gate.digest,
        remember=remember,
    )


def _said(gate: GateView, decision: DecisionView) -> str:
    return f"{gate.step} {question.said(decision)} by {decision.actor}"


def _ask_a_person(gate: GateView, answer: Answer) -> None:
    """Show what a gate is about and have its step's id typed. Raises where no person is proven."""
    verb = answer.value
    doubt = person.doubt()
    if doubt:
        raise NeedsPerson(
            f"{gate.step} is for a person at a terminal of their own to decide: {doubt}",
            kept="the gate is open",
            next=_command(gate, verb),
        )
    show(gate)
    if answer is Answer.APPROVE and not _typed(gate):
        raise Refused(
            f"{gate.step} was not approved: its name was not typed",
            kept="the gate is open",
            next=_command(gate),
        )


def _typed(gate: GateView) -> bool:
    name = gate.step.rpartition("/")[2]
    return printing.ask(f"Type {name} to approve: ") == name


def show(gate: GateView) -> None:
    """What is asked and the exact text or diff, on stderr: results are for stdout."""
    _head(gate)
    printing.note("")
    for line in question.body(gate, sys.stderr):
        printing.note(line)
    if gate.hidden:
        sign = printing.tint(f"! {printing.plural(gate.hidden, 'hidden sign')}", "!", sys.stderr)
        printing.note(f"{sign} in this text cannot be shown and stand as ⟨U+…⟩ or ␛")


def _head(gate: GateView) -> None:
    mark = printing.tint(f"! {gate.title or gate.step}", "!", sys.stderr)
    printing.note(f"{mark}   ({gate.recipe} {gate.run}, {gate.step}, decided by {gate.by})")
    if gate.why:
        printing.note(f"  {gate.why}")
    if gate.digest:
        printing.note(f"  sha256 {gate.digest}")


def at_terminal(root: Path, db: reading.Directory, view: RunView) -> bool:
    """Put the first open gate of a run to the person here. False where they leave it open."""
    waiting = [gate for gate in view.gates if gate.decision is None]
    if not waiting:
        return False
    gate = reading.gate(db, view.row.id, waiting[0].id)
    _head(gate)
    shown = False
    while True:
        choice = printing.ask(_CHOICES).lower()[:1]
        if reading.gate(db, view.row.id, gate.id).decision is not None:
            printing.note(f"{gate.step} was decided elsewhere")
            return True
        if choice == "d":
            show(gate)
            shown = True
        elif choice == "o":
            _open_app(root, view)
        elif choice in {"a", "x"}:
            if _take_from_person(root, gate, choice, shown=shown):
                return True
        else:
            return False


def _open_app(root: Path, view: RunView) -> None:
    from smithers.cli import home  # noqa: PLC0415

    home.open_app(root, view.row.id)


def _take_from_person(root: Path, gate: GateView, choice: str, *, shown: bool) -> bool:
    """Decide as the person at the terminal says. False where it did not come to a decision."""
    note = ""
    if choice == "x":
        note = printing.ask("Why not? ")
        if not note:
            return False
    elif gate.by == "person" or gate.hidden:
        if not shown:
            show(gate)
        if not _typed(gate):
            printing.note("not approved: its name was not typed")
            return False
    answer = Answer.APPROVE if choice == "a" else Answer.DENY
    remember = Remember.ONCE
    if question.asks(gate):
        remember = _SCOPES.get(printing.ask(_HOW_LONG).lower()[:1], Remember.ONCE)
    actor, established = where.claim()
    try:
        decision = take(
            root, gate, answer, note, actor=actor, established=established, remember=remember
        )
    except Refused as refused:
        printing.note(f"not decided: {where.clean(str(refused))}")
        return True
    printing.note(_said(gate, decision))
    return True


def land(args: Namespace) -> int:
    """Merge a run's branch, or say exactly why not."""
    from smithers.service import control  # noqa: PLC0415

    root, _, run = where.open_run(args.run)
    commit = control.land(root, run, actor=where.actor())
    if args.json:
        forms.emit({"run": run, "commit": commit})
    else:
        printing.note(f"landed {run} as {commit[:12]}")
    return 0
