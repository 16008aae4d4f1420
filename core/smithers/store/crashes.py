"""Engines that died again and again at one place: counted, asked about, forgiven."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import NamedTuple

from smithers.errors import UnknownRun
from smithers.model.gate import Answer, GateKind
from smithers.model.run import Lease, Owner
from smithers.store import codec
from smithers.store.database import Reader, Store
from smithers.store.settle import say

KEY = "@crashes"
"""Where its gates hang: beside the plan, under a name that no step can have."""
MOST = 5
"""Crashes at one place after which the run waits for somebody to decide."""


class Tally(NamedTuple):
    died: int
    """How often in a row engines died at one place. -1: the dead holder is forgiven beforehand."""
    place: int
    """The last frame that brought the run forward; -1 as long as nobody counted."""


def tally(store: Store | Reader, seq: int, *, dead: Owner | None, here: Owner) -> Tally:
    """What was counted, and the dead holder of the lease with it.

    An engine that went down with its machine or container says nothing of the place.
    """
    rows = store.all("SELECT crashes, crash_frame FROM leases WHERE run = ?", (seq,))
    before = Tally(*rows[0])
    if dead is None or (dead.boot_id, dead.pid_ns) != (here.boot_id, here.pid_ns):
        return before
    place = _place(store, seq)
    return Tally(before.died + 1 if before.place == place else 1, place)


def _place(store: Store | Reader, seq: int) -> int:
    """Each engine that takes a run up begins a frame: what only started leads nowhere yet."""
    rows = store.all(
        "SELECT frame FROM step_history WHERE run = ? "
        "AND status NOT IN ('pending', 'ready', 'running') ORDER BY frame DESC LIMIT 1",
        (seq,),
    )
    return int(rows[0][0]) if rows else 0


def asks(store: Store | Reader, seq: int) -> str:
    """Id of the open gate about crashes of this run, or nothing."""
    rows = store.all("SELECT id FROM gates WHERE run = ? AND kind = 'crashes' AND open = 1", (seq,))
    return str(rows[0][0]) if rows else ""


def ask(store: Store, lease: Lease, count: int, *, words: str, now: int) -> bool:
    """Have the run of a dead engine wait at a gate. `words`: what the engine said last.

    Returns False, with nothing written, when the run was taken, paused or cancelled meanwhile.
    """
    title = f"Its engines died {count} times at the same place. Go on?"
    because = f"its engines died {count} times at the same place"
    with store.write() as db:
        row = db.execute(
            "SELECT seq, frame FROM runs JOIN leases ON leases.run = runs.seq WHERE id = ? "
            "AND fence = ? AND held = 1 AND intent = 'go' AND finished_at IS NULL",
            (lease.run, lease.fence),
        ).fetchone()
        if row is None or asks(store, row[0]):
            return False
        seq, frame = row
        (number,) = db.execute(
            "SELECT count(*) + 1 FROM gates WHERE run = ? AND key = ?", (seq, KEY)
        ).fetchone()
        body = codec.text(words or "its engines left no word")
        db.execute(
            "INSERT INTO gates (run, id, key, kind, title, decided_by, why, show, body, digest, "
            "opened_at) VALUES (?, ?, ?, ?, ?, 'anyone', ?, 'text', ?, ?, ?)",
            (
                seq,
                f"{KEY}#{number}",
                KEY,
                GateKind.CRASHES.value,
                title,
                "approve: it goes on, and is counted anew; deny: it stays paused",
                body,
                hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest(),
                now,
            ),
        )
        db.execute(
            "INSERT INTO frames (run, n, at, why) VALUES (?, ?, ?, ?)",
            (seq, frame + 1, now, f"waits: {because}"),
        )
        db.execute(
            "UPDATE runs SET status = 'waiting', status_reason = ?, wake_at = NULL, frame = ? "
            "WHERE seq = ?",
            (because, frame + 1, seq),
        )
    return True


def answer(db: sqlite3.Connection, store: Store, seq: int, said: Answer, actor: str) -> None:
    """Within the transaction that decides: the run goes on, or is left paused."""
    if said is Answer.APPROVE:
        _count_anew(db, store, seq)
        db.execute(
            "UPDATE runs SET status = 'queued', status_reason = '' "
            "WHERE seq = ? AND status = 'waiting' AND intent = 'go'",
            (seq,),
        )
    else:
        db.execute(
            "UPDATE runs SET intent = 'pause', intent_by = ?, status = 'paused', "
            "status_reason = 'its engines died, and it is not to go on' "
            "WHERE seq = ? AND intent != 'cancel'",
            (codec.text(actor), seq),
        )


def forgive(store: Store, run_id: str, *, actor: str, now: int, why: str = "") -> None:
    """Somebody wants the run to go on: it is counted anew, and a gate about it is answered.

    `why` is told in a frame if a dead engine had the run, once for each.
    """
    with store.write() as db:
        row = db.execute(
            "SELECT seq, held, crashes FROM runs JOIN leases ON leases.run = runs.seq WHERE id = ?",
            (run_id,),
        ).fetchone()
        if row is None:
            raise UnknownRun(f"no run has the id {run_id!r}", next="smithers ps")
        seq, held, died = row
        if why and held and died >= 0:
            say(db, seq, why, now)
        gate = asks(store, seq)
        if not gate:
            _count_anew(db, store, seq)
            return
        db.execute(
            "INSERT INTO decisions (run, gate, answer, actor, established, note, digest, "
            "decided_at) SELECT run, id, 'approve', ?, 'caller', '', digest, ? FROM gates "
            "WHERE run = ? AND id = ?",
            (codec.text(actor), now, seq, gate),
        )
        db.execute("UPDATE gates SET open = 0 WHERE run = ? AND id = ?", (seq, gate))
        db.execute("UPDATE runs SET rev = rev + 1 WHERE seq = ?", (seq,))
        answer(db, store, seq, Answer.APPROVE, actor)


def _count_anew(db: sqlite3.Connection, store: Store, seq: int) -> None:
    """The engine that lies dead now is counted once more, when the next one claims: from -1."""
    db.execute(
        "UPDATE leases SET crashes = -held, crash_frame = ? WHERE run = ?",
        (_place(store, seq), seq),
    )
