"""Real runs for tests: a repository, workflow files, scripted agents, detached engines, and nothing left after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import pytest

from smithers.engine import checker
from smithers.model.gate import Answer
from smithers.model.run import Facts, Lease, RunStatus
from smithers.process import sweep
from smithers.process.identity import Life, life, signal_owner
from smithers.service import control, locate, reading
from smithers.service.views import DecisionView, RunView
from smithers.store import runs

T = TypeVar("T")
Turn = dict[str, Any]

PATIENCE = 40.0  # seconds: a busy machine, never a wait that is planned
ACTOR = "person:tester"
HEADER = """\
from pydantic import BaseModel
from smithers import *

class In(BaseModel):
    prompt: str = "do it"

class Answer(BaseModel):
    text: str

"""


def until(ask: Callable[[], T], *, seconds: float = PATIENCE, tell: Callable[[], str] = str) -> T:
    """What `ask` answers, once that is true. Looks again at each 5 ms; `tell` explains a failure."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s. {tell()}")
        time.sleep(0.005)
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


@dataclass
class Workshop:
    """One run directory, and the verbs as a person at a terminal uses them."""

    root: Path
    out: Path
    """A folder outside the workspace: what steps tell the test, and the test tells them."""
    patience: float = PATIENCE
    """Seconds that anything of a run may take."""
    _db: reading.Directory | None = field(default=None, repr=False)

    # -- files --

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> None:
        """Write files (`name__py` for `name.py`) and commit everything."""
        for name, text in files.items():
            (self.root / name.replace("__", ".")).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "files")

    def config(self, text: str) -> None:
        home = self.root / ".smithers"
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(text)

    def flow(self, body: str, *, edits: bool = False, name: str = "flow") -> str:
        """A workflow file whose function has this body. `OUT` in it is the folder outside."""
        path = self.out / f"{name}.py"
        text = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        path.write_text(
            f"{HEADER}OUT = {str(self.out)!r}\n\n"
            f'@workflow("{name}", summary="test", edits={edits})\n'
            f"def {name}(ctx: Context[In]):\n{text}\n"
        )
        return str(path)

    def script(self, *turns: Turn, name: str = "script") -> str:
        """A scripted agent, by the name under which a role is given to it."""
        path = self.out / f"{name}.json"
        path.write_text(json.dumps({"turns": list(turns)}))
        return f"scripted:{path}"

    def touch(self, name: str) -> None:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def lines(self, name: str) -> list[str]:
        path = self.out / name
        return path.read_text().split() if path.exists() else []

    def until_file(self, name: str) -> Path:
        path = self.out / name
        until(path.exists, tell=self.tell)
        return path

    # -- verbs --

    def up(
        self,
        flow: str,
        *turns: Turn,
        run: str = "r",
        agents: Mapping[str, str] | None = None,
        workspace: str | None = None,
        budget: Mapping[str, float] | None = None,
        **given: Any,
    ) -> str:
        cast = dict(agents or {})
        if turns:
            cast["coder"] = self.script(*turns)
        return control.up(
            self.root, flow, prompt=None, input=given, run_id=run, agents=cast,
            workspace=workspace, budget=budget or {}, actor=ACTOR,
        )  # fmt: skip

    def decide(self, answer: Answer, run: str = "r", gate: str | None = None) -> DecisionView:
        return control.decide(
            self.root, run, gate, answer, actor=ACTOR, established="terminal", note="noted"
        )

    def approve(self, run: str = "r", gate: str | None = None) -> DecisionView:
        return self.decide(Answer.APPROVE, run, gate)

    def resume(self, run: str = "r") -> None:
        control.resume(self.root, run, agents={}, actor=ACTOR)

    # -- questions --

    @property
    def db(self) -> reading.Directory:
        if self._db is None:
            self._db = reading.open_directory(self.root)
        return self._db

    def view(self, run: str = "r") -> RunView:
        return reading.run(self.db, run)

    def until(
        self, condition: Callable[[RunView], Any], run: str = "r", *, seconds: float | None = None
    ) -> RunView:
        """The run's view once it satisfies a condition. Looks when something was committed, and
        now and then, since a death commits nothing."""
        seconds = self.patience if seconds is None else seconds
        deadline = time.monotonic() + seconds
        while True:
            reading.changed(self.db)
            view = self.view(run)
            if condition(view):
                return view
            again = time.monotonic() + 0.1
            if again > deadline:
                raise AssertionError(f"not within {seconds:g} s. {self.tell()}")
            while time.monotonic() < again and not reading.changed(self.db):
                time.sleep(0.001)

    def until_status(self, *status: RunStatus, run: str = "r") -> RunView:
        """The run once it has one of these statuses; it may not end with another."""
        found = self.until(lambda view: view.row.status in status or view.row.status.ended, run)
        assert found.row.status in status, self.tell()
        return found

    def until_ended(self, run: str = "r") -> RunView:
        """The run once it has ended and its engine is gone."""
        self.until(lambda view: view.row.status.ended, run)
        self.until_no_engine(run)
        view = self.view(run)
        assert view.row.finished_at is not None, "it only reads as if it had: " + self.tell()
        return view

    def until_step(self, key: str, *status: str, run: str = "r") -> RunView:
        return self.until(lambda view: states(view).get(key) in status, run)

    def until_frame(self, number: int, run: str = "r") -> None:
        """As soon as the frame is there, or the run has ended with fewer."""
        self.until(lambda view: view.row.frame >= number or view.row.status.ended, run)

    def attempts(self, run: str = "r") -> dict[str, list[str]]:
        return {
            step.key: [attempt.status.value for attempt in step.attempts]
            for step in self.view(run).steps
            if step.attempts
        }

    def facts(self, run: str = "r") -> Facts:
        return runs.facts(self.db.reader, run)

    def log(self, step: str, attempt: int | None = None, run: str = "r") -> str:
        lines = reading.log(self.db, run, step, attempt)
        return "\n".join(f"{line.kind}: {line.text}" for line in lines)

    def prompts(self, step: str, attempt: int = 1, run: str = "r") -> list[str]:
        """What the agent was asked, turn by turn, as the log has it."""
        (found,) = [each for each in self.view(run).steps if each.key == step]
        (tried,) = [each for each in found.attempts if each.n == attempt]
        records = [json.loads(line) for line in Path(tried.log).read_text().splitlines()]
        return [
            "\n".join(record["d"] for record in turn)
            for kind, turn in groupby(records, lambda record: record["k"])
            if kind == "prompt"
        ]

    def tell(self) -> str:
        """All that helps to see why a test failed."""
        parts: list[str] = []
        for row in reading.runs(self.db):
            view = reading.run(self.db, row.id)
            parts.append(f"\n{row.id}: {row.status} ({row.status_reason}) {view.error}")
            parts += [f"  frame {f.n}: {f.why}" for f in reading.frames(self.db, row.id)]
            parts += [f"  {s.key}: {s.status} {s.reason}" for s in view.steps]
            log = locate.state_dir(self.root) / "logs" / row.id / "engine.log"
            parts.append("  engine.log: " + (log.read_text() if log.exists() else "none")[-2000:])
        return "\n".join(parts)

    # -- engines --

    def lease(self, run: str = "r") -> tuple[Lease, bool]:
        return runs.lease(self.db.reader, run)

    def engine(self, run: str = "r") -> int:
        """Pid of the engine that holds the run."""
        lease, held = self.lease(run)
        assert held, self.tell()
        return lease.owner.pid

    def engine_lives(self, run: str = "r") -> bool:
        """The last engine that drove the run is still there."""
        lease, _ = self.lease(run)
        mine = lease.owner.pid == os.getpid()  # a test that plays an engine
        return not mine and life(lease.owner) in {Life.ALIVE, Life.SUSPENDED}

    def until_no_engine(self, run: str = "r") -> None:
        until(lambda: not self.engine_lives(run), tell=self.tell)

    def kill_engine(self, run: str = "r") -> None:
        """SIGKILL, and wait until it is gone."""
        if self.engine_lives(run):
            signal_owner(self.lease(run)[0].owner, signal.SIGKILL)
            self.until_no_engine(run)

    def tokens(self) -> set[int]:
        rows = self.db.reader.all("SELECT token FROM attempts")
        return {token for (token,) in rows}

    def close(self) -> list[str]:
        """End what is left.

        Returns what is wrong: records that disagree, processes that nobody should have had to end.
        """
        wrong: list[str] = []
        rows = reading.runs(self.db, limit=200) if locate.exists(self.root) else []
        open_runs = [row.id for row in rows if not row.status.ended]
        if rows:
            for run in open_runs:
                self.kill_engine(run)
            if open_runs:
                sweep.sweep(self.tokens())
            wrong = [each for row in rows for each in checker.check(self.db.reader, row.id)]
            self.db.close()
        deadline = time.monotonic() + 10
        while (left := processes(self.root.parent)) and time.monotonic() < deadline:
            time.sleep(0.01)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return [*wrong, *left.values()]


