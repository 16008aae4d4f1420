"""Smithers: durable runs of coding agents.

`import smithers` is the authoring API, and only that.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from smithers.author.context import Context
    from smithers.author.prompt import Prompt
    from smithers.author.steps import (
        Approval,
        Call,
        Check,
        CheckResult,
        Loop,
        Parallel,
        Sequence,
        Step,
        Task,
    )
    from smithers.author.workflow import Workflow, workflow

__all__ = [
    "Approval",
    "Call",
    "Check",
    "CheckResult",
    "Context",
    "Loop",
    "Parallel",
    "Prompt",
    "Sequence",
    "Step",
    "Task",
    "Workflow",
    "workflow",
]

_HOME = {"Context": "context", "Prompt": "prompt", "Workflow": "workflow", "workflow": "workflow"}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for: `smithers ps` must not pay for pydantic."""
    if name not in __all__:
        raise AttributeError(f"module 'smithers' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"smithers.author.{_HOME.get(name, 'steps')}"), name)
