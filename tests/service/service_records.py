"""A run directory that tests fill with rows, and a clock that stands still."""

import json
from pathlib import Path

from smithers.clock import Clock
from smithers.process import identity
from smithers.service import locate, reading
from smithers.store.database import Store, create

NOW = 1_800_000_000_000


class StillClock(Clock):
    def now(self):
        return NOW


class Records:
    """Writes rows as an engine or a verb would have left them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        state = locate.state_dir(root)
        state.mkdir(parents=True)
        create(state, store_id="test")
        self.state = state
        self.store = Store(state)
        self.readers = []

    def insert(self, table, **values):
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        with self.store.write() as db:
            db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))

    def run(self, run="r1", *, lease=None, **values):
        """`lease`: None, "live", "dead", "elsewhere" or "expired elsewhere"."""
        row = {
            "recipe": "implement",
            "title": "Build it",
            "source": "recipe:implement",
            "source_digest": "d",
            "input": "{}",
            "created_at": NOW - 60_000,
            "created_by": "person:ada",
            "root": str(self.root),
            "workspace": str(self.root),
            **values,
        }
        self.insert("runs", id=run, **row)
        me = identity.me()
        owner = {
            "run": self.seq(run),
            "fence": 1,
            "held": int(lease is not None),
            "host": me.host,
            "boot_id": me.boot_id,
            "pid_ns": me.pid_ns,
            "pid": me.pid,
            "start_time": me.start_time,
            "expires_at": NOW + 10_000,
        }
        if lease == "dead":
            owner["start_time"] = me.start_time + 1_000_000
        if lease is not None and "elsewhere" in lease:
            owner |= {"host": "other", "boot_id": "other"}
        if lease == "expired elsewhere":
            owner["expires_at"] = NOW - 1
        self.insert("leases", **owner)
        return run

    def seq(self, run):
        ((seq,),) = self.store.all("SELECT seq FROM runs WHERE id = ?", [run])
        return seq

    def step(self, key, status="pending", run="r1", **values):
        scope, _, _ = key.rpartition("/")
        row = {"scope": scope, "position": 0, "kind": "task", "title": key, **values}
        self.insert("steps", run=self.seq(run), key=key, status=status, **row)

    def attempt(self, key, n=1, status="succeeded", run="r1", **values):
        row = {"token": 7, "started_at": NOW - 30_000, "finished_at": NOW - 20_000, **values}
        self.insert("attempts", run=self.seq(run), key=key, n=n, status=status, **row)

    def gate(self, key, run="r1", n=1, **values):
        row = {
            "kind": "approval",
            "title": "Merge?",
            "decided_by": "person",
            "why": "",
            "show": "text",
            "body": "rm -rf build",
            "digest": "abc",
            "opened_at": NOW - 10_000,
            **values,
        }
        self.insert("gates", run=self.seq(run), id=f"{key}#{n}", key=key, **row)
        return f"{key}#{n}"

    def decide(self, gate, at, run="r1"):
        seq = self.seq(run)
        with self.store.write() as db:
            db.execute("UPDATE gates SET open = 0 WHERE run = ? AND id = ?", [seq, gate])
        self.insert(
            "decisions",
            run=seq,
            gate=gate,
            answer="approve",
            actor="person:ada",
            established="terminal",
            note="fine",
            digest="abc",
            decided_at=at,
        )

    def frame(self, n, run="r1", at=NOW - 50_000, why="started", **changes):
        seq = self.seq(run)
        self.insert("frames", run=seq, n=n, at=at, why=why)
        for key, status in changes.items():
            self.insert("step_history", run=seq, frame=n, key=key, status=status)
        with self.store.write() as db:
            db.execute("UPDATE runs SET frame = ? WHERE seq = ?", [n, seq])

    def snapshot(self, key, side, commit, at, attempt=1, run="r1", incomplete=()):
        self.insert(
            "snapshots",
            run=self.seq(run),
            key=key,
            attempt=attempt,
            side=side,
            commit_id=commit,
            taken_at=at,
            incomplete=json.dumps(list(incomplete)),
        )

    def open(self):
        db = reading.open_directory(self.root)
        db.clock = StillClock()
        self.readers.append(db)
        return db

    def close(self):
        for db in self.readers:
            db.close()
        self.store.close()
