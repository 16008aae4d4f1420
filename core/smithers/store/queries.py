"""What readers ask: plain functions over a Reader, raw values out. No writes, no decisions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from smithers.model.gate import Gate
from smithers.model.run import Intent, Owner, Run, RunStatus
from smithers.model.step import JSON, Attempt, StepKind, StepStatus, Usage
from smithers.store.codec import (
    ATTEMPT_COLUMNS,
    GATE_COLUMNS,
    RUN_COLUMNS,
    attempt_from_row,
    gate_from_row,
    run_from_row,
)
from smithers.store.database import Reader


class HeldLease(NamedTuple):
    owner: Owner
    expires_at: int


class Head(NamedTuple):
    """The line of a run in a list, as stored."""

    seq: int
    id: str
    recipe: str
    title: str
    status: RunStatus
    status_reason: str
    created_at: int
    started_at: int | None
    finished_at: int | None
    wake_at: int | None
    frame: int
    intent: Intent
    intent_by: str
    total: int
    done: int
    failed: int
    running: int
    waiting: int
    moved_at: int
    """Time of the last frame, else of creation."""
    decided_at: int | None
    """Time of the last decision."""
    lease: HeldLease | None


class StepRow(NamedTuple):
    key: str
    scope: str
    position: int
    kind: StepKind
    title: str
    status: StepStatus
    reason: str
    wake_at: int | None
    gone: bool


class OpenGate(NamedTuple):
    run: str
    run_title: str
    recipe: str
    gate: Gate


class FrameRow(NamedTuple):
    n: int
    at: int
    why: str
    changes: tuple[tuple[str, StepStatus], ...]


class SnapshotRow(NamedTuple):
    key: str
    attempt: int
    side: str
    commit: str
    taken_at: int
    incomplete: tuple[str, ...]


_HEAD = """
SELECT r.seq, r.id, r.recipe, r.title, r.status, r.status_reason, r.created_at, r.started_at,
       r.finished_at, r.wake_at, r.frame, r.intent, r.intent_by,
       r.total, r.done, r.failed, r.running, r.waiting,
       coalesce((SELECT f.at FROM frames AS f WHERE f.run = r.seq AND f.n = r.frame), r.created_at),
       (SELECT max(d.decided_at) FROM decisions AS d WHERE d.run = r.seq),
       l.host, l.boot_id, l.pid_ns, l.pid, l.start_time, l.expires_at
