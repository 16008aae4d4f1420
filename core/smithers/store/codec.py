"""Rows to nouns and back: one list of columns and one decoder for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from smithers.model.gate import About, Answer, Decision, Gate, GateKind, Remember
from smithers.model.run import Intent, Run, RunStatus
from smithers.model.step import (
    JSON,
    Attempt,
    AttemptStatus,
    PlanStep,
    StepKind,
    StepState,
    StepStatus,
    Usage,
)

Row = tuple[Any, ...]


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: JSON | Mapping[str, JSON] | Mapping[str, str] | Mapping[str, float]) -> str:
    """Compact JSON. Non-ASCII is kept; lone surrogates are escaped, since SQLite text is UTF-8."""
    text = _encode(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, separators=(",", ":"))
    return text


_decode = json.JSONDecoder().raw_decode
"""What `dumps` wrote, without a look for white space around it."""


def loads(value: str) -> JSON:
    return cast("JSON", _decode(value)[0])


def text(value: str) -> str:
    """A string that SQLite can hold: what was not decodable becomes U+FFFD."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


RUN_COLUMNS = (
    "id, recipe, title, source, source_digest, input, created_at, status, status_reason, error, "
    "started_at, finished_at, frame, rev, intent, stop_by, wake_at, agents, gates, budget, root, "
    "workspace, branch, base, notes, parent, intent_by"
)


def run_from_row(row: Row) -> Run:
    return Run(
        id=row[0],
        recipe=row[1],
        title=row[2],
        source=row[3],
        source_digest=row[4],
        input=json.loads(row[5]),
        created_at=row[6],
        status=RunStatus(row[7]),
        status_reason=row[8],
        error=row[9],
        started_at=row[10],
        finished_at=row[11],
        frame=row[12],
        rev=row[13],
        intent=Intent(row[14]),
        stop_by=row[15],
        wake_at=row[16],
        agents=json.loads(row[17]),
        gates=json.loads(row[18]),
        budget=json.loads(row[19]),
        root=row[20],
        workspace=row[21],
        branch=row[22],
        base=row[23],
        notes=tuple(json.loads(row[24])),
        parent=row[25],
        intent_by=row[26],
    )


ATTEMPT_COLUMNS = (
    "key, n, token, status, started_at, finished_at, charged, retry_at, reopened, "
    "exit_code, error, "
    "agent, model, session, value, input_tokens, output_tokens, cost_usd, cached_tokens"
)


def attempt_from_row(row: Row) -> Attempt:
    return Attempt(
        key=row[0],
        n=row[1],
        token=row[2],
        status=AttemptStatus(row[3]),
        started_at=row[4],
        finished_at=row[5],
        charged=bool(row[6]),
        retry_at=row[7],
        reopened=row[8],
        exit_code=row[9],
        error=row[10],
        agent=row[11],
        model=row[12],
        session=row[13],
        value=None if row[14] is None else json.loads(row[14]),
        usage=Usage(row[15], row[16], row[17], row[18]),
    )


def attempt_to_row(attempt: Attempt) -> Row:
    """In the order of ATTEMPT_COLUMNS."""
    return (
        attempt.key,
        attempt.n,
        attempt.token,
        attempt.status.value,
        attempt.started_at,
        attempt.finished_at,
        int(attempt.charged),
        attempt.retry_at,
        attempt.reopened,
        attempt.exit_code,
        text(attempt.error),
        text(attempt.agent),
        text(attempt.model),
        text(attempt.session),
        None if attempt.value is None else dumps(attempt.value),
        attempt.usage.input_tokens,
        attempt.usage.output_tokens,
        attempt.usage.cost_usd,
        attempt.usage.cached_tokens,
    )


GATE_COLUMNS = (
    "g.id, g.key, g.kind, g.title, g.decided_by, g.why, g.show, g.body, g.digest, g.opened_at, "
    "d.answer, d.actor, d.established, d.note, d.digest, d.decided_at, d.remember, g.about"
)
"""For `gates AS g LEFT JOIN decisions AS d ON d.run = g.run AND d.gate = g.id`."""


def gate_from_row(row: Row) -> Gate:
    decision = None
    if row[10] is not None:
        decision = Decision(
            row[0], Answer(row[10]), row[11], row[12], row[13], row[14], row[15], Remember(row[16])
        )
    return Gate(
        id=row[0],
        key=row[1],
        kind=GateKind(row[2]),
        title=row[3],
        by=row[4],
        why=row[5],
        show=row[6],
        body=row[7],
        digest=row[8],
        opened_at=row[9],
        decision=decision,
        about=None if row[17] is None else About(**json.loads(row[17])),
    )


PLAN_STEP_COLUMNS = "key, scope, kind, title, after, runs_when, limits, spec"


_KINDS = {kind.value: kind for kind in StepKind}
_STATES = {status.value: StepState(status) for status in StepStatus}


@lru_cache(1024)
def _limits(text: str) -> tuple[tuple[str, int], ...]:
    """Members of a group all say the same."""
    return tuple((group, bound) for group, bound in _decode(text)[0])


def plan_step_from_row(row: Row) -> PlanStep:
    return PlanStep(
        key=row[0],
        scope=row[1],
        kind=_KINDS[row[2]],
        title=row[3],
        after=() if row[4] == "[]" else tuple(_decode(row[4])[0]),
        when=bool(row[5]),
        limits=() if row[6] == "[]" else _limits(row[6]),
        spec={} if row[7] == "{}" else _decode(row[7])[0],
    )


def plan_step_to_row(step: PlanStep) -> Row:
    """In the order of PLAN_STEP_COLUMNS."""
    return (
        step.key,
        step.scope,
        step.kind.value,
        text(step.title),
        dumps(list(step.after)),
        int(step.when),
        dumps([list(limit) for limit in step.limits]),
        dumps(step.spec),
    )


STATE_COLUMNS = "status, reason, wake_at"


def state_from_row(row: Row) -> StepState:
    plain = _STATES[row[0]]
    if row[1] == "" and row[2] is None:
        return plain
    return StepState(plain.status, row[1], ok=False, wake_at=row[2])
