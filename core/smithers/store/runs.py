"""Runs as rows: create one, load its facts, ask something of it from outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from smithers.errors import Refused, UnknownRun
from smithers.model.gate import Answer, Decision, Gate, GateKind
from smithers.model.run import Facts, Intent, Lease, Owner, Run, RunStatus
from smithers.model.step import Attempt, Output
from smithers.store import codec, crashes
from smithers.store.database import Reader, Store
from smithers.store.queries import STANDS
from smithers.store.settle import say, say_asked, settle


def create(store: Store, run: Run, *, created_by: str) -> None:
    """Write the row of a new run. Raises Refused when the id is taken."""
    with store.write() as db:
        if db.execute("SELECT 1 FROM runs WHERE id = ?", (run.id,)).fetchone():
            raise Refused(
                f"the run id {run.id!r} is taken",
                kept="the run that has it",
                next="give another --run-id, or none",
            )
        cursor = db.execute(
            "INSERT INTO runs (id, recipe, title, source, source_digest, input, "
            "created_at, created_by, "
            "agents, gates, budget, root, workspace, branch, base, notes, parent) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run.id,
                codec.text(run.recipe),
                codec.text(run.title),
                run.source,
                run.source_digest,
                codec.dumps(run.input),
                run.created_at,
                created_by,
                codec.dumps(run.agents),
                codec.dumps(run.gates),
                codec.dumps(run.budget),
                run.root,
                run.workspace,
                run.branch,
                run.base,
                codec.dumps(list(run.notes)),
                run.parent,
            ),
        )
        db.execute("INSERT INTO leases (run, fence) VALUES (?, 0)", (cursor.lastrowid,))


def get(store: Store | Reader, run_id: str) -> Run:
    """The row of a run. Raises UnknownRun."""
    rows = store.all(f"SELECT {codec.RUN_COLUMNS} FROM runs WHERE id = ?", (run_id,))  # noqa: S608
    if not rows:
        raise UnknownRun(f"no run has the id {run_id!r}", next="smithers ps")
    return codec.run_from_row(rows[0])


def lease(store: Store | Reader, run_id: str) -> tuple[Lease, bool]:
    """The lease of a run as it stands, and whether somebody holds it."""
    rows = store.all(
        "SELECT fence, host, boot_id, pid_ns, pid, start_time, expires_at, held FROM leases "
        "WHERE run = (SELECT seq FROM runs WHERE id = ?)",
        (run_id,),
    )
    if not rows:
        raise UnknownRun(f"no run has the id {run_id!r}", next="smithers ps")
    fence, host, boot, namespace, pid, start, expires, held = rows[0]
    return Lease(run_id, fence, Owner(host, boot, namespace, pid, start), expires), bool(held)


def facts(store: Store | Reader, run_id: str) -> Facts:
    """All that is known of a run, in one query a table.

    Attempts of steps that succeeded are left out.
    """
    run = get(store, run_id)
    (seq,) = store.all("SELECT seq FROM runs WHERE id = ?", (run_id,))[0]
    known = Facts(run)
    for key, value in store.all("SELECT key, value FROM outputs WHERE run = ?", (seq,)):
        known.outputs[key] = Output(key, codec.loads(value))
    known.attempts = attempts(store, seq)
    known.gates = by_key(gates(store, seq))
    for row in store.all(
        f"SELECT {codec.PLAN_STEP_COLUMNS}, {codec.STATE_COLUMNS} FROM steps "  # noqa: S608
        "WHERE run = ? AND gone = 0 ORDER BY scope, position",
        (seq,),
    ):
        step = codec.plan_step_from_row(row)
        known.plan[step.key] = step
        known.stored[step.key] = codec.state_from_row(row[8:])
    return known


def attempts(store: Store | Reader, seq: int) -> dict[str, list[Attempt]]:
    """By step, in order; steps that succeeded at once are left out."""
    found: dict[str, list[Attempt]] = {}
    for row in store.all(
        f"SELECT {codec.ATTEMPT_COLUMNS} FROM attempts WHERE run = ? AND key IN "  # noqa: S608
        "(SELECT key FROM attempts WHERE run = ? AND status != 'succeeded') ORDER BY key, n",
        (seq, seq),
    ):
        attempt = codec.attempt_from_row(row)
        found.setdefault(attempt.key, []).append(attempt)
    return found


def attempts_of(store: Store | Reader, run_id: str) -> dict[str, list[Attempt]]:
    """As `attempts`, by the run's id."""
    (seq,) = store.all("SELECT seq FROM runs WHERE id = ?", (run_id,))[0]
    return attempts(store, seq)


def gates_of(store: Store | Reader, run_id: str) -> list[Gate]:
    """Every gate of a run's plan, oldest first, each with its decision."""
    (seq,) = store.all("SELECT seq FROM runs WHERE id = ?", (run_id,))[0]
    standing = store.all(
        f"SELECT g.id FROM gates AS g WHERE g.run = ? AND {STANDS}",  # noqa: S608
        (seq,),
    )
    ids = {gate for (gate,) in standing}
    return [gate for gate in gates(store, seq) if gate.id in ids]


