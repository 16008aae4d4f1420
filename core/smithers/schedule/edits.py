"""What an edit of the workflow changed, in words: for each step, and how it stood at that time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from smithers.model.run import Facts
from smithers.model.step import JSON, AttemptStatus, PlanStep
from smithers.schedule.kept import bare
from smithers.schedule.states import View, last_gate

_NAMES = {
    "agent": "its agent",
    "prompt": "its prompt",
    "template": "its prompt file",
    "command": "its command",
    "ok": "the exit codes that pass",
    "schema": "its output model",
    "ask": "its question",
    "show": "what it shows",
    "by": "who may decide",
    "on_deny": "what a denial does",
    "max": "max_iterations",
    "on_exhausted": "on_exhausted",
    "until": "its condition",
    "retries": "its retries",
    "timeout": "its time limit",
}
_UNKNOWN_OF_OLD = frozenset({"schema", "template", "until"})
"""Marks that a plan recorded by an earlier program may lack."""
_CUT_SHORT = frozenset(
    {
        AttemptStatus.RUNNING,
        AttemptStatus.INTERRUPTED,
        AttemptStatus.STOPPED,
        AttemptStatus.ASKED,
    }
)


def of_plan(
    before: Mapping[str, PlanStep], now: Mapping[str, PlanStep], view: View, *, code: bool
) -> Iterator[str]:
    """One clause for each step that one scope has, had, or defines in another way.

    `code`: the workflow file itself was edited; else only prompt files can have been.
    """
    for key, step in now.items():
        if not code and "template" not in step.spec:
            continue
        old = before.get(key)
        if old is None:
            if code:
                yield _added(step, before, now, view.facts)
            continue
        what = _differences(bare(old), bare(step), code=code)
        if code and key not in view.facts.outputs and _moved(key, before, now):
            what.append("what it comes after")
        if what:
            yield f"{key}: {_list(what)} changed {_when_changed(key, view, what)}"
    for key in before:
        if key not in now and code:
            yield f"{key}: removed {_when_removed(key, view)}"


def of_input(given: Mapping[str, JSON], facts: Facts, model: str) -> Iterator[str]:
    """What the input model has that the run was not given, and the reverse."""
    known = facts.run.input
    if more := [name for name in given if name not in known]:
        yield f"{model}: {_list(more)} came to the input, this run has the default"
    if less := [name for name in known if name not in given]:
        yield f"{model}: {_list(less)} left the input, what was given is not used"


def _differences(old: PlanStep, new: PlanStep, *, code: bool) -> list[str]:
    if old == new:
        return []
    changed = [
        words
        for name, words in _NAMES.items()
        if old.spec.get(name) != new.spec.get(name)
        and not (name in _UNKNOWN_OF_OLD and name not in old.spec)
    ]
    if not code:
        return [words for words in changed if words == _NAMES["template"]]
    if old.kind is not new.kind:
        return [f"its kind (from {old.kind} to {new.kind})"]
    if old.when != new.when:
        changed.append("its `when`")
    if old.limits != new.limits:
        changed.append("its limit")
    if old.title != new.title:
        changed.append("its title")
    return changed


def _moved(key: str, before: Mapping[str, PlanStep], now: Mapping[str, PlanStep]) -> bool:
    """Of the steps that were there and still are, others come before it now."""
    if before[key].after == now[key].after:
        return False
    return _ahead(key, before) & now.keys() != _ahead(key, now) & before.keys()


def _ahead(key: str, plan: Mapping[str, PlanStep]) -> set[str]:
    """All that must have ended before the step may start."""
    found: set[str] = set()
    awaited = list(plan[key].after)
    while awaited:
        before = awaited.pop()
        if before not in found:
            found.add(before)
            awaited += plan[before].after if before in plan else ()
    return found


def _when_changed(key: str, view: View, what: list[str]) -> str:
    facts = view.facts
    if key in facts.outputs:
        return "after it had finished: its output is kept, it does not run again"
    if key in view.iterations:
        return "while it went round: it counts from the end of this iteration"
    gate = last_gate(facts, key)
    if gate is not None:
        words = {_NAMES["ask"], _NAMES["show"]}.intersection(what)
        counts = ": a decision about other words does not count" if words else ""
        return f"while its gate was open{counts}"
    attempts = facts.attempts.get(key)
    if not attempts:
        return "before it began: it runs as it is now"
    if attempts[-1].status in _CUT_SHORT:
        return "while it was at work: its next attempt is as it is now"
    return "after it had failed: another attempt is as it is now"


def _when_removed(key: str, view: View) -> str:
    facts = view.facts
    if key in facts.outputs:
        return "after it had finished: its output is kept"
    if key in view.iterations:
        return "while it went round: its last iteration was ended"
    attempts = facts.attempts.get(key)
    if attempts and attempts[-1].status in _CUT_SHORT:
        return "while it was at work: its attempt was ended"
    if attempts:
        return "after it had failed"
    if last_gate(facts, key) is not None:
        return "while its gate was open"
    return "before it began"


def _added(
    step: PlanStep, before: Mapping[str, PlanStep], now: Mapping[str, PlanStep], facts: Facts
) -> str:
    if step.key in facts.outputs:
        return f"{step.key}: came back into the plan, with the output that it had"
    lost = (old for key, old in before.items() if key not in now)
    for old in lost:
        if _alike(old, step) and (old.key in facts.outputs or old.key in facts.attempts):
            return (
                f"{step.key}: new, defined as {old.key} was: a step is known by its id, "
                f"so it runs from the start unless it is called {old.key} again"
            )
    return f"{step.key}: new in the plan"


def _alike(old: PlanStep, new: PlanStep) -> bool:
    return (old.kind, bare(old).spec) == (new.kind, bare(new).spec)


def _list(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
