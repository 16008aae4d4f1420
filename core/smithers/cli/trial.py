"""`agents test`: one small task for one agent, done for real in a scratch repository."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from argparse import Namespace
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smithers.cli import follow, forms, printing, project, record, story, where
from smithers.errors import Refused, UsageError
from smithers.model.run import RunStatus
from smithers.model.step import StepStatus, Usage
from smithers.service import control, locate, reading
from smithers.service.views import RunView, Safe

RUN = "trial"
_WORKFLOW = Path(__file__).with_name("trial_workflow.py")
_RULES = "let it do that in [permissions] of .smithers/config.toml"
_LATER = "wait, or choose another agent"


@dataclass(frozen=True, slots=True)
class _Outcome:
    view: RunView
    error: str
    """Why the agent does not work; empty: it does."""
    cure: str

    @property
    def usage(self) -> Usage:
        return self.view.row.usage


def trial(args: Namespace) -> int:
    """Make the folder, have the agent do its task there, and say how that went."""
    if args.name is None:
        raise UsageError("which agent?", next="smithers agents")
    if "SMITHERS_RUN" in os.environ:
        raise Refused("from inside a run no agent is tried", next="try it from outside")
    scratch = Path(tempfile.mkdtemp(prefix="smithers-trial-"))
    keep = args.keep
    try:
        _make(where.root(), scratch, args.name)
        outcome = _play(scratch, args.name)
        keep = keep or bool(outcome.error)
    finally:
        if not keep:
            shutil.rmtree(scratch, ignore_errors=True)
    _tell(args, outcome, scratch if keep else None)
    return int(bool(outcome.error))


def _make(root: Path, scratch: Path, agent: str) -> None:
    """A project in which the agent is what it is in this one."""
    from smithers.service import trial as service  # noqa: PLC0415

    (scratch / "README.md").write_text("Here an agent is tried.\n", encoding="utf-8")
    service.bring(root, scratch, agent)
    locate.ensure(scratch)
    project.begin(scratch, "A scratch project")


def _play(scratch: Path, agent: str) -> _Outcome:
    """Run the task to its end, or to where it would wait for anybody or anything."""
    from smithers.service import trial as service  # noqa: PLC0415

    printing.note(f"{where.clean(agent)} writes a file in {where.shown(scratch)}\n")
    control.up(
        scratch,
        str(_WORKFLOW),
        prompt=None,
        input={},
        run_id=RUN,
        agents={"tester": agent},
        workspace="in-place",  # what config wants done to worktrees is for that project
        budget={},
        actor=where.actor(),
    )
    try:
        return _judged(_follow(scratch))
    finally:
        with suppress(Refused):  # it has ended
            control.cancel(scratch, RUN, actor=where.actor())
        follow.settled(scratch, RUN, set())
        service.leave(scratch, RUN)


def _follow(scratch: Path) -> RunView:
    db = reading.open_directory(scratch)
    teller = story.Teller(db, RUN, printing.note, all_of_it=True)
    while True:
        view = reading.run(db, RUN)
        teller.tell(view)
        if view.row.status.ended or _waits(view):
            return view
        record.next_change(db, 0.1)


def _waits(view: RunView) -> bool:
    """Nothing of it is at work, or its agent is to be asked again later."""
    resting = {RunStatus.WAITING, RunStatus.PAUSED, RunStatus.INTERRUPTED}
    later = any(step.status is StepStatus.RETRYING for step in view.steps)
    return later or view.row.status in resting


def _judged(view: RunView) -> _Outcome:
    row = view.row
    if row.status is RunStatus.SUCCEEDED:
        return _Outcome(view, "", "")
    for gate in view.gates:
        if gate.decision is None:
            return _Outcome(view, f"{gate.title}, and a person would have to allow it", _RULES)
    errors = [each.error for step in view.steps for each in step.attempts if each.error]
    error = errors[-1] if errors else view.error or row.status_reason
    for step in view.steps:
        if step.wake_at is not None:
            until = printing.clock_time(step.wake_at)
            return _Outcome(view, f"it has met a limit, until {until}: {error}", _LATER)
    return _Outcome(view, error, "")


def _tell(args: Namespace, outcome: _Outcome, kept: Path | None) -> None:
    name, row = where.clean(args.name), outcome.view.row
    if args.json:
        forms.emit(
            {
                "agent": args.name,
                "ok": not outcome.error,
                "error": outcome.error or None,
                "next": outcome.cure or None,
                "started_at": forms.time_or_null(row.started_at),
                "finished_at": forms.time_or_null(row.finished_at),
                "usage": forms.usage(outcome.usage),
                "steps": [forms.step(each, ()) for each in outcome.view.steps],
                "dir": None if kept is None else str(kept),
            }
        )
        return
    time = printing.took(row.started_at or row.created_at, row.finished_at)
    sign, word = ("×", "does not work") if outcome.error else ("✓", "works")
    printing.note("")
    printing.out(printing.tint(f"{sign} {name} {word}: {time}, {_used(outcome.usage)}", sign))
    for line in printing.wrapped(where.clean(outcome.error), indent=2) if outcome.error else ():
        printing.out(line)
    if outcome.cure:
        printing.out(f"  next: {outcome.cure}")
    if kept is not None:
        printing.note(f"  kept: cd {shlex.quote(where.shown(kept))}, then smithers logs {RUN}")


def _used(usage: Usage) -> Safe:
    """Tokens and money, as far as the agent tells them."""
    counts = ((usage.input_tokens, "in"), (usage.output_tokens, "out"))
    known = [f"{count:,} {word}" for count, word in counts if count is not None]
    cost = "cost unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    return where.clean(", ".join([*(known or ["tokens unknown"]), cost]))
