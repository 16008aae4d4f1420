"""Kill engines and agents at random moments, and count who is left: `python -m tests.process.storm`.

`--kills N` goes on until so many were sent, `--seed` repeats a storm, `--cross` plays each trick
alone before each ending. Prints what was measured; exits with 1 if anybody survived.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from smithers.model.run import RunStatus
from smithers.process import cgroup
from smithers.service import control
from tests.process.leftovers import all_tricks, living, memory, nasty, noted, survivors
from tests.running import ACTOR, Workshop, until

IN_TIME = 6.0  # seconds
LIMIT = 1.0  # seconds: a time limit that is meant to be reached


@dataclass
class Tally:
    kills: int = 0
    runs: int = 0
    processes: int = 0
    survivors: list[str] = field(default_factory=list)
    peak: float = 0.0
    slowest: float = 0.0

    def report(self) -> str:
        return (
            f"{self.runs} runs, {self.kills} kills, {self.processes} processes, "
            f"{len(self.survivors)} survivors; gone after {self.slowest:.2f} s at the latest"
            + (f"; an engine had {self.peak:.0f} MB at most" if self.peak else "")
        )


@contextmanager
def workshop() -> Iterator[Workshop]:
    """As the fixture makes it, outside of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="storm-"))
    for name in [name for name in os.environ if name.startswith(("SMITHERS_", "GIT_"))]:
        del os.environ[name]
    os.environ |= {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": str(folder / "home/.config")}
    os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for name in ("home", "project", "out"):
        (folder / name).mkdir()
    made = Workshop(folder / "project", folder / "out")
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Storm")
    made.git("config", "user.email", "storm@localhost")
    made.commit(README="read me\n")
    try:
        yield made
        wrong = made.close()
        if wrong:
            raise SystemExit("\n".join(wrong))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(shop: Workshop, name: str, ending: str, tricks: tuple[str, ...], *, agent: bool) -> None:
    command = nasty(shop.out, name, ending, tricks)
    step = (
        "Task('nasty', agent='coder', prompt='x', retries=0" if agent else "Check('nasty', COMMAND"
    )
    step = step.replace("COMMAND", repr(command))
    limit = f", timeout={LIMIT:g}" if ending == "late" else ""
    flow = shop.flow(f"return {step}{limit})", name=name)
    shop.up(flow, run=name, agents={"coder": f"command:{command}"})


def gone(shop: Workshop, name: str, tally: Tally, since: float) -> None:
    """See who is left of an attempt that was told `since` to end, or whose engine was."""

    def none() -> bool:
        return not living(noted(shop.out, name)) and not survivors(shop, name, name)

    until(lambda: none() or time.monotonic() - since > IN_TIME)
    tally.slowest = max(tally.slowest, time.monotonic() - since)


def count(shop: Workshop, name: str, tally: Tally) -> None:
    """Of a run that has ended or stands still nobody may be left."""
    tally.processes += len(noted(shop.out, name))
    tally.survivors += survivors(shop, name, name)


def one_run(shop: Workshop, number: int, tally: Tally, chance: random.Random) -> None:
    """A run that is struck until it has ended."""
    name = f"run{number}"
    start(shop, name, "stay", all_tricks(), agent=chance.random() < 0.5)
    tally.runs += 1
    while True:
        time.sleep(chance.random() * 1.5)
        engine = shop.engine(name)
        tally.peak = max(tally.peak, memory(engine))
        tally.kills += 1
        since = time.monotonic()
        if chance.random() < 0.3 and strike_agent(shop, name):
            break
        shop.kill_engine(name)
        if chance.random() < 0.5:
            control.cancel(shop.root, name, actor=ACTOR)
            break
        resume(shop, name, tally)
        tally.slowest = max(tally.slowest, time.monotonic() - since)
    gone(shop, name, tally, since)
    shop.until_ended(name)
    count(shop, name, tally)


def resume(shop: Workshop, name: str, tally: Tally) -> None:
    """When the next attempt has its first process, those of the last one must be gone."""
    before, last = noted(shop.out, name), leader(shop, name)
    shop.resume(name)
    until(lambda: leader(shop, name) != last, tell=shop.tell)
    tally.survivors += living(before)


def leader(shop: Workshop, name: str) -> tuple[int, int] | None:
    """First process of the latest attempt: pid and start time."""
    path = shop.out / f"{name}.leader"
    words = path.read_text().split() if path.exists() else []
    return (int(words[0]), int(words[1])) if words else None


def strike_agent(shop: Workshop, name: str) -> bool:
    """Kill the first process of the attempt that runs, if it has begun."""
    found = leader(shop, name)
    if found is None or not living({found}):
        return False
    os.kill(found[0], signal.SIGKILL)
    return True


ENDINGS = ("success", "failure", "time limit", "cancel", "pause", "resume", "dead cancel")


def cross(shop: Workshop, tally: Tally) -> None:
    """Each trick alone before each ending, as a check and as an agent."""
    number = 0
    for trick in all_tricks():
        for ending in ENDINGS:
            for agent in (False, True):
                number += 1
                one_case(shop, f"case{number}", (trick, "deaf"), ending, tally, agent=agent)
        print(f"{trick}: {tally.report()}", flush=True)


def one_case(
    shop: Workshop, name: str, tricks: tuple[str, ...], ending: str, tally: Tally, *, agent: bool
) -> None:
    code = {"success": "0", "failure": "3", "time limit": "late"}.get(ending, "stay")
    start(shop, name, code, tricks, agent=agent)
    tally.runs += 1
    shop.until_file(f"{name}.ready")
    since = time.monotonic()
    match ending:
        case "cancel":
            control.cancel(shop.root, name, actor=ACTOR)
        case "pause":
            control.pause(shop.root, name, now=True, actor=ACTOR)
        case "resume" | "dead cancel":
            shop.kill_engine(name)
            tally.kills += 1
            if ending == "resume":
                resume(shop, name, tally)
                since = time.monotonic()
            control.cancel(shop.root, name, actor=ACTOR)
        case "time limit":
            since += LIMIT
    gone(shop, name, tally, since)
    if ending == "pause":
        shop.until_status(RunStatus.PAUSED, run=name)
    else:
        shop.until_ended(name)
    count(shop, name, tally)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--cross", action="store_true")
    given = parser.parse_args()
    print(f"seed {given.seed}, held by {cgroup.containment()}", flush=True)
    tally = Tally()
    chance = random.Random(given.seed)
    with workshop() as shop:
        if given.cross:
            cross(shop, tally)
        while not given.cross and tally.kills < given.kills:
            one_run(shop, tally.runs, tally, chance)
            print(tally.report(), flush=True)
    print("\n".join([tally.report(), *tally.survivors[:20]]))
    return 1 if tally.survivors else 0


if __name__ == "__main__":
    sys.exit(main())
