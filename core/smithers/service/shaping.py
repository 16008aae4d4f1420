"""From stored values to safe views: the only place where foreign text of a run crosses over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from smithers.model.gate import Decision, Gate
from smithers.model.run import RunStatus
from smithers.model.step import Attempt, AttemptStatus, StepKind, StepStatus, Usage, iteration_of
from smithers.service.directory import iterations
from smithers.service.safe import clean, hidden, line
from smithers.service.standing import Stood
from smithers.service.views import (
    AttemptView,
    Change,
    Counts,
    DecisionView,
    EngineView,
    FrameView,
    GateView,
    MessageView,
    RunRow,
    Safe,
    StepView,
)
from smithers.store.messages import Message
from smithers.store.queries import FrameRow, StepRow

NOTHING = Safe("")
_TITLE = 1000

_RANKS = {
    StepStatus.WAITING: 0,
    StepStatus.RUNNING: 1,
    StepStatus.RETRYING: 2,
    StepStatus.READY: 3,
}


def run_row(stood: Stood, steps: Iterable[StepRow], open_gates: int, usage: Usage) -> RunRow:
    head = stood.head
    return RunRow(
        seq=head.seq,
        id=line(head.id),
        recipe=line(head.recipe),
        title=line(head.title),
        status=stood.status,
        status_reason=line(stood.reason),
        created_at=head.created_at,
        started_at=head.started_at,
        finished_at=head.finished_at,
        frame=head.frame,
        counts=Counts(
            total=head.total,
            done=head.done,
            failed=head.failed,
            running=0 if stood.stale else head.running,
            waiting=head.waiting,
        ),
        # Nobody looks for a step of a run that succeeded: what is red in it was overcome.
        now=line("" if stood.status is RunStatus.SUCCEEDED else _foremost(steps)),
        open_gates=open_gates,
        usage=usage,
    )


def _foremost(steps: Iterable[StepRow]) -> str:
    """Key of what a person looks for: a leaf that waits, runs, will run or failed; else a loop."""
    return min(steps, key=_rank, default=_NO_STEP).key


_NO_STEP = StepRow("", "", 0, StepKind.CALL, "", StepStatus.PENDING, "", None, gone=False)


def _rank(step: StepRow) -> tuple[int, tuple[int, ...], int]:
    if step.kind is StepKind.LOOP:
        rank = 4 if step.status is StepStatus.WAITING else 6
    else:
        rank = _RANKS.get(step.status, 5)
    # Of several failures the last counts: earlier iterations may well be red.
    order = tuple(-number for number in iterations(step.key)) if rank == 5 else ()
    return (rank, order, -step.position if rank == 5 else step.position)


def engine(stood: Stood) -> EngineView | None:
    lease = stood.head.lease
    if lease is None:
        return None
    return EngineView(pid=lease.owner.pid, host=line(lease.owner.host), alive=stood.alive)


def step_view(
    step: StepRow,
    attempts: Sequence[Attempt],
    messages: Iterable[Message],
    *,
    logs: Path,
    stale: bool,
) -> StepView:
    lost = stale and step.status is StepStatus.RUNNING
    return StepView(
        key=line(step.key),
        scope=line(step.scope),
        kind=step.kind,
        title=line(step.title),
        status=StepStatus.READY if lost else step.status,
        reason=line("its engine is gone" if lost else step.reason),
        iteration=iteration_of(step.key),
        attempts=tuple(_attempt(each, logs, stale=stale) for each in attempts),
        gone=step.gone,
        wake_at=step.wake_at,
        messages=tuple(message_view(each) for each in messages if each.key == step.key),
    )


def message_view(message: Message) -> MessageView:
    return MessageView(
        n=message.n,
        step=line(message.key),
        text=clean(message.body),
        actor=line(message.actor),
        sent_at=message.sent_at,
        attempt=message.attempt,
        delivered_at=message.delivered_at,
    )


def _attempt(attempt: Attempt, logs: Path, *, stale: bool) -> AttemptView:
    lost = stale and attempt.status is AttemptStatus.RUNNING
    return AttemptView(
        n=attempt.n,
        status=AttemptStatus.INTERRUPTED if lost else attempt.status,
        agent=line(attempt.agent),
        model=line(attempt.model),
        session=line(attempt.session),
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        exit_code=attempt.exit_code,
        error=line(attempt.error),
        usage=attempt.usage,
        log=line(str(logs / f"{attempt.id}.jsonl"), limit=4096),
        reopened=line(attempt.reopened),
    )


def in_plan_order(steps: Sequence[StepRow]) -> list[StepRow]:
    """A scope's steps after the loop that opened it; what hangs nowhere at the end."""
    scopes: dict[str, list[StepRow]] = {}
    for step in sorted(steps, key=lambda step: (step.gone, step.position)):
        scopes.setdefault(step.scope, []).append(step)
    opened: dict[str, list[str]] = {}
    for scope in sorted(scopes, key=iterations):
        opened.setdefault(scope.rpartition("[")[0], []).append(scope)
    placed: list[StepRow] = []
    ahead = list(reversed(scopes.pop("", [])))
    while ahead:
        step = ahead.pop()
        placed.append(step)
        if step.kind is StepKind.LOOP:
            for scope in reversed(opened.get(step.key, ())):
                ahead.extend(reversed(scopes.pop(scope, [])))
    return placed + [step for orphans in scopes.values() for step in orphans]


def gate_view(run: str, title: str, recipe: str, gate: Gate) -> GateView:
    """Without its body."""
    return GateView(
        run=line(run),
        run_title=line(title),
        recipe=line(recipe),
        id=line(gate.id),
        step=line(gate.key),
        kind=gate.kind,
        title=line(gate.title, strict=True, limit=_TITLE),
        by=line(gate.by),
        why=line(gate.why, strict=True, limit=_TITLE),
        show=line(gate.show),
        digest=line(gate.digest),
        opened_at=gate.opened_at,
        hidden=hidden(gate.title, limit=_TITLE) + hidden(gate.why, limit=_TITLE),
        body=NOTHING,
        decision=None if gate.decision is None else decision_view(gate.decision),
        tool=line(gate.about.tool) if gate.about else NOTHING,
        subject=line(gate.about.subject, strict=True) if gate.about else NOTHING,
    )


def decision_view(decision: Decision) -> DecisionView:
    return DecisionView(
        answer=line(decision.answer.value),
        actor=line(decision.actor),
        established=line(decision.established),
        note=line(decision.note),
        decided_at=decision.decided_at,
        remember=decision.remember.value,
    )


def frame_view(frame: FrameRow) -> FrameView:
    return FrameView(
        n=frame.n,
        at=frame.at,
        why=line(frame.why),
        changes=tuple(Change(line(key), status) for key, status in frame.changes),
    )


def by_key(attempts: Iterable[Attempt]) -> Mapping[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.key, []).append(attempt)
    return found
