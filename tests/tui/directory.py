"""A real run directory for tests and pictures: schema of the store, rows put in by hand, log files."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

from smithers.model.step import Attempt, AttemptStatus
from smithers.process.identity import me
from smithers.store.database import VERSION

SCHEMA = Path(__file__).parents[2] / "core" / "smithers" / "store" / "schema.sql"
NOW = 1_795_003_591_000  # 2026-11-18 12:06:31 UTC
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000


class Directory:
    """Writes what an engine would. Every method commits."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / ".smithers" / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        path = self.state / "smithers.db"
        new = not path.exists()
        self.db = sqlite3.connect(path, isolation_level=None)
        if new:
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.executescript(SCHEMA.read_text())
            self.db.execute("INSERT INTO meta VALUES (?, 'test-store')", (VERSION,))

    def insert(self, table: str, **values: object) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))

    def update(self, run: str, **values: object) -> None:
        pairs = ", ".join(f"{name} = ?" for name in values)
        self.db.execute(f"UPDATE runs SET {pairs} WHERE id = ?", (*values.values(), run))

    def seq(self, run: str) -> int:
        return self.db.execute("SELECT seq FROM runs WHERE id = ?", (run,)).fetchone()[0]

    def run(
        self,
        name: str,
        title: str = "",
        *,
        status: str = "succeeded",
        age: int = HOUR,
        engine: bool | None = None,
        **more: object,
    ) -> str:
        """A run created `age` milliseconds before NOW. A live engine drives it if it runs."""
        values: dict[str, object] = {
            "id": name,
            "recipe": "implement",
            "title": title or name,
            "source": "recipe:implement",
            "source_digest": "0" * 64,
            "input": "{}",
            "created_at": NOW - age,
            "created_by": "person:ada",
            "root": str(self.root),
            "workspace": str(self.state / "worktrees" / name),
            "status": status,
            "started_at": NOW - age + 400,
            "total": 4,
            "done": 4 if status == "succeeded" else 1,
        }
        if status in {"succeeded", "failed", "cancelled"}:
            values["finished_at"] = NOW - age + 12 * MINUTE
        values.update(more)
        self.insert("runs", **values)
        if engine if engine is not None else status == "running":
            self.engine(name)
        return name

    def engine(self, run: str, *, pid: int | None = None) -> None:
        """This very process holds the lease; another pid makes a dead one."""
        owner = me()
        self.insert(
            "leases",
            run=self.seq(run),
            fence=1,
            host=owner.host,
            boot_id=owner.boot_id,
            pid_ns=owner.pid_ns,
            pid=pid or owner.pid,
            start_time=owner.start_time if pid is None else 1,
            expires_at=NOW + 15_000,
            held=1,
        )

    def kill_engine(self, run: str) -> None:
        self.db.execute(
            "UPDATE leases SET pid = 999999, start_time = 1 WHERE run = ?", (self.seq(run),)
        )

    def step(
        self,
        run: str,
        key: str,
        *,
        kind: str = "task",
        status: str = "succeeded",
        scope: str = "",
        **more: object,
    ) -> None:
        seq = self.seq(run)
        at = self.db.execute("SELECT count(*) FROM steps WHERE run = ?", (seq,)).fetchone()[0]
        self.insert(
            "steps",
            **{
                "run": seq,
                "key": key,
                "scope": scope,
                "position": at,
                "kind": kind,
                "title": key,
                "status": status,
                **more,
            },
        )

    def attempt(
        self,
        run: str,
        key: str,
        n: int = 1,
        *,
        status: str = "succeeded",
        age: int = 10 * MINUTE,
        took: int | None = MINUTE,
        **more: object,
    ) -> Path:
        """Returns the path of its log."""
        begun = NOW - age
        token = int.from_bytes(hashlib.sha256(f"{run}{key}{n}".encode()).digest()[:6])
        self.insert(
            "attempts",
            **{
                "run": self.seq(run),
                "key": key,
                "n": n,
                "token": token,
                "status": status,
                "started_at": begun,
                "finished_at": None if status == "running" or took is None else begun + took,
                "agent": "claude",
                "model": "sonnet-5",
                **more,
            },
        )
        attempt = Attempt(key, n, token, AttemptStatus(status), begun)
        path = self.state / "logs" / run / f"{attempt.id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def gate(
        self,
        run: str,
        key: str,
        *,
        gate_id: str = "",
        title: str = "",
        body: str = "",
        show: str = "text",
        age: int = 3 * MINUTE,
        by: str = "person",
        why: str = "",
        digest: str = "",
        kind: str = "approval",
    ) -> str:
        gate_id = gate_id or f"{key}#1"
        digest = digest or hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()
        self.insert(
            "gates",
            run=self.seq(run),
            id=gate_id,
            key=key,
            kind=kind,
            title=title,
            decided_by=by,
            why=why,
            show=show,
            body=body,
            digest=digest,
            opened_at=NOW - age,
        )
        return gate_id

    def decide(
        self,
        run: str,
        gate: str,
        answer: str,
        *,
        actor: str = "person:bob",
        established: str = "terminal",
        note: str = "",
        age: int = 2000,
    ) -> None:
        """What another process does."""
        seq = self.seq(run)
        self.db.execute("BEGIN IMMEDIATE")
        self.insert(
            "decisions",
            run=seq,
            gate=gate,
            answer=answer,
            actor=actor,
            established=established,
            note=note,
            digest="",
            decided_at=NOW - age,
        )
        self.db.execute("UPDATE gates SET open = 0 WHERE run = ? AND id = ?", (seq, gate))
        self.db.execute("COMMIT")

    def frame(self, run: str, why: str, *, age: int, **changes: str) -> None:
        seq = self.seq(run)
        n = self.db.execute(
            "SELECT coalesce(max(n), 0) + 1 FROM frames WHERE run = ?", (seq,)
        ).fetchone()[0]
        self.insert("frames", run=seq, n=n, at=NOW - age, why=why)
        for key, status in changes.items():
            self.insert("step_history", run=seq, frame=n, key=key, status=status)
        self.update(run, frame=n)


def write_log(path: Path, lines: list[tuple[str, str, str]], *, age: int = 5 * MINUTE) -> None:
    """Lines as (stream, kind, text), a second apart."""
    with path.open("a") as file:
        for n, (stream, kind, text) in enumerate(lines):
            file.write(
                json.dumps({"t": NOW - age + n * SECOND, "s": stream, "k": kind, "d": text}) + "\n"
            )
