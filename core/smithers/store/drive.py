"""The writes of the engine that drives a run: claim, frames, parking.

Each carries the lease's fence.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from smithers.errors import LeaseLost, Refused, UnknownRun
from smithers.model.gate import Gate
from smithers.model.run import Intent, Lease, Owner, RunStatus
from smithers.model.step import Attempt, Output, PlanStep, StepState
from smithers.store import codec, crashes
from smithers.store.database import Store
from smithers.store.settle import cancel_steps

LEASE_MS = 15_000
_HELD = (
    "SELECT frame FROM leases JOIN runs ON runs.seq = leases.run "
    "WHERE leases.run = ? AND fence = ? AND held = 1"
)


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    key: str
    attempt: int
    side: str
    """`before`, `after`, or `found`: what lay there when an interrupted attempt was taken up."""
    commit: str
    incomplete: tuple[str, ...] = ()


@dataclass(slots=True)
class Transition:
    """What one frame commits."""

    why: str
    attempts: Sequence[Attempt] = ()
    """Begun and ended ones."""
    outputs: Sequence[Output] = ()
    gates: Sequence[Gate] = ()
    placed: Mapping[str, tuple[PlanStep, int]] = field(default_factory=dict)
    gone: Sequence[str] = ()
    changes: Mapping[str, StepState] = field(default_factory=dict)
    snapshots: Sequence[SnapshotRow] = ()
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    error: str = ""
    wake_at: int | None = None
    counts: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    pause: bool = False
    """The engine cannot go on by itself: the run is left paused, for a person to resume."""
    source_digest: str = ""
    """Of the workflow file that the plan is made from; empty: as it was."""

    def kept_open(self) -> Transition:
        """The same, but of a run that has not ended yet, and is not left to a person."""
        if not self.status.ended and not self.pause:
            return self
        return replace(self, status=RunStatus.RUNNING, reason="", error="", pause=False)

    cancel: bool = False
    """The run is cancelled without a plan that would say so of each step."""


def claim(
    store: Store, run_id: str, owner: Owner, *, now: int, replaceable: Callable[[Lease], bool]
) -> Lease:
    """Take the right to drive a run.

    Raises Refused while a live engine has it, the run has ended, or waits at a gate about crashes.
    """
    with store.write() as db:
        row = db.execute(
            "SELECT seq, status, fence, host, boot_id, pid_ns, pid, start_time, expires_at, held, "
            "intent FROM runs JOIN leases ON leases.run = runs.seq WHERE id = ?",
            (run_id,),
        ).fetchone()
        if row is None:
            raise UnknownRun(f"no run has the id {run_id!r}", next="smithers ps")
        seq, status, fence, host, boot, namespace, pid, start, expires, held, intent = row
        if RunStatus(status).ended:
            raise Refused(f"run {run_id} has ended ({status})", next=f"smithers inspect {run_id}")
        holder = Owner(host, boot, namespace, pid, start)
        if held and not replaceable(Lease(run_id, fence, holder, expires)):
            raise Refused(
                f"run {run_id} is driven by a live engine (pid {pid} on {host})",
                kept="its lease",
                next=f"smithers logs {run_id} -f",
            )
        if intent == Intent.GO and crashes.asks(store, seq):
            raise Refused(
                f"run {run_id} waits: its engines died at the same place again and again",
                kept="everything that they finished",
                next=f"smithers approve {run_id} {crashes.KEY}",
            )
        tally = crashes.tally(store, seq, dead=holder if held else None, here=owner)
        db.execute(
            "UPDATE leases SET fence = ?, host = ?, boot_id = ?, pid_ns = ?, pid = ?, "
            "start_time = ?, expires_at = ?, crashes = ?, crash_frame = ?, held = 1 WHERE run = ?",
            (
                fence + 1,
                owner.host,
                owner.boot_id,
                owner.pid_ns,
                owner.pid,
                owner.start_time,
                now + LEASE_MS,
                *tally,
                seq,
            ),
        )
    return Lease(run_id, fence + 1, owner, now + LEASE_MS)


def given_up(reason: str, error: str, *, cancelled: bool) -> Transition:
    """Left paused for a person; or, for a run that is to be cancelled, just that."""
    if cancelled:
        return Transition(
            why="run cancelled", status=RunStatus.CANCELLED, reason="cancelled", cancel=True
        )
    return Transition(
        why=f"paused: {reason}", status=RunStatus.PAUSED, reason=reason, error=error, pause=True
    )


class Drive:
    """The pen of one lease.

    Every method raises LeaseLost once another engine has claimed the run.
    """

    def __init__(self, store: Store, lease: Lease) -> None:
        self.lease = lease
        self._store = store
        (self._seq,) = store.all("SELECT seq FROM runs WHERE id = ?", (lease.run,))[0]
        self._frame: int = store.all("SELECT frame FROM runs WHERE id = ?", (lease.run,))[0][0]

    @property
    def frame(self) -> int:
        """Number of the last frame that was written through this."""
        return self._frame

    def renew(self, now: int) -> None:
        with self._store.write(durable=False) as db:
            self._fenced(
                db,
                "UPDATE leases SET expires_at = ? WHERE run = ? AND fence = ? AND held = 1",
                now + LEASE_MS,
            )

    def _fenced(self, db: sqlite3.Connection, sql: str, *values: object) -> None:
        if db.execute(sql, (*values, self._seq, self.lease.fence)).rowcount != 1:
            raise self._lost()

    def check(self) -> None:
        """See that the lease is still ours, by a look alone."""
        if not self._store.all(_HELD, (self._seq, self.lease.fence)):
            raise self._lost()

    def _check_fence(self, db: sqlite3.Connection) -> int:
        """Inside a write transaction to look is enough: nobody else can claim before it ends.

        Returns the number of the run's last frame, which may be of who asked for something.
        """
        row = db.execute(_HELD, (self._seq, self.lease.fence)).fetchone()
        if row is None:
            raise self._lost()
        return int(row[0])

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"another engine drives run {self.lease.run} now",
            kept="everything committed; this engine writes nothing more",
            next=f"smithers inspect {self.lease.run}",
        )

    def commit(self, move: Transition, *, now: int, release_at: int | None = None) -> bool:
        """Write one frame; with `release_at`, give the lease back if the run's rev is still that.

        Returns False, with nothing written, when it is not: something came from outside meanwhile.
        """
        with self._store.write() as db:
            frame = self._check_fence(db) + 1
            if release_at is not None:
                (rev,) = db.execute("SELECT rev FROM runs WHERE seq = ?", (self._seq,)).fetchone()
                if rev != release_at:
                    return False
            self._write_facts(db, move, now)
            if move.placed or move.gone:
                self._write_plan(db, move, frame)
            self._write_states(db, move, frame)
            db.execute(
                "INSERT INTO frames (run, n, at, why) VALUES (?, ?, ?, ?)",
                (self._seq, frame, now, codec.text(move.why)),
            )
            self._write_summary(db, move, frame, now)
            if move.cancel:
                cancel_steps(db, self._seq, frame)
            if release_at is not None:
                self._fenced(db, "UPDATE leases SET held = 0 WHERE run = ? AND fence = ?")
        self._frame = frame
        return True

    def open_gates(
        self, gates: Sequence[Gate], *, snapshots: Sequence[SnapshotRow], now: int
    ) -> None:
        """Gates that ask again, in a frame of their own that changes nothing else."""
        with self._store.write() as db:
            frame = self._check_fence(db) + 1
            self._write_facts(db, Transition("", gates=gates, snapshots=snapshots), now)
            db.execute(
                "INSERT INTO frames (run, n, at, why) VALUES (?, ?, ?, ?)",
                (self._seq, frame, now, f"{gates[0].key} asks again"),
            )
            db.execute("UPDATE runs SET frame = ? WHERE seq = ?", (frame, self._seq))
        self._frame = frame

    def give_up(self, reason: str, error: str, *, now: int) -> None:
        """Leave the run paused: nothing can be done before a person has."""
        released = False
        while not released:
            rev, intent = self._store.all(
                "SELECT rev, intent FROM runs WHERE seq = ?", (self._seq,)
            )[0]
            move = given_up(reason, error, cancelled=intent == Intent.CANCEL)
            move.counts = self.counts()
            released = self.commit(move, now=now, release_at=rev)

    def counts(self) -> tuple[int, int, int, int, int]:
        """The run's summary as it was last committed."""
        rows = self._store.all(
            "SELECT total, done, failed, running, waiting FROM runs WHERE seq = ?", (self._seq,)
        )
        total, done, failed, running, waiting = rows[0]
        return (total, done, failed, running, waiting)

    def _write_facts(self, db: sqlite3.Connection, move: Transition, now: int) -> None:
        seq = self._seq
        db.executemany(
            f"INSERT INTO attempts (run, {codec.ATTEMPT_COLUMNS}) "  # noqa: S608
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (run, key, n) DO UPDATE SET status = excluded.status, "
            "finished_at = excluded.finished_at, charged = excluded.charged, "
            "retry_at = excluded.retry_at, "
            "exit_code = excluded.exit_code, error = excluded.error, agent = excluded.agent, "
            "model = excluded.model, session = excluded.session, value = excluded.value, "
            "input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, "
            "cost_usd = excluded.cost_usd, cached_tokens = excluded.cached_tokens",
            [(seq, *codec.attempt_to_row(attempt)) for attempt in move.attempts],
        )
        db.executemany(
            "INSERT INTO outputs (run, key, value) VALUES (?, ?, ?)",
            [(seq, output.key, codec.dumps(output.value)) for output in move.outputs],
        )
        if move.gates:
            self._write_gates(db, move.gates)
        if move.snapshots:
            self._write_snapshots(db, move.snapshots, now)

    def _write_gates(self, db: sqlite3.Connection, gates: Sequence[Gate]) -> None:
        db.executemany(
            "INSERT INTO gates (run, id, key, kind, title, decided_by, why, show, "
            "body, digest, opened_at, about) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self._seq,
                    gate.id,
                    gate.key,
                    gate.kind.value,
                    codec.text(gate.title),
                    gate.by,
                    codec.text(gate.why),
                    gate.show,
                    codec.text(gate.body),
                    gate.digest,
                    gate.opened_at,
                    None if gate.about is None else codec.dumps(asdict(gate.about)),
                )
                for gate in gates
            ],
        )

    def _write_snapshots(
        self, db: sqlite3.Connection, rows: Sequence[SnapshotRow], now: int
    ) -> None:
        db.executemany(
            "INSERT OR REPLACE INTO snapshots (run, key, attempt, side, commit_id, "
            "taken_at, incomplete) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self._seq,
                    row.key,
                    row.attempt,
                    row.side,
                    row.commit,
                    now,
                    codec.dumps(list(row.incomplete)),
                )
                for row in rows
            ],
        )

    def _write_plan(self, db: sqlite3.Connection, move: Transition, frame: int) -> None:
        # A step that comes back is pending, whatever it was when it left.
        db.executemany(
            "INSERT INTO step_history (run, frame, key, status) SELECT run, ?, key, 'pending' "
            "FROM steps WHERE run = ? AND key = ? AND gone = 1 AND status != 'pending'",
            [(frame, self._seq, key) for key in move.placed],
        )
        db.executemany(
            f"INSERT INTO steps (run, {codec.PLAN_STEP_COLUMNS}, position) "  # noqa: S608
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, key) DO UPDATE SET "
            "scope = excluded.scope, kind = excluded.kind, title = excluded.title, "
            "after = excluded.after, "
            "runs_when = excluded.runs_when, limits = excluded.limits, spec = excluded.spec, "
            "position = excluded.position, gone = 0, "
            "status = CASE WHEN gone THEN 'pending' ELSE status END, "
            "reason = CASE WHEN gone THEN '' ELSE reason END, "
            "wake_at = CASE WHEN gone THEN NULL ELSE wake_at END",
            [
                (self._seq, *codec.plan_step_to_row(step), place)
                for step, place in move.placed.values()
            ],
        )
        db.executemany(
            "UPDATE steps SET gone = 1 WHERE run = ? AND key = ?",
            [(self._seq, key) for key in move.gone],
        )

    def _write_states(self, db: sqlite3.Connection, move: Transition, frame: int) -> None:
        db.executemany(
            "UPDATE steps SET status = ?, reason = ?, wake_at = ? WHERE run = ? AND key = ?",
            [
                (state.status.value, codec.text(state.reason), state.wake_at, self._seq, key)
                for key, state in move.changes.items()
            ],
        )
        db.executemany(
            "INSERT OR REPLACE INTO step_history (run, frame, key, status) VALUES (?, ?, ?, ?)",
            [(self._seq, frame, key, state.status.value) for key, state in move.changes.items()],
        )

    def _write_summary(
        self, db: sqlite3.Connection, move: Transition, frame: int, now: int
    ) -> None:
        total, done, failed, running, waiting = move.counts
        db.execute(
            "UPDATE runs SET status = ?, status_reason = ?, error = ?, wake_at = ?, frame = ?, "
            "total = ?, done = ?, failed = ?, running = ?, waiting = ?, "
            "started_at = coalesce(started_at, ?), finished_at = ?, "
            "intent = CASE WHEN ? THEN 'pause' ELSE intent END, "
            "intent_by = CASE WHEN ? THEN 'engine' ELSE intent_by END, "
            "source_digest = coalesce(nullif(?, ''), source_digest) WHERE seq = ?",
            (
                move.status.value,
                codec.text(move.reason),
                codec.text(move.error),
                move.wake_at,
                frame,
                total,
                done,
                failed,
                running,
                waiting,
                now,
                now if move.status.ended else None,
                move.pause,
                move.pause,
                move.source_digest,
                self._seq,
            ),
        )