FROM runs AS r LEFT JOIN leases AS l ON l.run = r.seq AND l.held = 1
"""

_BODILESS = GATE_COLUMNS.replace("g.body", "''")
_GATES = "gates AS g LEFT JOIN decisions AS d ON d.run = g.run AND d.gate = g.id"
_ASKER = (
    "CASE WHEN g.key LIKE '%]' "
    "THEN substr(g.key, 1, length(rtrim(rtrim(g.key, ']'), '0123456789')) - 1) ELSE g.key END"
)
"""The step that a gate is about: a loop asks in the name of its iteration, `build[2]`."""
STANDS = (
    "NOT EXISTS (SELECT 1 FROM steps AS s "  # noqa: S608
    f"WHERE s.run = g.run AND s.gone = 1 AND s.key = {_ASKER})"
)
"""Of a gate `g`: its step has not left the plan."""
_STEP = "key, scope, position, kind, title, status, reason, wake_at, gone"


def _head(row: tuple[Any, ...]) -> Head:
    lease = None
    if row[20] is not None:
        lease = HeldLease(Owner(row[20], row[21], row[22], row[23], row[24]), row[25])
    return Head(
        seq=row[0],
        id=row[1],
        recipe=row[2],
        title=row[3],
        status=RunStatus(row[4]),
        status_reason=row[5],
        created_at=row[6],
        started_at=row[7],
        finished_at=row[8],
        wake_at=row[9],
        frame=row[10],
        intent=Intent(row[11]),
        intent_by=row[12],
        total=row[13],
        done=row[14],
        failed=row[15],
        running=row[16],
        waiting=row[17],
        moved_at=row[18],
        decided_at=row[19],
        lease=lease,
    )


def _step(row: tuple[Any, ...]) -> StepRow:
    return StepRow(
        key=row[0],
        scope=row[1],
        position=row[2],
        kind=StepKind(row[3]),
        title=row[4],
        status=StepStatus(row[5]),
        reason=row[6],
        wake_at=row[7],
        gone=bool(row[8]),
    )


def heads(
    db: Reader, *, status: Collection[RunStatus] = (), before: int | None = None, limit: int = -1
) -> list[Head]:
    """Newest first, of these stored statuses (none: all), older than `before`; limit -1 is none."""
    wanted = json.dumps([each.value for each in status])
    where = ["r.status IN (SELECT value FROM json_each(?))"] if status else ["? = '[]'"]
    parameters: list[Any] = [wanted]
    if before is not None:
        where.append("r.seq < ?")
        parameters.append(before)
    rows = db.all(
        f"{_HEAD} WHERE {' AND '.join(where)} ORDER BY r.seq DESC LIMIT ?",
        [*parameters, limit],
    )
    return [_head(row) for row in rows]


def head(db: Reader, run: str) -> Head | None:
    row = db.one(f"{_HEAD} WHERE r.id = ?", [run])
    return None if row is None else _head(row)


def tallies(db: Reader) -> dict[RunStatus, int]:
    """Runs by stored status."""
    rows = db.all("SELECT status, count(*) FROM runs GROUP BY status")
    return {RunStatus(status): count for status, count in rows}


def newest(db: Reader, *, prefix: str = "", limit: int = 1) -> list[str]:
    """Ids that start so, newest first. `prefix` holds only what ids may hold."""
    rows = db.all(
        "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY seq DESC LIMIT ?",
        [prefix, prefix + "\x7f", limit],
    )
    return [row[0] for row in rows]


def exists(db: Reader, run: str) -> bool:
    return db.one("SELECT 1 FROM runs WHERE id = ?", [run]) is not None


def run(db: Reader, seq: int) -> Run:
    rows = db.all(f"SELECT {RUN_COLUMNS} FROM runs WHERE seq = ?", [seq])  # noqa: S608
    return run_from_row(rows[0])


def open_gates(db: Reader, seqs: Iterable[int]) -> dict[int, int]:
    """How many gates are open, by run; a run without one is absent."""
    rows = db.all(
        "SELECT g.run, count(*) FROM gates AS g "  # noqa: S608
        f"WHERE g.open = 1 AND {STANDS} "
        "AND g.run IN (SELECT value FROM json_each(?)) GROUP BY g.run",
        [json.dumps(list(seqs))],
    )
    return dict(rows)


def undealt(db: Reader, seqs: Iterable[int]) -> dict[int, int]:
    """Time of the newest decision, by run, whose step still waits and has no other gate open."""
    rows = db.all(
        "SELECT d.run, max(d.decided_at) FROM decisions AS d "  # noqa: S608
        "JOIN gates AS g ON g.run = d.run AND g.id = d.gate "
        f"JOIN steps AS s ON s.run = g.run AND s.key = {_ASKER} "
        "WHERE s.status = 'waiting' AND d.run IN (SELECT value FROM json_each(?)) "
        "AND NOT EXISTS (SELECT 1 FROM gates AS o "
        "WHERE o.run = g.run AND o.key = g.key AND o.open = 1) GROUP BY d.run",
        [json.dumps(list(seqs))],
    )
    return dict(rows)


def usages(db: Reader, seqs: Iterable[int]) -> dict[int, Usage]:
    """What all attempts of a run consumed together, as far as they say."""
    rows = db.all(
        "SELECT run, sum(input_tokens), sum(output_tokens), sum(cost_usd), "
        "sum(cached_tokens) FROM attempts "
        "WHERE run IN (SELECT value FROM json_each(?)) GROUP BY run",
        [json.dumps(list(seqs))],
    )
    return {row[0]: Usage(*row[1:]) for row in rows}


def notable(db: Reader, seqs: Iterable[int]) -> dict[int, list[StepRow]]:
    """Steps of the plan that are neither ahead nor well behind, by run."""
    rows = db.all(
        f"SELECT {_STEP}, run FROM steps WHERE gone = 0 "  # noqa: S608
        "AND status IN ('ready', 'running', 'waiting', 'retrying', 'failed') "
        "AND run IN (SELECT value FROM json_each(?))",
        [json.dumps(list(seqs))],
    )
    found: dict[int, list[StepRow]] = {}
    for row in rows:
        found.setdefault(row[9], []).append(_step(row))
    return found


def steps(db: Reader, seq: int) -> list[StepRow]:
    rows = db.all(
        f"SELECT {_STEP} FROM steps WHERE run = ? ORDER BY gone, position, key",  # noqa: S608
        [seq],
    )
    return [_step(row) for row in rows]


def step_keys(db: Reader, seq: int) -> list[str]:
    """Keys of all steps, by position; those that left the plan last."""
    rows = db.all("SELECT key FROM steps WHERE run = ? ORDER BY gone, position, key", [seq])
    return [row[0] for row in rows]


def attempts(db: Reader, seq: int, key: str | None = None) -> list[Attempt]:
    """Of the run, or of one step; a step's in order."""
    where, parameters = ("run = ?", [seq]) if key is None else ("run = ? AND key = ?", [seq, key])
    rows = db.all(
        f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE {where} ORDER BY key, n",  # noqa: S608
        parameters,
    )
    return [attempt_from_row(row) for row in rows]


