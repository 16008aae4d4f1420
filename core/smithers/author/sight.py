"""What a scope can see: ids that it reads or needs are there, and needs go round in no circle."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from smithers.author.base import nearest
from smithers.author.context import Reads, Source, scopes
from smithers.errors import RenderError
from smithers.model.step import PlanStep, generic

FIX_ID = "correct the id, or add the step"


def refuse_unknown(reads: Reads, source: Source, *, scope: str, here: Collection[str]) -> None:
    """Refuse ids that were read and that nothing in sight has. `here`: the scope's own keys.

    Raises RenderError naming the place, the id and the nearest one.
    """
    prefix = f"{scope}/" if scope else ""
    unknown = {name: at for name, at in reads.unknown.items() if prefix + name not in here}
    if not unknown:
        return
    recorded = {key for key in source.facts.stored if key.rpartition("/")[0] != scope}
    keys = {generic(key) for key in {*here, *source.states, *source.facts.outputs, *recorded}}
    for name, at in unknown.items():
        if any(generic(outer + name) in keys for outer in scopes(scope)):
            continue
        if not _still_closed(name, source, scope=scope, here=here):
            ids = {key.removeprefix(generic(prefix)) for key in keys}
            ids |= {key.rpartition("/")[2] for key in keys}
            raise RenderError(
                f"{at}: no step has the id {name!r}{nearest(name, ids)}",
                next=FIX_ID,
            )


def _still_closed(name: str, source: Source, *, scope: str, here: Collection[str]) -> bool:
    """The path leads into a loop whose last iteration has not been rendered, so nobody can know."""
    *loops, _ = name.split("/")
    known = {*here, *source.states, *source.facts.stored}
    for outer in scopes(scope):
        inside = outer
        for loop in loops:
            if inside + loop not in known:
                break
            inside = f"{inside}{loop}[{_last(inside + loop, source)}]/"
            if not any(key.startswith(inside) for key in known):
                return True
    return False


def _last(loop: str, source: Source) -> int:
    ended = source.facts.outputs.get(loop)
    value = ended.value if ended else None
    count = value.get("iterations") if isinstance(value, dict) else None
    return count if isinstance(count, int) else source.iterations.get(loop, 0)


def refuse_circles(
    steps: Mapping[str, PlanStep], needing: Collection[str], source: Source, *, scope: str
) -> None:
    """Refuse steps that would wait for each other for ever, the loop around them included."""
    around = {outer.rsplit("[", 1)[0] for outer in scopes(scope) if outer}
    for key in needing:
        awaited = list(dict.fromkeys(steps[key].after))
        seen = set(awaited)
        for before in awaited:
            if before == key or before in around:
                what = "itself" if before == key else f"the loop {before!r} that it is in"
                raise RenderError(
                    f"{key!r} would wait for ever: what it needs comes after {what}",
                    next="drop it from needs=(…), or put the steps in another order",
                )
            step = steps.get(before) or source.facts.plan.get(before)
            following = [one for one in (step.after if step else ()) if one not in seen]
            seen.update(following)
            awaited += following
