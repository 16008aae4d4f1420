"""`python -m tests.faults`: runs that are ended at every point, and what must hold of each."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from tests.faults import points, real, world
from tests.faults.bugs import BUGS, hunt
from tests.faults.flows import FLOWS, Flow
from tests.faults.forks import awaited, begun, in_process
from tests.faults.scenarios import SCENARIOS
from tests.faults.schedule import (
    Faults,
    Player,
    Tally,
    Task,
    drawn,
    exhaustive,
    name,
    parse,
)

ENOUGH = 5
"""Failures after which a worker has seen enough."""


@dataclass(frozen=True)
class Draws:
    """So many random cases; the same ones for the same seed and number of jobs."""

    flows: list[Flow]
    seed: int
    count: int

    def share(self, job: int, jobs: int) -> Draws:
        return replace(self, seed=self.seed * jobs + job, count=-(-self.count // jobs))

    def tasks(self, player: Player, tally: Tally) -> Iterator[Task]:
        """Until as many have been played."""
        chance = random.Random(self.seed)
        while tally.cases < self.count:
            yield drawn(player, self.flows, chance)


def main(argv: Sequence[str]) -> int:
    args = _arguments(argv)
    base = world.folder()
    world.settle_environment(base / "home")
    flows = (
        [FLOWS[each] for each in args.workflow.split(",")] if args.workflow else [*FLOWS.values()]
    )
    began = time.monotonic()
    try:
        if args.replay:
            return _replay(base, *parse(args.replay))
        if args.bugs:
            return _bugs(base)
        if args.real:
            return _real(base, args, began)
        player = _server(base / "first")
        tasks = exhaustive(player, flows, pairs=args.exhaustive)[slice(*args.part)]
        draws = Draws(flows, args.seed, args.cases)
        tally = _spread(base, [] if args.cases else tasks, draws, args.jobs)
        if args.cover:
            for flow in FLOWS.values():
                player.length(flow)
            tally.crossed |= player.crossed
        print(f"seed {args.seed}")
        return _report(tally, began, again="--replay CASE", cover=args.cover)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--cases",
        type=int,
        default=0,
        help="not each fault once, but so many random cases of 2 to 4",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--exhaustive", action="store_true", help="also all that may follow a fault"
    )
    parser.add_argument(
        "--part",
        metavar="K/N",
        type=_part,
        default=(None, None, None),
        help="each Nth, from the Kth",
    )
    parser.add_argument("--workflow", default="", help=f"of {', '.join(FLOWS)}")
    parser.add_argument("--replay", metavar="WORKFLOW:N,M", help="one case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--bugs", action="store_true", help="plant bugs; each must be found")
    parser.add_argument("--real", type=int, default=0, help="so many with real engines")
    parser.add_argument(
        "--cover",
        action="store_true",
        help="fail if a point is crossed neither here nor undisturbed",
    )
    return parser.parse_args(argv)


def _part(text: str) -> tuple[int, None, int]:
    which, _, of = text.partition("/")
    return int(which) - 1, None, int(of)


def _server(base: Path) -> Player:
    world.begin_serving()
    return Player(world.World(base))


def _spread(base: Path, tasks: list[Task], draws: Draws, jobs: int) -> Tally:
    """Play the tasks in so many processes; each is a server of its own."""
    return _gather(
        [
            partial(_work, base / f"job{job}", tasks[job::jobs], draws.share(job, jobs))
            for job in range(jobs)
        ]
    )


def _real(base: Path, args: argparse.Namespace, began: float) -> int:
    """Cases with the seeds from the given one on."""
    seeds = range(args.seed, args.seed + args.real)
    tally = _gather(
        [
            partial(real.play, base / f"job{job}", list(seeds[job :: args.jobs]))
            for job in range(args.jobs)
        ]
    )
    return _report(tally, began, again="--real 1 --seed CASE", cover=False)


def _work(base: Path, tasks: list[Task], draws: Draws) -> Tally:
    world.begin_serving_again()
    player = Player(world.World(base))
    tally = Tally()
    for task in chain(tasks, draws.tasks(player, tally)):
        tally.add(player.play(task))
        if len(tally.failures) >= ENOUGH:
            break
    tally.failures = [player.shrink(failure) for failure in tally.failures]
    return tally


def _gather(works: Sequence[Callable[[], Tally]]) -> Tally:
    tally = Tally()
    for each in [begun(work) for work in works]:
        tally.add(awaited(*each))
    return tally


def _replay(base: Path, flow: str, faults: Faults) -> int:
    case = _server(base / "first").case(FLOWS[flow], faults)
    print("\n".join(case.wrong) or f"{name(flow, faults)}: nothing is wrong")
    if case.asked:
        print(f"asked {case.asked} times whether to go on")
    return 1 if case.wrong else 0


def _bugs(base: Path) -> int:
    """Each scenario without a bug, then each bug where it must be found."""
    missed = 0
    for where in SCENARIOS:
        wrong = in_process(partial(hunt, base / where.replace(" ", "-"), None, where))
        print(f"{where}: {'; '.join(wrong) or 'holds'}")
        missed += bool(wrong)
    for called, bug in BUGS.items():
        wrong = in_process(partial(hunt, base / called.replace(" ", "-"), bug, bug.where))
        print(f"{called}: {'found: ' + wrong[0][:200] if wrong else 'NOT FOUND'}")
        missed += not wrong
    return 1 if missed else 0


def _report(tally: Tally, began: float, *, again: str, cover: bool) -> int:
    seconds = time.monotonic() - began
    missed = [point for point in points.NAMES if point not in tally.crossed] if cover else []
    for failure in tally.failures:
        print(f"\nFAILED {name(failure.flow, failure.faults)}")
        print("\n".join(f"  {wrong}" for wrong in failure.wrong))
        case = name(failure.flow, failure.faults)
        print(f"  again: python -m tests.faults {again.replace('CASE', case)}")
    took = sorted(tally.recoveries)
    if took:
        half, most = took[len(took) // 2], took[int(len(took) * 0.99)]
        print(f"recovery p50 {half * 1000:.0f} ms, p99 {most * 1000:.0f} ms, of {len(took)}")
    if missed:
        print(f"never crossed: {', '.join(missed)}")
    print(f"{tally.cases} cases in {seconds:.0f} s, {len(tally.failures)} failures")
    return 1 if tally.failures or missed else 0
