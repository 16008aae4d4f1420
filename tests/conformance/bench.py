"""What a case works with: an agent set up against a scripted model, turns, and real runs of it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from smithers.agents import registry
from smithers.agents.base import Agent, AgentEvent, Answered, Turn, Verdict
from smithers.agents.permissions import Policy
from smithers.clock import SYSTEM
from smithers.config import AgentSpec
from smithers.process import sweep
from smithers.process.marks import Mark
from smithers.service import locate
from tests.conformance.subject import Subject
from tests.models import FakeModel
from tests.running import Workshop, until

WRITE = {"text": "I write.", "tools": [{"write": "hello.txt", "text": "hello\n"}]}
DONE = {"text": "Done."}
SCHEMA = {
    "title": "Report",
    "type": "object",
    "properties": {
        "ok": {"type": "boolean"},
        "files": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["ok", "files"],
    "additionalProperties": False,
}
REPORT = {"ok": True, "files": ["hello.txt"]}
_FOREIGN = (
    "ANTHROPIC_", "CLAUDE", "CODEX", "OPENAI_", "GEMINI_", "GOOGLE_", "OPENCODE_", "PI_", "XDG_", "IS_SANDBOX",
)  # fmt: skip
"""Variables that would tell an agent of somebody's own setup."""
FLOW = """\
from pydantic import BaseModel, field_validator
from smithers import *

class In(BaseModel):
    prompt: str = "do it"

class Answer(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def is_fit(cls, text):
        # No schema tells of it, so that no agent can have seen to it.
        assert text != "thirteen", "it is unfit"
        return text

@workflow("flow", summary="test", edits=True)
def flow(ctx: Context[In]):
    return Task("code", agent="coder", prompt="Write hello.txt", output=Answer)
"""


def isolate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is set here reaches an agent, and nothing but loopback answers it."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the port of discard: refused at once
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("A_SECRET_TOKEN", "none")


@dataclass
class Played:
    verdict: Verdict
    events: list[AgentEvent]

    def texts(self, kind: str) -> list[str]:
        return [event.text for event in self.events if event.kind.value == kind]

    def answered(self) -> Answered:
        assert isinstance(self.verdict, Answered), (self.verdict, self.events[-5:])
        return self.verdict


def section(name: str, spec: AgentSpec) -> str:
    """An agent as `config.toml` describes it."""
    keys = {
        "kind": spec.kind,
        "model": spec.model,
        "file" if spec.kind == "scripted" else "command": spec.command,
        "args": list(spec.args),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value]
    pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in spec.env.items())
    return "\n".join([f"[agents.{name}]", *lines, f"env = {{ {pairs} }}", ""])


class Bench:
    """The agent that is tested, in a home and a repository of its own."""

    def __init__(self, subject: Subject, workshop: Workshop, stack: ExitStack) -> None:
        self.subject = subject
        self.workshop = workshop
        self.home = workshop.root.parent / "home"
        self.work = workshop.root
        self.env: dict[str, str] = {}
        """More of the agent's `env` in config."""
        self.model: FakeModel
        self.spec: AgentSpec
        self._stack = stack
        workshop.patience = max(workshop.patience, 5 * subject.quiet)
        self._tokens: set[int] = set()

    def script(self, *replies: dict[str, Any]) -> FakeModel:
        """Start a model that gives these replies, and point the agent at it."""
        self.model = self._stack.enter_context(FakeModel(list(replies)))
        self.spec = self.subject.point(self.home, self.model)
        return self.model

    # -- turns --

    @property
    def agent(self) -> Agent:
        spec = replace(self.spec, env={**self.spec.env, **self.env})
        return registry.make(self.subject.name, spec, root=self.work)

    def turn(self, prompt: str = "Do it", **more: Any) -> Turn:
        mark = Mark("run", "code", 1, SYSTEM.token())
        self._tokens.add(mark.token)
        scratch = self.home.parent / "scratch" / f"{mark.token:x}"
        scratch.mkdir(parents=True)
        parts = {"session": str(uuid.uuid4()), "resume": False, "schema": None, **more}
        return Turn(prompt, self.work, scratch, mark, **parts)

    def play(self, prompt: str = "Do it", *, policy: Policy | None = None, **more: Any) -> Played:
        """One turn, to its end."""
        turn = self.turn(prompt, policy=policy or Policy(), **more)
        events: list[AgentEvent] = []
        verdict = asyncio.run(self.agent.play(turn, events.append))
        return Played(verdict, events)

    def left(self) -> set[int]:
        """Processes of turns, and of the run's attempts, that are alive."""
        return sweep.find(self._tokens | self._run_tokens())

    # -- runs --

    def start(self, *, limits: str = "") -> None:
        """A run of one task, in which a detached engine drives the agent."""
        spec = replace(self.spec, env={**self.spec.env, **self.env})
        self.workshop.config(f"{section('it', spec)}[limits]\n{limits}\n")
        flow = self.workshop.out / "flow.py"
        flow.write_text(FLOW)
        self.workshop.up(str(flow), agents={"coder": "it"})

    def until_asked(self, times: int) -> None:
        """The model was asked so often, or the script hangs where the model would."""
        if self.subject.asks:
            patience = self.workshop.patience
            until(lambda: len(self.model.requests) >= times, seconds=patience, tell=self._tell)
        else:
            self.workshop.until_step("code", "running")
            self.workshop.until(lambda _: "wait for" in self.workshop.log("code"))

    def release(self, hanging: threading.Event) -> None:
        """What hangs goes on."""
        hanging.set()
        (self.home / "go").touch()

    def said(self) -> str:
        """All that was said in the model's last request."""
        return self.model.requests[-1].said

    def end(self) -> None:
        """Kill what a dead engine has left, so that nothing is written any more."""
        assert sweep.sweep(self._run_tokens()) == []

    def forget(self) -> None:
        """All that the agent remembers of conversations is gone."""
        found = [path for path in self.home.glob(self.subject.memory) if path.is_file()]
        assert found, "it had kept something"
        for path in found:
            path.unlink()

    def _run_tokens(self) -> set[int]:
        return self.workshop.tokens() if locate.exists(self.work) else set()

    def _tell(self) -> str:
        if not locate.exists(self.work):
            return "no run"
        return f"{self.workshop.tell()}\n{self.workshop.log('code')}"


def workspace(bench: Bench) -> Path:
    return Path(bench.workshop.view().workspace)
