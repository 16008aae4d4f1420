"""What a turn asks of the child: one line on its stdin, its secrets included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from smithers.agents.base import Turn
from smithers.agents.permissions import Policy
from smithers.process.marks import Mark


@dataclass(frozen=True, slots=True)
class Request:
    model: str
    """As `provider:name`."""
    prompt: str
    workspace: Path
    conversation: Path
    """The file that keeps it."""
    resume: bool
    schema: Mapping[str, Any] | None
    policy: Policy
    mark: Mark
    login: Mapping[str, str]
    """Variables for the provider's library, which no environment holds: tools would inherit it."""

    def line(self) -> str:
        """Write it down. What is no character, such as a lone surrogate, becomes `?`."""
        said = json.dumps(_adapter().dump_python(self, mode="json"), ensure_ascii=False)
        return said.encode("utf-8", "replace").decode() + "\n"


def read(line: bytes) -> Request:
    """The request of a line."""
    return _adapter().validate_python(json.loads(line))


def conversation(turn: Turn) -> Path:
    """The file of the turn's conversation, beside the scratch folders of the run's attempts.

    It goes when the run's scratch folder goes: `smithers gc` removes it with the run.
    """
    name = f"conversation-{turn.session.replace('/', '-')}"
    return turn.scratch.parent / name / "messages.json"


@cache
def _adapter() -> TypeAdapter[Request]:
    return TypeAdapter(Request)