def gates(store: Store | Reader, seq: int) -> list[Gate]:
    rows = store.all(
        f"SELECT {codec.GATE_COLUMNS} FROM gates AS g LEFT JOIN decisions AS d "  # noqa: S608
        "ON d.run = g.run AND d.gate = g.id WHERE g.run = ? "
        "ORDER BY g.opened_at, length(g.id), g.id",
        (seq,),
    )
    return [codec.gate_from_row(row) for row in rows]


def by_key(gates: Iterable[Gate]) -> dict[str, list[Gate]]:
    """The gates of each step, in order of opening: by number, since a clock may be set back."""
    found: dict[str, list[Gate]] = {}
    for gate in gates:
        found.setdefault(gate.key, []).append(gate)
    for same in found.values():
        same.sort(key=lambda gate: int(gate.id.rpartition("#")[2]))
    return found


def rev(store: Store | Reader, run_id: str) -> int:
    """Moves with each change that came from outside."""
    rows = store.all("SELECT rev FROM runs WHERE id = ?", (run_id,))
    return int(rows[0][0]) if rows else -1


# -- asked from outside: each one transaction, each raising rev --


def intend(store: Store, run_id: str, intent: Intent, *, actor: str, now: int) -> Run:
    """Ask a run to go, pause or end. A run that nobody drives is settled here and now.

    Asked once more it is the same, and the first to ask is recorded. Raises Refused when the run
    has ended, or is to end.
    """
    with store.write() as db:
        run = get(store, run_id)
        if intent is Intent.CANCEL and run.status is RunStatus.CANCELLED:
            return run
        _still_open(run, "cancelled" if intent is Intent.CANCEL else "resumed or paused")
        if run.intent is Intent.CANCEL and intent is not Intent.CANCEL:
            raise _cancelled(run)
        seq, held = db.execute(
            "SELECT seq, held FROM runs JOIN leases ON leases.run = runs.seq WHERE id = ?",
            (run_id,),
        ).fetchone()
        if not _asked(run.intent, intent):
            db.execute(
                "UPDATE runs SET intent = ?, intent_by = ?, rev = rev + 1 WHERE id = ?",
                (intent.value, actor, run_id),
            )
            if held and intent is Intent.GO:
                # Its engine has nothing to say of it: what was to be does not come.
                say_asked(db, seq, "resumed", now)
        if not held:
            settle(db, seq, intent, now)
    return get(store, run_id)


def _asked(before: Intent, intent: Intent) -> bool:
    """It was asked already, or more than that: pausing takes nothing of `--now` back."""
    return before is intent or (before is Intent.PAUSE_NOW and intent is Intent.PAUSE)


def _cancelled(run: Run) -> Refused:
    return Refused(
        f"run {run.id} is being cancelled{f' by {run.intent_by}' if run.intent_by else ''}",
        kept="its record, worktree and branch",
        next=f"smithers inspect {run.id}",
    )


def _still_open(run: Run, what: str) -> None:
    if run.status.ended:
        raise Refused(
            f"run {run.id} has ended ({run.status}) and cannot be {what}",
            kept="its record, worktree and branch",
            next=f"smithers inspect {run.id}",
        )


def stop(store: Store, run_id: str, *, actor: str, now: int) -> Run:
    """ "That is enough": open loops end after the present iteration.

    The first to say so is recorded.
    """
    with store.write() as db:
        run = get(store, run_id)
        _still_open(run, "stopped")
        if not run.stop_by:
            db.execute("UPDATE runs SET stop_by = ?, rev = rev + 1 WHERE id = ?", (actor, run_id))
            say(db, _seq(db, run_id), f"open loops are to end, asked by {actor}", now)
        _queue(db, run_id)
    return get(store, run_id)


def _seq(db: sqlite3.Connection, run_id: str) -> int:
    (seq,) = db.execute("SELECT seq FROM runs WHERE id = ?", (run_id,)).fetchone()
    return int(seq)


def _queue(db: sqlite3.Connection, run_id: str) -> None:
    """A parked run has something to do again, and says so until an engine has it."""
    db.execute(
        "UPDATE runs SET status = 'queued', status_reason = '' "
        "WHERE id = ? AND status = 'waiting' AND intent = 'go' "
        "AND (SELECT held FROM leases WHERE leases.run = runs.seq) = 0",
        (run_id,),
    )


def cast(store: Store, run_id: str, agents: Mapping[str, str], *, actor: str, now: int) -> None:
    """Who plays a role, from the next attempt on."""
    with store.write() as db:
        run = get(store, run_id)
        other = {role: name for role, name in agents.items() if run.agents.get(role) != name}
        if other:
            db.execute(
                "UPDATE runs SET agents = ?, rev = rev + 1 WHERE id = ?",
                (codec.dumps({**run.agents, **other}), run_id),
            )
            said = ", ".join(f"{role} = {name}" for role, name in other.items())
            say(db, _seq(db, run_id), f"from now on {said}, asked by {actor}", now)


