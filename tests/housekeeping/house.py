"""Runs as engines leave them, with worktrees, branches and snapshots by the real hands; no engine."""

import hashlib
import subprocess
from pathlib import Path

from smithers.clock import SYSTEM
from smithers.engine import checker, room
from smithers.process import identity
from smithers.service import locate
from smithers.store.database import Store, open_reader
from smithers.vcs import snapshots, worktrees
from smithers.vcs.repository import discover

DAY = 86_400_000
TOKEN = 0xABCDEF


class House:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.org")
        (root / "a.txt").write_text("one\ntwo\n")
        (root / "same.txt").write_text("secret of the project\n")
        (root / ".gitignore").write_text(".smithers/\n*.log\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "first")
        locate.ensure(root)
        self.state = locate.state_dir(root)
        self.store = Store(self.state)

    def git(self, *args: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *args], cwd=cwd or self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def insert(self, table: str, **values: object) -> None:
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        with self.store.write() as db:
            db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))

    def run(
        self,
        name: str,
        *,
        status: str = "succeeded",
        age: int = 40 * DAY,
        files: dict[str, str] | None = None,
        committed: bool = True,
        in_place: bool = False,
        parent: str = "",
        held: bool = False,
    ) -> str:
        """A run that wrote these files; `committed` to its branch, or only in its worktree."""
        ended = status in {"succeeded", "failed", "cancelled"}
        at = SYSTEM.now() - age
        path = self.root if in_place else self.worktree(name)
        base = self.git("rev-parse", "HEAD")
        before = after = base
        for side in ("before", "after") if in_place else ():
            self.git("update-ref", snapshots.ref(name, "code", 1, side), base)
        if not in_place:
            worktrees.create(discover(self.root), name, path)
            before = self._snapshot(name, path, "before", base)
            for file, text in (files or {}).items():
                (path / file).write_text(text)
            after = self._snapshot(name, path, "after", before)
            if committed and files:
                snapshots.commit_to_branch(path, f"{name} done")
        self.insert(
            "runs", id=name, recipe="flow", title=f"Title of {name}", source="recipe:flow",
            source_digest="d", input="{}", created_at=at - 1000, created_by="person:ada",
            root=str(self.root), workspace=str(path), branch="" if in_place else f"smithers/{name}",
            base=base, status=status, started_at=at - 900, parent=parent,
            finished_at=at if ended else None, frame=1, total=1, done=1,
        )  # fmt: skip
        ((seq,),) = self.store.all("SELECT seq FROM runs WHERE id = ?", (name,))
        me = identity.me()
        self.insert(
            "leases", run=seq, fence=1, host=me.host, boot_id=me.boot_id, pid_ns=me.pid_ns,
            pid=me.pid, start_time=me.start_time, expires_at=at, held=int(held),
        )  # fmt: skip
        self.insert(
            "steps", run=seq, key="code", scope="", position=0, kind="task", title="Code",
            status="succeeded",
        )  # fmt: skip
        self.insert(
            "attempts", run=seq, key="code", n=1, token=TOKEN, status="succeeded",
            started_at=at - 800, finished_at=at - 100,
        )  # fmt: skip
        self.insert("outputs", run=seq, key="code", value='"done"')
        self.insert("frames", run=seq, n=1, at=at, why="code succeeded")
        self.insert("step_history", run=seq, frame=1, key="code", status="succeeded")
        for side, commit in (("before", before), ("after", after)):
            self.insert(
                "snapshots", run=seq, key="code", attempt=1, side=side, commit_id=commit,
                taken_at=at,
            )  # fmt: skip
        self._files(name)
        return name

    def _snapshot(self, name: str, path: Path, side: str, parent: str) -> str:
        ref = snapshots.ref(name, "code", 1, side)
        return snapshots.take(path, ref, message=side, parent=parent).commit

    def _files(self, name: str) -> None:
        for folder, file in (("logs", f"code.1.{TOKEN:012x}.jsonl"), ("scratch", "played.json")):
            (self.state / folder / name).mkdir(parents=True)
            (self.state / folder / name / file).write_text('{"t":1,"s":"agent","k":"","d":"hi"}\n')
        (self.state / "engines" / f"{name}.lock").touch()
        assert room.have_reserve(self.state)

    def worktree(self, name: str) -> Path:
        return self.state / "worktrees" / name

    def land(self, name: str) -> None:
        self.git("merge", "-q", "--no-ff", "-m", "land", f"smithers/{name}")

    def ids(self) -> list[str]:
        return [name for (name,) in self.store.all("SELECT id FROM runs ORDER BY seq")]

    def traces(self, name: str) -> list[str]:
        """Everything that is left of a run, wherever."""
        found = [str(path) for path in self.state.glob(f"*/*{name}*")]
        found += [ref for ref in self.git("for-each-ref").split("\n") if f"smithers/{name}" in ref]
        found += [
            path
            for path in self.git("worktree", "list").split("\n")
            if f"worktrees/{name} " in path
        ]
        found += [each for each in self.ids() if each == name]
        return found

    def digest(self) -> str:
        """Of every file and folder, but those that SQLite alone may open, and of all rows."""
        seen = hashlib.sha256()
        for path in sorted(self.root.rglob("*")):
            if path.name.startswith("smithers.db"):
                continue
            status = path.lstat()
            seen.update(f"{path}{status.st_mode}{status.st_mtime_ns}{status.st_ino}".encode())
            if path.is_file():
                seen.update(path.read_bytes())
        seen.update(repr(self.rows()).encode())
        return seen.hexdigest()

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        tables = [
            name for (name,) in self.store.all("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        return {table: self.store.all(f"SELECT * FROM {table}") for table in tables}

    def check(self) -> list[str]:
        """What does not fit together; the made-up lease of a run that `held` it apart."""
        reader = open_reader(self.state)
        try:
            wrong = [words for (words,) in reader.all("PRAGMA integrity_check") if words != "ok"]
            return wrong + [each for name in self.ids() for each in checker.check(reader, name)]
        finally:
            reader.close()
