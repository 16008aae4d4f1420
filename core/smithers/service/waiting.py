"""What a run waits for, each with the command that clears it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from smithers.model.gate import Gate
from smithers.model.run import RunStatus
from smithers.model.step import Attempt, StepKind, StepStatus
from smithers.service.directory import iterations
from smithers.service.safe import line
from smithers.service.standing import Stood
from smithers.service.views import Waiting
from smithers.store.edits import Edit
from smithers.store.queries import StepRow

_LIVE = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING})


def waiting_on(
    stood: Stood,
    error: str,
    steps: Sequence[StepRow],
    attempts: Mapping[str, Sequence[Attempt]],
    gates: Sequence[Gate],
    edits: Iterable[Edit],
) -> tuple[Waiting, ...]:
    """All of it, what matters most first, and last what an edit of its workflow did to it.

    Nothing for a run that ended well or was cancelled.
    """
    edited = tuple(_edited(stood, edit, steps) for edit in edits)
    if stood.status is RunStatus.FAILED:
        return (*_failures(stood, error, steps, attempts), *edited)
    if stood.status.ended:
        return ()
    live = stood.status in _LIVE and not stood.stale
    return (
        *_itself(stood, error),
        *(_gate(stood, gate) for gate in gates if _asks(gate, steps)),
        *(_blocked(stood, step) for step in steps if _nobody_asks(step, gates)),
        *(_retry(stood, step, attempts) for step in steps if step.status is StepStatus.RETRYING),
        *(_runs(stood, step, attempts) for step in steps if live and _at_work(step)),
        *edited,
    )


def _itself(stood: Stood, error: str) -> Iterable[Waiting]:
    run = stood.head.id
    match stood.status:
        case RunStatus.PAUSED:
            # Its own word where the engine itself could not go on; else who asked for it.
            own = error if stood.head.intent_by == "engine" else ""
            reason = own or stood.reason or _asked_by(stood)
            yield _waiting("paused", since=stood.head.moved_at, text=reason, next=f"resume {run}")
        case RunStatus.INTERRUPTED:
            yield _waiting(
                "interrupted", since=stood.head.moved_at, text=stood.reason, next=f"resume {run}"
            )
        case RunStatus.QUEUED:
            yield _waiting(
                "queued",
                since=stood.head.created_at,
                text="its engine is being started",
                next=f"wait {run}",
            )
        case _:
            return


def _asked_by(stood: Stood) -> str:
    return f"by {stood.head.intent_by}" if stood.head.intent_by else ""


def _gate(stood: Stood, gate: Gate) -> Waiting:
    text = f"{gate.title}: {gate.why}" if gate.why else gate.title
    return _waiting(
        gate.kind.value,
        gate.key,
        gate=gate.id,
        since=gate.opened_at,
        text=text,
        next=f"approve {stood.head.id} {_word(gate.key)}",
    )


def _asks(gate: Gate, steps: Iterable[StepRow]) -> bool:
    """It is open, and its step is still in the plan."""
    return gate.decision is None and not any(step.gone and _asks_for(gate, step) for step in steps)


def _asks_for(gate: Gate, step: StepRow) -> bool:
    return gate.key == step.key or is_iteration(gate.key, step.key)


def _nobody_asks(step: StepRow, gates: Iterable[Gate]) -> bool:
    """It waits, and for no gate: the workflow that it is made from must be corrected."""
    if step.status is not StepStatus.WAITING or step.gone or not step.reason:
        return False
    return not any(step.reason == gate.title and _asks_for(gate, step) for gate in gates)


def _blocked(stood: Stood, step: StepRow) -> Waiting:
    return _waiting(
        "blocked", step.key, since=None, text=step.reason, next=f"resume {stood.head.id}"
    )


def _edited(stood: Stood, edit: Edit, steps: Iterable[StepRow]) -> Waiting:
    """The command shows what is kept of a finished step, else when it was that it changed."""
    key, _, what = edit.what.partition(": ")
    found = [step for step in steps if step.key == key]
    if not found:
        return _waiting("edited", since=edit.at, text=edit.what, next=f"events {stood.head.id}")
    done = found[0].status is StepStatus.SUCCEEDED
    shows = f"output {stood.head.id} {_word(key)}" if done else f"events {stood.head.id}"
    return _waiting("edited", key, since=edit.at, text=what, next=shows)


def _retry(stood: Stood, step: StepRow, attempts: Mapping[str, Sequence[Attempt]]) -> Waiting:
    tries = attempts.get(step.key, ())
    return _waiting(
        "timer",
        step.key,
        since=tries[-1].finished_at if tries else None,
        text=step.reason or (tries[-1].error if tries else ""),
        next=f"wait {stood.head.id}",
    )


def _at_work(step: StepRow) -> bool:
    return step.status is StepStatus.RUNNING and step.kind is not StepKind.LOOP


def _runs(stood: Stood, step: StepRow, attempts: Mapping[str, Sequence[Attempt]]) -> Waiting:
    tries = attempts.get(step.key, ())
    return _waiting(
        "running",
        step.key,
        since=tries[-1].started_at if tries else None,
        text=step.title,
        next=f"logs {stood.head.id} {_word(step.key)} -f",
    )


def _failures(
    stood: Stood, error: str, steps: Sequence[StepRow], attempts: Mapping[str, Sequence[Attempt]]
) -> Iterable[Waiting]:
    causes = list(causes_of_failure(steps))
    for step in causes:
        tries = attempts.get(step.key, ())
        yield _waiting(
            "failed",
            step.key,
            since=(tries[-1].finished_at if tries else None) or stood.head.finished_at,
            text=step.reason or (tries[-1].error if tries else ""),
            next=f"retry {stood.head.id} {_word(step.key)}",
        )
    if not causes:
        yield _waiting(
            "failed",
            since=stood.head.finished_at,
            text=error or stood.reason,
            next=f"resume {stood.head.id}",
        )


def causes_of_failure(steps: Iterable[StepRow], scope: str = "") -> Iterable[StepRow]:
    """The failed steps that failed the run: of a failed loop, those of its last iteration."""
    steps = [step for step in steps if not step.gone]
    for step in steps:
        if step.scope != scope or step.status is not StepStatus.FAILED:
            continue
        inside = [] if step.kind is not StepKind.LOOP else _inside(step, steps)
        yield from inside or [step]


def _inside(loop: StepRow, steps: Sequence[StepRow]) -> list[StepRow]:
    scopes = {step.scope for step in steps if is_iteration(step.scope, loop.key)}
    return list(causes_of_failure(steps, max(scopes, key=iterations))) if scopes else []


def is_iteration(scope: str, loop: str) -> bool:
    """Whether `scope` is an iteration of that loop: `build[2]` of `build`."""
    return scope.startswith(f"{loop}[") and "/" not in scope[len(loop) :]


def _word(key: str) -> str:
    return shlex.quote(key)


def _waiting(
    kind: str,
    step: str = "",
    *,
    since: int | None,
    text: str,
    next: str,
    gate: str = "",
) -> Waiting:
    return Waiting(
        kind=line(kind),
        step=line(step),
        gate=line(gate),
        since=since,
        text=line(text),
        next=line(f"smithers {next}"),
    )