def states(view: RunView) -> dict[str, str]:
    return {step.key: step.status.value for step in view.steps if not step.gone}


def processes(folder: Path) -> dict[int, str]:
    """Living processes that work in the folder or were told of it, with their command lines."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")  # noqa: PTH115
        except OSError:
            continue
        involved = str(folder) in command or Path(where).is_relative_to(folder)
        if involved and alive(int(entry.name)):
            found[int(entry.name)] = command
    return found


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """An empty repository with one commit; at the end no process of its runs may be left."""
    with opened(tmp_path, monkeypatch) as made:
        yield made


@contextmanager
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    """The same in a folder that somebody else clears up."""
    for name in [name for name in os.environ if name.startswith(("SMITHERS_", "GIT_"))]:
        monkeypatch.delenv(name)
    # As a person has it: what an engine caches is part of what is tested.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    home = folder / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # Steps of tests leave their notes beside the workspace, where no box lets them write.
    person = home / ".config/smithers/config.toml"
    person.parent.mkdir(parents=True)
    person.write_text('[sandbox]\nlevel = "off"\n')
    root, out = folder / "project", folder / "out"
    root.mkdir()
    out.mkdir()
    made = Workshop(root, out)
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Tester")
    made.git("config", "user.email", "tester@localhost")
    made.commit(README="read me\n")
    yield made
    wrong = made.close()
    assert not wrong, "\n".join(wrong)


def write(path: str, text: str, *, step: str = "code", **more: Any) -> Turn:
    """A turn that writes one file and answers."""
    return {"step": step, "do": [{"write": path, "text": text}], "output": {"text": path}, **more}


def fail(kind: str, *, step: str = "code", **more: Any) -> Turn:
    return {"step": step, "do": [{"fail": kind, **more}]}


HOLD = "echo $$ >>{out}/{name}.pids; touch {out}/{name}.reached; until [ -e {out}/{name}.go ]; do sleep 0.02; done"


def hold(workshop: Workshop, name: str) -> str:
    """A shell command that says it was reached and waits to be let go."""
    return HOLD.format(out=workshop.out, name=name)


def pids(workshop: Workshop, name: str) -> Sequence[int]:
    return [int(word) for word in workshop.lines(f"{name}.pids")]
