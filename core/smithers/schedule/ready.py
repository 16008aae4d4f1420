"""Steps that may start, in order of readiness; those at a limit are passed over without a look."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from smithers.model.step import PlanStep, StepKind

Limits = tuple[tuple[str, int], ...]


class Ready:
    """A lane for each set of limits, so that a lane whose limit is reached costs nothing."""

    def __init__(self) -> None:
        self._lanes: dict[Limits, dict[str, tuple[int, PlanStep]]] = {}
        self._limits: dict[str, Limits] = {}
        self._turns = 0

    def __contains__(self, key: str) -> bool:
        return key in self._limits

    def __bool__(self) -> bool:
        return bool(self._limits)

    def add(self, step: PlanStep) -> None:
        """Queue a step at the end of its lane; one that is there already is replaced."""
        self.drop(step.key)
        self._turns += 1
        self._limits[step.key] = step.limits
        self._lanes.setdefault(step.limits, {})[step.key] = (self._turns, step)

    def drop(self, key: str) -> None:
        limits = self._limits.pop(key, None)
        if limits is not None:
            lane = self._lanes[limits]
            del lane[key]
            if not lane:
                del self._lanes[limits]

    def in_turn(self, full: Callable[[Limits], bool]) -> Iterator[PlanStep]:
        """Leaves by turn, without the lanes that are full at that moment.

        Loops and approvals are ready too while a run is paused, but nobody starts them.
        """
        heads: list[tuple[int, PlanStep, Iterator[tuple[int, PlanStep]]]] = []
        for lane in self._lanes.values():
            waiting = iter(lane.values())
            heads.append((*next(waiting), waiting))
        heapq.heapify(heads)
        while heads:
            _, step, waiting = heads[0]
            if full(step.limits):
                heapq.heappop(heads)
                continue
            if step.kind not in {StepKind.APPROVAL, StepKind.LOOP}:
                yield step
            following = next(waiting, None)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (*following, waiting))
