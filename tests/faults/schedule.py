"""Which cases there are, and how each is played: alone from the start, or sharing the way to a death."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from smithers.model.step import JSON
from tests.faults.flows import FLOWS, Flow
from tests.faults.oracles import Memory
from tests.faults.person import Case, Play
from tests.faults.world import World

Faults = tuple[int, ...]
"""Each counted from the death before it, or from the start."""


@dataclass(frozen=True)
class Task:
    """One case; or, with `deeper`, all that begin with it and have one fault more."""

    flow: str
    faults: Faults
    deeper: bool = False
    calmly: bool = False
    """After the last death nothing more is measured, and no process needs to be one of its own."""

    @property
    def name(self) -> str:
        return name(self.flow, self.faults)


@dataclass
class Failure:
    flow: str
    faults: Faults
    wrong: list[str]


@dataclass
class Tally:
    """What came of some cases."""

    cases: int = 0
    failures: list[Failure] = field(default_factory=list)
    crossed: set[str] = field(default_factory=set)
    recoveries: list[float] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.cases += other.cases
        self.failures += other.failures
        self.crossed |= other.crossed
        self.recoveries += other.recoveries


def name(flow: str, faults: Faults) -> str:
    return f"{flow}:{','.join(map(str, faults))}" if faults else flow


def parse(text: str) -> tuple[str, Faults]:
    """The workflow and the faults of a name. ValueError if it is none."""
    flow, _, numbers = text.partition(":")
    if flow not in FLOWS:
        raise ValueError(f"no workflow is called {flow!r}; there are: {', '.join(FLOWS)}")
    return flow, tuple(int(number) for number in numbers.split(",") if number)


class Player:
    """Plays cases in a world of its own, one after the other."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._undisturbed: dict[str, tuple[JSON, int]] = {}
        self.crossed: set[str] = set()
        """By runs that nobody disturbed."""

    def length(self, flow: Flow) -> int:
        """How many points the undisturbed run crosses. AssertionError if that has a fault."""
        return self._baseline(flow)[1]

    def ending(self, flow: Flow) -> JSON:
        """How the undisturbed run ends."""
        return self._baseline(flow)[0]

    def _baseline(self, flow: Flow) -> tuple[JSON, int]:
        if flow.name not in self._undisturbed:
            self._world.prepare(flow)
            self._world.images.restore(flow.name)
            case = Case(flow)
            Play(self._world, case).to_the_end()
            if case.wrong or not isinstance(case.ends, dict) or case.ends["status"] != flow.ends:
                raise AssertionError(f"undisturbed, {flow.name} ends as {case.ends}: {case.wrong}")
            self._undisturbed[flow.name] = case.ends, case.life
            self.crossed |= case.crossed
        return self._undisturbed[flow.name]

    def play(self, task: Task) -> Tally:
        flow = FLOWS[task.flow]
        self._baseline(flow)
        gc.collect()
        tally = Tally()
        if not task.deeper:
            self._alone(flow, task.faults, tally, calmly=task.calmly)
            return tally
        play = self._until_deaths(flow, task.faults)
        if play.case.wrong or not play.action:
            self._finish(play.case, tally)
        else:
            self._deeper(play.case, play.action, tally)
        return tally

    def case(self, flow: Flow, faults: Faults) -> Case:
        """One that is played from the start, with each of its deaths."""
        self._baseline(flow)
        return self._alone(flow, faults, Tally(), calmly=False)

    def _until_deaths(self, flow: Flow, faults: Faults) -> Play:
        """A run as it lies there after all of them, unless it has ended first."""
        self._world.images.restore(flow.name)
        play = Play(self._world, Case(flow, faults))
        for _ in faults:
            if not play.until_death():
                break
        return play

    def _alone(self, flow: Flow, faults: Faults, tally: Tally, *, calmly: bool) -> Case:
        play = self._until_deaths(flow, faults)
        if not faults or (play.action and not play.case.wrong):
            play.to_the_end(calmly=calmly)
        self._finish(play.case, tally)
        return play.case

    def _deeper(self, so_far: Case, first: str, tally: Tally) -> None:
        """All cases that go on from what lies there now, after the deaths of `so_far`.

        What is shared is not played again for each: one engine goes on and stops wherever it could
        have died, and what it would have left there is kept. That is files alone, but where a
        second process is at work: there a case is played from the start.
        """
        flow, stopped = so_far.flow, dict[int, Memory]()
        case = Case(flow, so_far.faults, so_far.memory.copy())

        def keep(crossing: int) -> None:
            stopped[crossing] = case.memory.copy()
            self._world.images.save(_image(so_far.faults, crossing))

        play = Play(self._world, case, faults=(), first=first)
        with self._world.stopping(keep):
            play.to_the_end()
        case.recoveries.clear()  # stops lay in between
        self._finish(case, tally)
        for crossing in range(1, case.life + 1):
            faults = (*so_far.faults, crossing)
            if crossing in stopped:
                self._world.images.take(_image(so_far.faults, crossing))
                self._from_here(Case(flow, faults, stopped[crossing]), tally)
            else:
                self._alone(flow, faults, tally, calmly=True)

    def _from_here(self, case: Case, tally: Tally) -> None:
        """Go on with what the last of its deaths has left."""
        # Readers are asked after each first fault, and after every fourth that follows one.
        play = Play(self._world, case, faults=(), fully=case.faults[-1] % 4 == 0)
        play.to_the_end(calmly=True, after_death=True)
        self._finish(case, tally)

    def _finish(self, case: Case, tally: Tally) -> None:
        if not case.wrong and case.ends != self._undisturbed[case.flow.name][0]:
            undisturbed = self._undisturbed[case.flow.name][0]
            case.wrong.append(f"it ends as {case.ends}, undisturbed as {undisturbed}")
        tally.cases += 1
        tally.crossed |= case.crossed
        tally.recoveries += case.recoveries
        if case.wrong:
            tally.failures.append(Failure(case.flow.name, case.faults, case.wrong))
            self._world.clear_up()

    def shrink(self, failure: Failure) -> Failure:
        """As few faults as still fail, as early as they still do."""
        flow = FLOWS[failure.flow]
        found = failure
        for faults in _smaller(failure.faults):
            if len(faults) > len(found.faults) or faults >= found.faults:
                continue
            if wrong := self.case(flow, faults).wrong:
                found = Failure(failure.flow, faults, wrong)
        return found


