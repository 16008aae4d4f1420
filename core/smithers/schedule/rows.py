"""The plan as the store has it, and what must be written to make it the plan of now."""

from __future__ import annotations

from collections.abc import Mapping

from smithers.model.step import PlanStep, StepKind

Placed = tuple[PlanStep, int]
"""A step and its place in its scope."""


class Rows:
    """What comes and goes again between two writings leaves no trace."""

    def __init__(self, plan: Mapping[str, PlanStep]) -> None:
        self._written: dict[str, Placed] = {}
        self._since: dict[str, Placed | None] = {}
        """What has been said of a step since the last writing; None: it is in the plan no more."""
        self._unseen: dict[str, list[str]] = {}
        """Steps of scopes that have not been rendered since the start, in order."""
        for key, step in plan.items():
            scope = self._unseen.setdefault(step.scope, [])
            self._written[key] = (step, len(scope))
            scope.append(key)

    def unseen(self, scope: str) -> bool:
        """Steps of the scope were recorded before the start, and it has not been rendered since."""
        return scope in self._unseen

    def recorded(self, scope: str) -> dict[str, PlanStep]:
        """Steps of a scope that has not been rendered since the start."""
        return {key: self._written[key][0] for key in self._unseen.get(scope, ())}

    def see(self, scope: str) -> list[str]:
        """The scope has been rendered. Returns the steps that were recorded of it."""
        return self._unseen.pop(scope, [])

    def put(self, step: PlanStep, place: int) -> list[str]:
        """A step stands here now. Returns what is gone with what had its name before."""
        was = self._now(step.key)
        if was == (step, place):
            return []
        self._since[step.key] = (step, place)
        turned = was is not None and was[0].kind is StepKind.LOOP is not step.kind
        return self._drop_inside(step.key) if turned else []

    def drop(self, key: str) -> list[str]:
        """A step is in the plan no more, nor is what is in its iterations. Returns all of it."""
        was = self._now(key)
        self._since[key] = None
        inside = was is not None and was[0].kind is StepKind.LOOP
        return [key, *(self._drop_inside(key) if inside else ())]

    def take(self) -> tuple[dict[str, Placed], list[str], list[str]]:
        """What is to be written: steps that are new or other, and those to be marked as gone.

        Last come all that left, recorded or not.
        """
        since, self._since = self._since, {}
        placed = {key: now for key, now in since.items() if now and now != self._written.get(key)}
        left = [key for key, now in since.items() if now is None]
        gone = [key for key in left if self._written.pop(key, None) is not None]
        self._written.update(placed)
        return placed, gone, left

    def _now(self, key: str) -> Placed | None:
        return self._since[key] if key in self._since else self._written.get(key)

    def _drop_inside(self, loop: str) -> list[str]:
        inside = f"{loop}["
        for scope in [scope for scope in self._unseen if scope.startswith(inside)]:
            del self._unseen[scope]
        known = [*self._written, *(key for key in self._since if key not in self._written)]
        dropped = [key for key in known if key.startswith(inside) and self._now(key) is not None]
        self._since.update(dict.fromkeys(dropped))
        return dropped
