"""What can still be said of a scope whose render reads a kept output that does not fit any more.

Steps that neither come after that output nor are defined by it go on. All others stay in the plan
as they were recorded, and are held: they do not start until the workflow fits again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from smithers.author.base import HELD, Unfit
from smithers.author.context import Reads
from smithers.author.render import Rendered
from smithers.model.step import JSON, Output, PlanStep, StepKind

_TELLING = frozenset({StepKind.TASK, StepKind.CHECK, StepKind.APPROVAL})
"""Kinds whose definition tells all that they were made from.

A loop's body and a call's arguments could hold the value without its being seen.
"""


def hold(
    scope: str,
    recorded: Iterable[PlanStep],
    lenient: Rendered | None,
    error: Unfit,
    outputs: Mapping[str, Output],
) -> Rendered:
    """The scope as it was recorded, with what is free taken from a render without the output.

    `lenient`: that render; None where there is none.
    """
    reads = Reads() if lenient is None else lenient.reads
    kept = Rendered(scope, reads)
    behind = {error.key, *reads.unfit}
    for step in recorded:
        was = bare(step)
        now = lenient.steps.get(step.key) if lenient is not None else None
        if behind.intersection(was.after) or (now and behind.intersection(now.after)):
            behind.add(step.key)
        if lenient is not None and now == was and _free(was, behind):
            kept.steps[step.key], kept.authors[step.key] = now, lenient.authors[step.key]
        elif step.key in outputs:
            kept.steps[step.key] = step
        else:
            kept.steps[step.key] = held(was, error.reason)
    return kept


def _free(step: PlanStep, behind: set[str]) -> bool:
    return step.kind in _TELLING and step.key not in behind


def held(step: PlanStep, reason: str) -> PlanStep:
    return replace(step, spec={**step.spec, HELD: reason})


def bare(step: PlanStep) -> PlanStep:
    """The step as its author defined it."""
    if HELD not in step.spec:
        return step
    spec: dict[str, JSON] = {name: value for name, value in step.spec.items() if name != HELD}
    return replace(step, spec=spec)
