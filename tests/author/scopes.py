"""A scope rendered over facts that a test writes down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel

from smithers.author.render import Rendered, render
from smithers.author.steps import Step
from smithers.model.run import Facts, Run
from smithers.model.step import (
    JSON,
    Attempt,
    AttemptStatus,
    Output,
    StepState,
    StepStatus,
)


class Given(BaseModel):
    goal: str = "build it"


def facts(
    outputs: Mapping[str, JSON] | None = None,
    *,
    states: Mapping[str, StepStatus] | None = None,
    iterations: Mapping[str, int] | None = None,
    failed: Mapping[str, JSON] | None = None,
    retry_at: int | None = None,
) -> Any:
    """What a context reads from. `failed`: what a failed attempt of a step found."""
    run = Run("r", "w", "W", "", "", {}, 0)
    known = Facts(run, outputs={key: Output(key, value) for key, value in (outputs or {}).items()})
    for key, value in (failed or {}).items():
        status = AttemptStatus.FAILED
        known.attempts[key] = [Attempt(key, 1, 1, status, 0, 1, value=value, retry_at=retry_at)]
    known_states = {key: StepState(StepStatus.SUCCEEDED, ok=True) for key in outputs or {}}
    known_states |= {key: StepState(status) for key, status in (states or {}).items()}
    return SimpleNamespace(facts=known, states=known_states, iterations=dict(iterations or {}))


def rendered(
    body: Callable[..., Step[Any]],
    source: Any = None,
    *,
    scope: str = "",
    edits: bool = False,
) -> Rendered:
    iteration = int(scope.rsplit("[", 1)[1][:-1]) if scope else 0
    source = source or facts()
    return render(body, Given(), source, scope=scope, iteration=iteration, edits=edits)


def seen(
    ask: Callable[..., Any], source: Any, *, scope: str = "", ids: tuple[str, ...] = ()
) -> Any:
    """What a render is answered. `ids` are the steps that it places."""
    from smithers.author.steps import Sequence, Task

    answers = []

    def body(ctx: Any) -> Step[Any]:
        answers.append(ask(ctx))
        return Sequence(*(Task(name, agent="a", prompt="p") for name in ids))

    rendered(body, source, scope=scope)
    return answers[-1]