def reopen(
    store: Store,
    run_id: str,
    key: str,
    *,
    actor: str,
    now: int,
    agents: Mapping[str, str] | None = None,
) -> Run:
    """Let a failed step be tried again, and its run go on. Raises Refused when it did not fail.

    `agents` play their roles from then on. The first to ask for this try is recorded.
    """
    with store.write() as db:
        run = get(store, run_id)
        row = db.execute(
            "SELECT a.n, s.status FROM steps AS s LEFT JOIN attempts AS a "
            "ON a.run = s.run AND a.key = s.key "
            "WHERE s.run = (SELECT seq FROM runs WHERE id = ?) AND s.key = ? "
            "AND s.gone = 0 ORDER BY a.n DESC LIMIT 1",
            (run_id, key),
        ).fetchone()
        if row is None:
            raise Refused(f"run {run_id} has no step {key!r}", next=f"smithers inspect {run_id}")
        number, status = row
        if run.intent is Intent.CANCEL and not run.status.ended:
            raise _cancelled(run)
        over = run.status in {RunStatus.SUCCEEDED, RunStatus.CANCELLED, RunStatus.SUPERSEDED}
        if (
            number is None
            or status not in {"failed", "retrying"}
            or over
            or _closed(db, run_id, key)
        ):
            raise Refused(
                f"{key} is {status}, in a run that is {run.status}: only a step that failed, "
                "and that the run failed or waits for, can be retried",
                kept="everything as it is",
                next=f"smithers why {run_id}",
            )
        seq = _seq(db, run_id)
        asked = db.execute(
            "UPDATE attempts SET reopened = ? WHERE run = ? AND key = ? AND n = ? "
            "AND reopened = ''",
            (actor, seq, key, number),
        )
        if asked.rowcount:
            say(db, seq, f"{key} is to be tried again, asked by {actor}", now)
        db.execute(
            "UPDATE runs SET rev = rev + 1, intent = 'go', agents = ?, "
            "intent_by = CASE intent WHEN 'go' THEN intent_by ELSE ? END, "
            "finished_at = NULL, error = '', "
            "status = CASE WHEN status IN ('failed', 'paused') THEN 'queued' ELSE status END, "
            "status_reason = CASE WHEN status IN ('failed', 'paused') THEN '' ELSE "
            "status_reason END "
            "WHERE id = ?",
            (codec.dumps({**run.agents, **(agents or {})}), actor, run_id),
        )
        _queue(db, run_id)
    return get(store, run_id)


def _closed(db: sqlite3.Connection, run_id: str, key: str) -> bool:
    """The step lies in an iteration on which the verdict is recorded."""
    scope = key.rpartition("/")[0]
    row = db.execute(
        "SELECT 1 FROM outputs WHERE run = (SELECT seq FROM runs WHERE id = ?) AND key = ?",
        (run_id, scope),
    ).fetchone()
    return row is not None


def decide(store: Store, run_id: str, decision: Decision) -> None:
    """Answer an open gate.

    The first answer stands. Raises Refused when it is closed or shows something else.
    """
    with store.write() as db:
        row = db.execute(
            "SELECT g.run, g.open, g.digest, g.kind, d.answer, d.actor FROM gates AS g "
            "LEFT JOIN decisions AS d "
            "ON d.run = g.run AND d.gate = g.id "
            "WHERE g.run = (SELECT seq FROM runs WHERE id = ?) AND g.id = ?",
            (run_id, decision.gate),
        ).fetchone()
        if row is None:
            raise Refused(
                f"run {run_id} has no gate {decision.gate!r}", next=f"smithers why {run_id}"
            )
        seq, is_open, digest, kind, answer, actor = row
        if not is_open:
            said = "approved" if answer == Answer.APPROVE else "denied" if answer else "closed"
            raise Refused(
                f"{decision.gate} of run {run_id} was {said} "
                f"already{f' by {actor}' if actor else ''}",
                kept="that decision",
                next=f"smithers inspect {run_id}",
            )
        if decision.digest != digest:
            raise Refused(
                f"what {decision.gate} is about has changed since it was shown",
                kept="the gate, open",
                next=f"smithers approve {run_id} and look again",
            )
        _still_open(get(store, run_id), "decided about")
        db.execute(
            "INSERT INTO decisions (run, gate, answer, actor, established, note, "
            "digest, decided_at, remember) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                seq,
                decision.gate,
                decision.answer.value,
                codec.text(decision.actor),
                decision.established,
                codec.text(decision.note),
                decision.digest,
                decision.decided_at,
                decision.remember.value,
            ),
        )
        db.execute("UPDATE gates SET open = 0 WHERE run = ? AND id = ?", (seq, decision.gate))
        db.execute("UPDATE runs SET rev = rev + 1 WHERE seq = ?", (seq,))
        if kind == GateKind.CRASHES:
            crashes.answer(db, store, seq, decision.answer, decision.actor)
        _queue(db, run_id)
