"""The steps an author writes. Each is a value; making one does nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload

from pydantic import BaseModel

from smithers.author.base import CheckResult, Decided, Step, written_at
from smithers.author.context import Context
from smithers.author.prompt import Prompt

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Leaf(Step[T]):
    when: bool = True
    """False skips the step; what follows goes on. A plain value of this render."""
    needs: tuple[Step[Any] | str, ...] = ()
    """Steps that must have ended well before, beyond what Sequence says."""
    retries: int | None = None
    """More tries after a failure. None: the default of its kind."""
    timeout: float | None = None
    """Seconds an attempt may take. None: the default of its kind."""
    title: str = ""
    at: str = field(default_factory=written_at, repr=False)

    def named(self) -> str:
        return str(getattr(self, "id"))  # noqa: B009 - each leaf declares it in its own place


@dataclass(frozen=True, eq=False, init=False)
class Task(_Leaf[T]):
    """Work for an agent. Without `output` the value is its last words.

    `agent` is a role; of several, who plays the next one takes over at a limit or after failures.

    >>> Task("code", agent="coder", prompt="Make the tests pass.").id
    'code'
    """

    id: str
    agent: str | tuple[str, ...]
    prompt: str | Prompt
    output: type[BaseModel] | None

    @overload
    def __init__(
        self: Task[M],
        id: str,
        *,
        agent: str | tuple[str, ...],
        prompt: str | Prompt,
        output: type[M],
        when: bool = ...,
        needs: tuple[Step[Any] | str, ...] = ...,
        retries: int | None = ...,
        timeout: float | None = ...,
        title: str = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: Task[str],
        id: str,
        *,
        agent: str | tuple[str, ...],
        prompt: str | Prompt,
        output: None = ...,
        when: bool = ...,
        needs: tuple[Step[Any] | str, ...] = ...,
        retries: int | None = ...,
        timeout: float | None = ...,
        title: str = ...,
    ) -> None: ...
    def __init__(
        self,
        id: str,
        *,
        agent: str | tuple[str, ...],
        prompt: str | Prompt,
        output: type[BaseModel] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "agent", agent)
        object.__setattr__(self, "prompt", prompt)
        object.__setattr__(self, "output", output)

    def result(self) -> type[BaseModel] | None:
        return self.output


@dataclass(frozen=True, eq=False)
class Check(_Leaf[CheckResult]):
    """A question put to the workspace: `/bin/sh -c command`, answered by its exit code."""

    id: str
    command: str
    ok: tuple[int, ...] = (0,)

    def result(self) -> type[BaseModel] | None:
        return CheckResult


@dataclass(frozen=True, eq=False, init=False)
class Call(_Leaf[T]):
    """A Python function: `async def` runs on the engine's loop, `def` in a thread."""

    id: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    output: type[BaseModel] | None

    def __init__(
        self,
        id: str,
        fn: Callable[..., Any],
        *args: Any,
        output: type[BaseModel] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "fn", fn)
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "output", output)

    def result(self) -> type[BaseModel] | None:
        return self.output


@dataclass(frozen=True, eq=False)
class Approval(_Leaf[Decided]):
    """A gate. Until somebody who may do so decides, nothing after it starts."""

    id: str
    ask: str
    by: Literal["anyone", "person"] = "person"
    show: str | None = None
    """`"diff"` shows the run's diff; any other text is shown itself."""
    on_deny: Literal["fail", "continue"] = "fail"

    def result(self) -> type[BaseModel] | None:
        return Decided


@dataclass(frozen=True, eq=False)
class Loop(_Leaf[dict[str, Any]]):
    """Iterations of a body until `until` holds of one that ended whole.

    An iteration that a red check ended is "not yet". At the bound: fail, ask (a gate) or continue.
    """

    id: str
    body: Callable[[Context[Any]], Step[Any]]
    until: Callable[[Context[Any]], bool] = field(kw_only=True)
    max_iterations: int = field(kw_only=True)
    on_exhausted: Literal["fail", "ask", "continue"] = field(default="fail", kw_only=True)


class Sequence(Step[Any]):
    """One after the other. A failed step ends it: the later ones are skipped."""

    def __init__(self, *steps: Step[Any]) -> None:
        self.steps = steps
        self.at = written_at()


class Parallel(Step[Any]):
    """Side by side, at most `limit` at a time."""

    def __init__(self, *steps: Step[Any], limit: int | None = None) -> None:
        self.steps = steps
        self.limit = limit
        self.at = written_at()


Leaf = Task[Any] | Check | Call[Any] | Approval | Loop

__all__ = [
    "Approval",
    "Call",
    "Check",
    "CheckResult",
    "Decided",
    "Leaf",
    "Loop",
    "Parallel",
    "Sequence",
    "Step",
    "Task",
]