def latest_attempt(db: Reader, seq: int) -> Attempt | None:
    """One that runs, else the one that began last."""
    row = db.one(
        f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE run = ? "  # noqa: S608
        "ORDER BY status = 'running' DESC, started_at DESC, n DESC LIMIT 1",
        [seq],
    )
    return None if row is None else attempt_from_row(row)


def gates(db: Reader, seq: int) -> list[Gate]:
    """All of a run, in order of opening, without bodies."""
    rows = db.all(
        f"SELECT {_BODILESS} FROM {_GATES} WHERE g.run = ? ORDER BY g.opened_at, g.id",  # noqa: S608
        [seq],
    )
    return [gate_from_row(row) for row in rows]


def gate(db: Reader, seq: int, gate_id: str) -> Gate | None:
    row = db.one(
        f"SELECT {GATE_COLUMNS} FROM {_GATES} WHERE g.run = ? AND g.id = ?",  # noqa: S608
        [seq, gate_id],
    )
    return None if row is None else gate_from_row(row)


def inbox(db: Reader) -> list[OpenGate]:
    """Open gates of runs that have not ended, oldest first, without bodies."""
    rows = db.all(
        f"SELECT {_BODILESS}, r.id, r.title, r.recipe FROM {_GATES} "  # noqa: S608
        f"JOIN runs AS r ON r.seq = g.run WHERE g.open = 1 AND {STANDS} "
        "AND r.status NOT IN ('succeeded', 'failed', 'cancelled', 'superseded') "
        "ORDER BY g.opened_at, g.run, g.id"
    )
    return [OpenGate(row[-3], row[-2], row[-1], gate_from_row(row)) for row in rows]


def frames(db: Reader, seq: int, *, after: int, limit: int) -> list[FrameRow]:
    rows = db.all(
        "SELECT n, at, why FROM frames WHERE run = ? AND n > ? ORDER BY n LIMIT ?",
        [seq, after, limit],
    )
    if not rows:
        return []
    changes: dict[int, list[tuple[str, StepStatus]]] = {}
    for frame, key, status in db.all(
        "SELECT frame, key, status FROM step_history WHERE run = ? AND frame BETWEEN ? AND ? "
        "ORDER BY frame, key",
        [seq, rows[0][0], rows[-1][0]],
    ):
        changes.setdefault(frame, []).append((key, StepStatus(status)))
    return [FrameRow(n, at, why, tuple(changes.get(n, ()))) for n, at, why in rows]


def output(db: Reader, seq: int, key: str) -> tuple[JSON] | None:
    """The value in a tuple, since null is a value too; None if there is none."""
    row = db.one("SELECT value FROM outputs WHERE run = ? AND key = ?", [seq, key])
    return None if row is None else (json.loads(row[0]),)


def snapshots(db: Reader, seq: int) -> list[SnapshotRow]:
    """In the order they were taken; before an attempt ahead of after it."""
    rows = db.all(
        "SELECT key, attempt, side, commit_id, taken_at, incomplete FROM snapshots WHERE run = ? "
        "ORDER BY taken_at, side = 'after', key, attempt",
        [seq],
    )
    return [
        SnapshotRow(row[0], row[1], row[2], row[3], row[4], tuple(json.loads(row[5])))
        for row in rows
    ]
