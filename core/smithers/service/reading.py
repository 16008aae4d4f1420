"""Questions: every answer is one moment, with `interrupted` laid over it, and safe to print."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from smithers.model.run import RunStatus
from smithers.model.step import JSON, Usage
from smithers.service import shaping
from smithers.service.directory import (
    Directory,
    changed,
    find_key,
    head,
    open_directory,
    resolve,
    step_key,
)
from smithers.service.gates import gate, inbox
from smithers.service.logs import log, log_length
from smithers.service.safe import clean, line
from smithers.service.standing import OPEN, Judge, Stood, stored
from smithers.service.views import DiffView, FrameView, RunRow, RunView, Summary, Waiting
from smithers.service.waiting import waiting_on
from smithers.store import edits, messages, queries

__all__ = [
    "Directory",
    "changed",
    "diff",
    "frames",
    "gate",
    "inbox",
    "log",
    "log_length",
    "open_directory",
    "output",
    "resolve",
    "run",
    "runs",
    "step_key",
    "summary",
    "why",
]

_BATCH = 200


def summary(db: Directory) -> Summary:
    """Counts over all runs. A run needs you if a gate of it is open or its engine is gone."""
    with db.reader.transaction():
        tallies = queries.tallies(db.reader)
        stood = Judge(db).all(queries.heads(db.reader, status=OPEN))
        asking = queries.open_gates(db.reader, (each.head.seq for each in stood))
    now = [each.status for each in stood]
    return Summary(
        running=now.count(RunStatus.RUNNING) + now.count(RunStatus.QUEUED),
        need_you=sum(
            each.status is RunStatus.INTERRUPTED
            or (each.head.seq in asking and not each.status.ended)
            for each in stood
        ),
        failed=tallies.get(RunStatus.FAILED, 0),
        done=tallies.get(RunStatus.SUCCEEDED, 0),
        total=sum(tallies.values()),
    )


def runs(
    db: Directory,
    *,
    status: Collection[RunStatus] = (),
    before: int | None = None,
    limit: int = 50,
) -> list[RunRow]:
    """Newest first: those with a `seq` below `before` that read now as one of these statuses."""
    with db.reader.transaction():
        found: list[Stood] = []
        for each in _stood(db, status, before, _BATCH if status else limit):
            if len(found) == limit:
                break
            found.append(each)
        return _rows(db, found)


def _stood(
    db: Directory, status: Collection[RunStatus], before: int | None, batch: int
) -> Iterator[Stood]:
    judge = Judge(db)
    while True:
        heads = queries.heads(db.reader, status=stored(status), before=before, limit=batch)
        yield from (each for each in judge.all(heads) if not status or each.status in status)
        if len(heads) < batch:
            return
        before = heads[-1].seq
        batch *= 4  # rows that a filter passes by are cheap, queries for them are not


def _rows(db: Directory, stood: Sequence[Stood]) -> list[RunRow]:
    seqs = [each.head.seq for each in stood]
    gates = queries.open_gates(db.reader, seqs)
    usages = queries.usages(db.reader, seqs)
    steps = queries.notable(db.reader, seqs)
    return [
        shaping.run_row(
            each,
            steps.get(each.head.seq, ()),
            0 if each.status.ended else gates.get(each.head.seq, 0),
            usages.get(each.head.seq, Usage()),
        )
        for each in stood
    ]


def run(db: Directory, run_id: str) -> RunView:
    """Everything of one run but its logs and diffs. Raises UnknownRun."""
    with _of(db, run_id) as stood:
        seq = stood.head.seq
        stored_run = queries.run(db.reader, seq)
        steps = shaping.in_plan_order(queries.steps(db.reader, seq))
        attempts = shaping.by_key(queries.attempts(db.reader, seq))
        gates = queries.gates(db.reader, seq)
        told = messages.of(db.reader, seq)
        edited = edits.of(db.reader, seq)
        (row,) = _rows(db, [stood])
    logs = db.state / "logs" / stored_run.id
    return RunView(
        row=row,
        engine=shaping.engine(stood),
        workspace=line(stored_run.workspace, limit=4096),
        branch=line(stored_run.branch),
        base=line(stored_run.base),
        notes=tuple(line(note) for note in stored_run.notes),
        input=stored_run.input,
        error=clean(stored_run.error),
        parent=line(stored_run.parent),
        intent=stored_run.intent,
        intent_by=line(stored_run.intent_by),
        stop_by=line(stored_run.stop_by),
        agents=stored_run.agents,
        waiting_on=waiting_on(stood, stored_run.error, steps, attempts, gates, edited),
        steps=tuple(
            shaping.step_view(each, attempts.get(each.key, ()), told, logs=logs, stale=stood.stale)
            for each in steps
        ),
        gates=tuple(
            shaping.gate_view(stored_run.id, stored_run.title, stored_run.recipe, each)
            for each in gates
        ),
    )


def why(db: Directory, run_id: str) -> list[Waiting]:
    """What the run waits for, runs, or failed by; empty if it ended well. Raises UnknownRun."""
    with _of(db, run_id) as stood:
        seq = stood.head.seq
        steps = shaping.in_plan_order(queries.steps(db.reader, seq))
        attempts = shaping.by_key(queries.attempts(db.reader, seq))
        gates = queries.gates(db.reader, seq)
        error = queries.run(db.reader, seq).error
        edited = edits.of(db.reader, seq)
    return list(waiting_on(stood, error, steps, attempts, gates, edited))


@contextmanager
def _of(db: Directory, run_id: str) -> Iterator[Stood]:
    with db.reader.transaction():
        yield Judge(db).one(head(db, run_id))


def frames(db: Directory, run_id: str, *, after: int = 0, limit: int = 200) -> list[FrameView]:
    """Frames with a number above `after`, in order. Raises UnknownRun."""
    with db.reader.transaction():
        found = queries.frames(db.reader, head(db, run_id).seq, after=after, limit=limit)
    return [shaping.frame_view(each) for each in found]


def diff(
    db: Directory, run_id: str, step: str | None = None, attempt: int | None = None
) -> DiffView:
    """As `diffs.diff`: what a run, a step or an attempt changed."""
    from smithers.service import diffs  # noqa: PLC0415  what only lists does not pay for git

    return diffs.diff(db, run_id, step, attempt)


def output(db: Directory, run_id: str, step: str) -> JSON:
    """The value of a step, or what a failed check found; null if there is none yet.

    As it is, not made safe. Raises UnknownRun, UsageError for an unknown step.
    """
    with db.reader.transaction():
        seq = head(db, run_id).seq
        found = queries.output(db.reader, seq, step)  # an iteration has one too, and is no step
        if found is not None:
            return found[0]
        key = find_key(queries.step_keys(db.reader, seq), run_id, step)
        found = queries.output(db.reader, seq, key)
        if found is not None:
            return found[0]
        attempts = queries.attempts(db.reader, seq, key)
    return attempts[-1].value if attempts else None
