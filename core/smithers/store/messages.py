"""What the agent of a step is to be told: written from outside, marked once a turn begins with it.

A row without a body is the engine's: that attempt has come to its end and takes no more turns.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from smithers.errors import Refused, UnknownRun, UsageError
from smithers.model.run import Intent, Owner, RunStatus
from smithers.model.step import Attempt, StepKind, StepStatus
from smithers.store import codec, leases
from smithers.store.database import Reader, Store

MOST_BYTES = 64 * 1024
_ENGINE = "engine"
_COLUMNS = "n, key, body, actor, sent_at, attempt, delivered_at"


class Message(NamedTuple):
    n: int
    """Rises with each message of the run; numbers may be left out."""
    key: str
    body: str
    actor: str
    sent_at: int
    attempt: int | None
    """Number of the last attempt whose conversation was told, or None while it waits."""
    delivered_at: int | None


def of(db: Store | Reader, seq: int) -> list[Message]:
    """All messages of a run, in the order in which they were sent."""
    rows = db.all(
        f"SELECT {_COLUMNS} FROM messages WHERE run = ? AND body != '' ORDER BY n",  # noqa: S608
        (seq,),
    )
    return [Message(*row) for row in rows]


def send(
    store: Store, run_id: str, key: str, body: str, *, actor: str, now: int, driven: bool
) -> Message:
    """Leave words for the next turn of a step's agent. `driven`: a live engine has the run.

    The same words of the same actor, while they wait, are one message. Raises UsageError for words
    or a step that cannot be; Refused when there will be no next turn.
    """
    body = codec.text(body)
    _refuse_words(body)
    with store.write() as db:
        seq, attempt = _addressee(db, run_id, key)
        if driven and attempt is not None and _shut(db, seq, key, attempt):
            raise Refused(
                f"{key} of run {run_id} has just ended: its agent takes no more turns",
                kept="everything; the message was not left",
                next=f"smithers inspect {run_id}",
            )
        waiting = db.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE run = ? AND key = ? AND attempt IS NULL "  # noqa: S608
            "AND body = ? AND actor = ?",
            (seq, key, body, actor),
        ).fetchone()
        if waiting:
            return Message(*waiting)
        return _insert(db, seq, Message(0, key, body, codec.text(actor), now, None, None))


def _refuse_words(body: str) -> None:
    if not body.strip():
        raise UsageError("the message is empty", next="smithers message RUN STEP TEXT")
    size = len(body.encode())
    if size > MOST_BYTES:
        raise UsageError(
            f"the message has {size:,} bytes, and {MOST_BYTES:,} is the most",
            next="put it into a file of the project and name the file",
        )


def _addressee(db: sqlite3.Connection, run_id: str, key: str) -> tuple[int, int | None]:
    """The run, and the attempt at the step that is under way. Raises UsageError, Refused."""
    row = db.execute(
        "SELECT r.seq, r.status, r.intent, s.kind, s.status, s.gone, "
        "(SELECT max(n) FROM attempts AS a WHERE a.run = r.seq AND a.key = s.key "
        "AND a.status = 'running') "
        "FROM runs AS r LEFT JOIN steps AS s ON s.run = r.seq AND s.key = ? WHERE r.id = ?",
        (key, run_id),
    ).fetchone()
    if row is None:
        raise UnknownRun(f"no run has the id {run_id!r}", next="smithers ps")
    seq, run_status, intent, kind, status, gone, attempt = row
    look = f"smithers inspect {run_id}"
    if RunStatus(run_status).ended or intent == Intent.CANCEL:
        how = run_status if RunStatus(run_status).ended else "cancelled"
        raise Refused(f"run {run_id} has ended ({how}): nobody can be told", next=look)
    if kind is None:
        raise UsageError(f"run {run_id} has no step {key!r}", next=look)
    if kind != StepKind.TASK:
        raise UsageError(f"{key} is no task but a {kind}: it has no agent to tell", next=look)
    if gone or StepStatus(status).ended:
        how = "is no longer in the plan" if gone else f"has ended ({status})"
        again = f"smithers retry {run_id} {key}" if status == StepStatus.FAILED else look
        raise Refused(f"{key} of run {run_id} {how}: its agent takes no more turns", next=again)
    return seq, attempt


def _insert(db: sqlite3.Connection, seq: int, message: Message) -> Message:
    (last,) = db.execute("SELECT max(n) FROM messages WHERE run = ?", (seq,)).fetchone()
    numbered = message._replace(n=(last or 0) + 1)
    db.execute(
        f"INSERT INTO messages (run, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (seq, *numbered),
    )
    return numbered


def _shut(db: sqlite3.Connection, seq: int, key: str, attempt: int) -> bool:
    row = db.execute(
        "SELECT 1 FROM messages WHERE run = ? AND key = ? AND attempt = ? AND body = ''",
        (seq, key, attempt),
    ).fetchone()
    return row is not None


# -- of the engine, whose hold on the run each carries --


def deliver(
    store: Store, run_id: str, attempt: Attempt, owner: Owner, *, now: int, afresh: bool
) -> list[Message]:
    """What the turn that now begins has to say: marked as said before it is.

    `afresh` for a conversation that begins, or goes on after it was cut off: all that was ever left
    for the step, else only what waits. Raises LeaseLost when `owner` does not drive the run.
    """
    wanted = "body != ''" if afresh else "attempt IS NULL"
    find = (
        f"SELECT {_COLUMNS} FROM messages "  # noqa: S608
        f"WHERE run = (SELECT seq FROM runs WHERE id = ?) AND key = ? AND {wanted} ORDER BY n"
    )
    if not store.all(find, (run_id, attempt.key)):
        return []
    with store.write() as db:
        seq = leases.held_by(db, run_id, owner)
        told = [
            Message(*row)._replace(attempt=attempt.n, delivered_at=now)
            for row in db.execute(find, (run_id, attempt.key))
        ]
        db.executemany(
            "UPDATE messages SET attempt = ?, delivered_at = ? WHERE run = ? AND n = ?",
            [(attempt.n, now, seq, each.n) for each in told],
        )
    return told


def shut(store: Store, run_id: str, attempt: Attempt, owner: Owner, *, now: int) -> bool:
    """Let no more come for an attempt whose answer is good. False, and nothing, if one waits.

    Raises LeaseLost when `owner` does not drive the run.
    """
    # It need not outlive a power cut: the attempt would not either.
    with store.write(durable=False) as db:
        seq = leases.held_by(db, run_id, owner)
        waiting = db.execute(
            "SELECT 1 FROM messages WHERE run = ? AND key = ? AND attempt IS NULL",
            (seq, attempt.key),
        ).fetchone()
        if waiting:
            return False
        _insert(db, seq, Message(0, attempt.key, "", _ENGINE, now, attempt.n, now))
    return True