def _image(faults: Faults, crossing: int) -> str:
    return "-".join(map(str, (*faults, crossing)))


def _smaller(faults: Faults) -> Iterator[Faults]:
    for place in range(len(faults)):
        yield faults[:place] + faults[place + 1 :]
    for place, number in enumerate(faults):
        for lower in sorted({number // 2, number - 2, number - 1} - {0, number}):
            if lower > 0:
                yield (*faults[:place], lower, *faults[place + 1 :])


def exhaustive(player: Player, flows: list[Flow], *, pairs: bool = True) -> list[Task]:
    """Every single fault; and where the way to it can be shared, all that may follow it."""
    tasks: list[Task] = []
    for flow in flows:
        deeper = pairs and not flow.processes
        tasks += [
            Task(flow.name, (n,), deeper, calmly=True) for n in range(1, player.length(flow) + 1)
        ]
    return tasks


def drawn(player: Player, flows: list[Flow], chance: random.Random) -> Task:
    """A random case of two to four faults, or, after two or three, all that may follow them."""
    flow = chance.choice(flows)
    most = player.length(flow) + 5
    deeper = not flow.processes and chance.random() < 0.5
    count = chance.randint(2, 3 if deeper else 4)
    return Task(flow.name, tuple(chance.randint(1, most) for _ in range(count)), deeper)
