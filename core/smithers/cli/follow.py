"""Staying with a run: its frames as they come, its gates where there is a person, its end."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

from smithers.cli import decide, forms, look, person, printing, record, where
from smithers.errors import SmithersError
from smithers.model.run import RunStatus
from smithers.service import control, reading
from smithers.service.views import RunView

TIMED_OUT = 124
STOPPED_FOLLOWING = 130
_WAITS = 3
_EXITS = {
    RunStatus.SUCCEEDED: 0,
    RunStatus.FAILED: 1,
    RunStatus.CANCELLED: 4,
    RunStatus.SUPERSEDED: 4,
}
_SETTLE_SECONDS = 15.0


def exit_code(status: RunStatus) -> int:
    return _EXITS.get(status, _WAITS)


def to_the_end(root: Path, run: str, *, as_json: bool, after: int = 0) -> int:
    """Follow until the run ends or only waiting is left, report it, and answer with its exit code.

    Ctrl-C pauses the run; a second one, or a closed pipe, only stops following.
    """
    try:
        view = until_it_rests(root, run, after=after, ask=not person.doubt())
    except KeyboardInterrupt:
        return pause_and_leave(root, run, as_json=as_json)
    except BrokenPipeError:
        printing.stop_writing()
        return STOPPED_FOLLOWING
    return report(view, as_json=as_json)


def until_it_rests(root: Path, run: str, *, after: int, ask: bool) -> RunView:
    """Print each frame until the run has ended, is paused, or waits and nobody answers here."""
    db = reading.open_directory(root)
    keeper = record.Keeper(root, run)
    while True:
        view = reading.run(db, run)
        after = record.print_frames(db, run, after, printing.note)
        status = view.row.status
        if status.ended or status is RunStatus.PAUSED:
            return view
        # A gate that is decided and not yet dealt with still reads `waiting`.
        open_gate = status is RunStatus.WAITING and view.row.open_gates > 0
        if open_gate and not (ask and decide.at_terminal(root, db, view)):
            return view
        if not keeper.see(view.row):
            return view
        record.next_change(db)


def report(view: RunView, *, as_json: bool) -> int:
    """Say how a run stands, for the last time."""
    row = view.row
    if as_json:
        forms.emit(forms.run(view))
        return exit_code(row.status)
    reason = f": {row.status_reason}" if row.status_reason else ""
    printing.note(
        f"{printing.RUN_SIGNS[row.status]} {row.status}  {row.id}  {row.recipe}, "
        f"{printing.took(row.started_at or row.created_at, row.finished_at)}{reason}"
    )
    if view.error:
        printing.note(f"  {view.error}")
    look.print_waiting(view, to_stderr=True)
    if row.status is RunStatus.PAUSED and not view.waiting_on:
        printing.note(f"    next: smithers resume {row.id}")
    if row.status is RunStatus.SUCCEEDED and view.branch:
        printing.note(f"  the change is on branch {view.branch}, in {view.workspace}")
        printing.note(f"    next: smithers diff {row.id}, smithers land {row.id}")
    return exit_code(row.status)


def pause_and_leave(root: Path, run: str, *, as_json: bool) -> int:
    """After Ctrl-C: pause the run as the person's wish, and say how it goes on."""
    printing.note("pausing; Ctrl-C again only stops following")
    try:
        control.pause(root, run, now=True, actor=f"person:{where.login()}")
        view = settled(root, run, {RunStatus.PAUSED})
    except KeyboardInterrupt:
        printing.note(f"no longer followed. next: smithers inspect {run}")
        return STOPPED_FOLLOWING
    except SmithersError as error:
        printing.note(f"not paused: {where.clean(str(error))}")
        return STOPPED_FOLLOWING
    if as_json:
        forms.emit(forms.run(view))
    elif view.row.status.ended:
        report(view, as_json=False)
    else:
        printing.note(f"paused; all that was finished is kept. next: smithers resume {run}")
    return STOPPED_FOLLOWING


def settled(root: Path, run: str, wanted: set[RunStatus]) -> RunView:
    """The run once it has one of these states or has ended; as it is after 15 s otherwise."""
    db = reading.open_directory(root)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        view = reading.run(db, run)
        status = view.row.status
        if status in wanted or status.ended or time.monotonic() > deadline:
            return view
        record.next_change(db)


def wait(args: Namespace) -> int:
    """Return when the first of the runs needs someone or has finished."""
    here = where.root()
    db = reading.open_directory(here)
    runs = [reading.resolve(db, name) for name in args.runs]
    keepers = {run: record.Keeper(here, run) for run in runs}
    deadline = None if args.timeout is None else time.monotonic() + args.timeout
    while True:
        for run in runs:
            view = reading.run(db, run)
            reason = _reason(view, args.until, keepers[run])
            if reason:
                return _answer(view, reason, exit_code(view.row.status), as_json=args.json)
        left = record.LOOK_ANYWAY if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return _answer(
                reading.run(db, runs[0]), "timeout", TIMED_OUT, as_json=args.json, pending=runs
            )
        record.next_change(db, min(left, record.LOOK_ANYWAY))


def _reason(view: RunView, until: frozenset[str], keeper: record.Keeper) -> str:
    """`finished` or `needs-me` if that is so and asked for."""
    status = view.row.status
    if status.ended:
        return "finished"
    kept = keeper.see(view.row)
    if "needs-me" not in until:
        return ""
    needs = view.row.open_gates > 0 or status is RunStatus.PAUSED or not kept
    return "needs-me" if needs else ""


def _answer(
    view: RunView, reason: str, code: int, *, as_json: bool, pending: list[str] | None = None
) -> int:
    code = _WAITS if reason == "needs-me" else code
    if as_json:
        extra: forms.Form = {} if pending is None else {"pending": list(pending)}
        forms.emit({**forms.run(view), "reason": reason, **extra})
        return code
    printing.out(f"{printing.run_state(view.row.status)}  {view.row.id}  {reason}")
    look.print_waiting(view)
    return code
