"""What is, now: `ps`, `inspect`, `why`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence

from smithers.cli import forms, printing, question, where
from smithers.cli.screen import screen_width
from smithers.model.gate import GateKind
from smithers.model.run import Intent, RunStatus
from smithers.model.step import JSON
from smithers.service import reading
from smithers.service.views import AttemptView, GateView, RunRow, RunView, StepView

_PAGE = 50
_STATE_WIDTH = 13  # "~ interrupted"
_INTENTS = {
    Intent.GO: "resume:",
    Intent.PAUSE: "pause:",
    Intent.PAUSE_NOW: "pause --now:",
    Intent.CANCEL: "cancel:",
}
_WAIT_SIGNS = {"running": "●", "timer": "↻", "queued": "○", "failed": "×"}


def ps(args: Namespace) -> int:
    """The list of runs; a page of 50 unless all are asked for."""
    db = reading.open_directory(where.root())
    before: int | None = args.before
    rows: list[RunRow] = []
    more = True
    while more:
        page = reading.runs(db, status=args.status, before=before, limit=_PAGE)
        rows += page
        more = len(page) == _PAGE
        before = page[-1].seq if page else None
        if not args.all:
            break
    if args.json:
        cursor = before if more else None
        forms.emit({"runs": [forms.run(reading.run(db, each.id)) for each in rows], "next": cursor})
        return 0
    print_rows(rows)
    if more:
        printing.note(f"newest {_PAGE} only. next: smithers ps --all")
    return 0


def print_rows(rows: Sequence[RunRow]) -> None:
    """One line a run, in as many columns as the screen has."""
    if not rows:
        printing.note("no runs. next: smithers recipes")
        return
    width = screen_width() - _STATE_WIDTH - 2
    cells = [_cells(row) for row in rows]
    least = (max(len(row.id) for row in rows), 6, 3, 8, 3, 0)
    lines = printing.table(cells, least=least, width=width)
    for row, line in zip(rows, lines, strict=True):
        printing.out(f"{printing.run_state(row.status, _STATE_WIDTH)}  {line}".rstrip())


def _cells(row: RunRow) -> tuple[str, ...]:
    done = f"{row.counts.done}/{row.counts.total}"
    return (row.id, row.recipe, done, row.now, printing.age(row.created_at), row.title)


def inspect(args: Namespace) -> int:
    """Everything of one run but its logs and diffs."""
    _, db, run_id = where.open_run(args.run)
    view = _with_questions(db, reading.run(db, run_id))
    if args.json:
        outputs: dict[str, JSON] = {
            step.key: reading.output(db, run_id, step.key)
            for step in view.steps
            if step.status.ended and step.attempts
        }
        forms.emit(forms.detailed(view, outputs))
        return 0
    _head(view)
    printing.out("")
    for line in _tree(view.steps):
        printing.out(line)
    for gate in view.gates:
        printing.out(_gate_line(gate))
    for line in _asked(view):
        printing.out(line)
    print_waiting(view)
    return 0


def _head(view: RunView) -> None:
    row = view.row
    reason = f"  {row.status_reason}" if row.status_reason else ""
    printing.out(f"{printing.run_state(row.status)}  {row.id}  {row.recipe}{reason}")
    facts = [
        ("title", row.title),
        ("started", _started(row)),
        ("frame", str(row.frame)),
        ("engine", _engine(view)),
        ("workspace", view.workspace),
        ("branch", view.branch),
        ("usage", _usage(row)),
        ("error", view.error),
    ]
    for name, value in [*facts, *(("note", note) for note in view.notes)]:
        if value:
            printing.out(f"  {name:<10} {value}")


def _started(row: RunRow) -> str:
    if row.started_at is None:
        return ""
    return f"{printing.day_and_time(row.started_at)}, {_length(row)}"


def _length(row: RunRow) -> str:
    word = "took" if row.finished_at else "for"
    return f"{word} {printing.took(row.started_at, row.finished_at)}"


def _engine(view: RunView) -> str:
    engine = view.engine
    if engine is None:
        return "none: nothing runs"
    return f"process {engine.pid} on {engine.host}{'' if engine.alive else ', dead'}"


def _usage(row: RunRow) -> str:
    usage = row.usage
    parts = []
    if usage.input_tokens is not None or usage.output_tokens is not None:
        parts.append(f"{usage.input_tokens or 0:,} in, {usage.output_tokens or 0:,} out")
    if usage.cost_usd is not None:
        parts.append(f"${usage.cost_usd:.2f}")
    return ", ".join(parts)


def _tree(steps: Sequence[StepView]) -> list[str]:
    """A line a step, in plan order."""
    width = screen_width() - 14
    rows = [
        (
            step.key,
            _last_attempt(step.attempts),
            _remark(step),
        )
        for step in steps
    ]
    lines = printing.table(rows, least=(12, 10, 24), width=width)
    states = (printing.step_state(step.status, 12) for step in steps)
    return [f"{state}  {line}".rstrip() for state, line in zip(states, lines, strict=True)]


def _last_attempt(attempts: Sequence[AttemptView]) -> str:
    if not attempts:
        return ""
    last = attempts[-1]
    tries = f" x{len(attempts)}" if len(attempts) > 1 else ""
    return f"{printing.took(last.started_at, last.finished_at)}{tries} {last.agent}".rstrip()


def _remark(step: StepView) -> str:
    if step.gone:
        return "no longer in the plan"
    if step.reason:
        return step.reason
    return step.attempts[-1].error if step.attempts else ""


def _gate_line(gate: GateView) -> str:
    decision = gate.decision
    if decision is None:
        return f"gate {gate.id}: open for {printing.age(gate.opened_at)}, decided by {gate.by}"
    note = f": {decision.note}" if decision.note else ""
    who = f"{decision.actor} ({decision.established})"
    return f"gate {gate.id}: {question.said(decision)} by {who}{note}"


def _asked(view: RunView) -> Iterator[str]:
    """What was asked of the run and of its steps, a line each."""
    if view.intent is not Intent.GO or view.intent_by:
        yield f"{_INTENTS[view.intent]} asked by {view.intent_by or 'nobody'}"
    if view.stop_by:
        yield f"stop: asked by {view.stop_by}"
    for step in view.steps:
        for attempt in step.attempts:
            if attempt.reopened:
                yield f"retry of {step.key} after attempt {attempt.n}: asked by {attempt.reopened}"
        for message in step.messages:
            told = "waits" if message.attempt is None else f"told in attempt {message.attempt}"
            words = where.clean(" ".join(message.text.split()))
            yield f"message {message.n} to {step.key}, {told}, {message.actor}: {words[:200]}"


def why(args: Namespace) -> int:
    """The open gates and blockers of a run, each with what clears it."""
    _, db, run_id = where.open_run(args.run)
    view = _with_questions(db, reading.run(db, run_id))
    row = view.row
    if args.json:
        forms.emit(
            {
                "id": row.id,
                "status": row.status.value,
                "status_reason": row.status_reason,
                "waiting_on": [forms.waiting(each) for each in view.waiting_on],
                "gates": [forms.gate(each) for each in view.gates if each.decision is None],
            }
        )
        return 0
    reason = f": {row.status_reason}" if row.status_reason else ""
    printing.out(f"{printing.run_state(row.status)}  {row.id}{reason}")
    if not print_waiting(view):
        printing.out(f"  {_nothing_waits(row)}")
    return 0


def _with_questions(db: reading.Directory, view: RunView) -> RunView:
    return view._replace(gates=tuple(question.with_questions(db, view.gates)))


def print_waiting(view: RunView, *, to_stderr: bool = False) -> bool:
    """What a run waits for and how to clear it. Returns whether it waits for anything."""
    say = printing.note if to_stderr else printing.out
    stream = sys.stderr if to_stderr else sys.stdout
    for each in view.waiting_on:
        since = f" (for {printing.age(each.since)})" if each.since else ""
        subject = each.step or view.row.id
        text = f" — {each.text}" if each.text else ""
        sign = _WAIT_SIGNS.get(each.kind, "!")
        what = printing.tint(f"{sign} {each.kind} {subject}", sign, stream)
        say(f"  {what}{text}{since}")
        for gate in view.gates:
            if gate.id == each.gate:
                for line in question.lines(gate, stream=stream):
                    say(line)
        if each.next:
            say(f"    next: {each.next}")
        if each.kind == GateKind.PERMISSION.value:
            say("          with --remember step, run or recipe it holds for the same again")
    return bool(view.waiting_on)


def _nothing_waits(row: RunRow) -> str:
    if row.status.ended:
        return f"ended, {_length(row)}" if row.started_at else "ended before it began"
    if row.status is RunStatus.RUNNING and row.now:
        return f"waits for nothing: {row.now} is running"
    return "waits for nothing"
