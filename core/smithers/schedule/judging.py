"""The verdict on an iteration that ended whole and without a hard failure."""

from __future__ import annotations

from pydantic import BaseModel

from smithers.author.context import Context, Reads
from smithers.author.render import guarded
from smithers.author.sight import refuse_unknown
from smithers.author.steps import Leaf, Loop
from smithers.errors import RenderError
from smithers.model.step import JSON, StepKind
from smithers.schedule.states import View, red


def judge(
    loop: Leaf, scope: str, number: int, view: View, *, input: BaseModel, tree: str
) -> dict[str, JSON]:
    """Whether to go round once more, and the files and checks that it was judged by.

    Raises RenderError; Unfit where `until` reads a kept output that does not fit.
    """
    steps = list(view.inside(scope))
    checks: list[JSON] = [
        [inner.key.removeprefix(scope), not red(inner, view.facts)]
        for inner in steps
        if inner.kind is StepKind.CHECK
    ]
    said: dict[str, JSON] = {"tree": tree, "checks": checks}
    if any(red(inner, view.facts) for inner in steps):
        return {"again": True, **said}
    if not isinstance(loop, Loop):
        raise RenderError(f"{scope} is an iteration in the plan and of no loop in the workflow")
    reads = Reads()
    done = guarded(loop.until, Context(input, view, scope=scope, iteration=number, reads=reads))
    refuse_unknown(reads, view, scope=scope, here=[inner.key for inner in steps])
    return {"again": not done, **said}
