"""An agent that is a model alone: `model:<provider>:<name>`, with tools of our own.

A child of its own asks the model and uses the tools, so that limits, the sandbox and stopping are
those of every other agent. It uses its tools one by one, each as the policy rules.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import smithers
from smithers.agents.base import AgentEvent, Turn, Verdict
from smithers.agents.cli import CliAgent, Shape
from smithers.agents.models.reader import Reader
from smithers.agents.models.request import Request, conversation
from smithers.config import AgentSpec
from smithers.errors import AgentError, UnknownAgent

LIBRARY = "pydantic_ai"
INSTALL = "pip install 'smithers-tui[models]'"
_LOGINS = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    "google": ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
}
_FLAVOURS = ("-chat", "-responses")
"""Ends of a provider's name that choose one of its wires."""


@dataclass(frozen=True, slots=True)
class ModelAgent:
    """A model of a provider, with the keys of the provider and nobody else's."""

    name: str
    model: str
    """As `provider:name`."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.model

    @property
    def remembers(self) -> bool:
        return True

    async def play(self, turn: Turn, emit: Callable[[AgentEvent], None]) -> Verdict:
        """Play one turn in the conversation that `turn` names, new or resumed."""
        kept = conversation(turn)
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if turn.box is not None:
            write, read = (*turn.box.write, str(kept.parent)), (*turn.box.read, *_code())
            turn = replace(turn, box=replace(turn.box, write=write, read=read))
        secret = logins(self.model)
        env = {key: value for key, value in self.env.items() if key not in secret}
        program = CliAgent(self._shape(kept), self.name, model=self.model, env=env)
        return await program.play(turn, emit)

    def _shape(self, kept: Path) -> Shape:
        names = logins(self.model)
        return Shape(
            kind="model",
            command=sys.executable,
            install=INSTALL,
            # The workspace is no place to import from.
            argv=lambda *_: ("-P", "-m", "smithers.agents.models.main"),
            reader=lambda turn: Reader(turn, f"set an API key in {names[0]}"),
            login=(),
            signs=names,
            stdin=lambda turn: self._request(turn, kept).line(),
            schema=True,
        )

    def _request(self, turn: Turn, kept: Path) -> Request:
        known = {**os.environ, **self.env}
        return Request(
            model=turn.model or self.model,
            prompt=turn.prompt,
            workspace=turn.workspace,
            conversation=kept,
            resume=turn.resume,
            schema=turn.schema,
            policy=turn.policy,
            mark=turn.mark,
            login={name: known[name] for name in logins(self.model) if known.get(name)},
        )


def logins(model: str) -> tuple[str, ...]:
    """Variables that the provider of a model takes its login from, the key first."""
    provider = model.partition(":")[0]
    for flavour in _FLAVOURS:
        provider = provider.removesuffix(flavour)
    own = provider.upper().replace("-", "_")
    return _LOGINS.get(provider, (f"{own}_API_KEY", f"{own}_BASE_URL"))


def check(name: str, spec: AgentSpec) -> None:
    """Raise AgentError unless the model is named whole and the library is there."""
    provider, _, rest = spec.model.partition(":")
    if not (provider and rest):
        what = f"agent {name}: {spec.model!r} names no provider and model"
        raise UnknownAgent(what, next="say it as model:anthropic:claude-opus-5-5")
    if spec.args:
        raise AgentError(f"agent {name}: a model takes no args", next="remove `args` from config")
    if find_spec(LIBRARY) is None:
        raise AgentError(f"agent {name} needs pydantic-ai", next=INSTALL)


def _code() -> Iterable[str]:
    """Where the child's own code lies, for a box that hides what is around it."""
    yield from map(str, smithers.__path__)
    found = find_spec(LIBRARY)
    if found is not None and found.origin:
        yield str(Path(found.origin).parents[1])
