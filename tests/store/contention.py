"""Many engines, followers and readers on one database: `python -m tests.store.contention --seconds 120`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from smithers.model.step import AttemptStatus, Output, StepState, StepStatus
from smithers.store import database, runs
from smithers.store.database import Store, open_reader
from smithers.store.drive import Drive, Transition, claim
from tests.store.store_kit import attempt, begins, owner, run

TOP = Path(__file__).parents[2]
ENGINES, FOLLOWERS, READERS = 10, 4, 3


def engine(root: Path, name: str, until: float) -> dict[str, float]:
    """Drive a run as an engine does: two frames a step, the lease renewed now and then."""
    store = Store(root / ".smithers" / "state")
    pen = Drive(store, claim(store, name, owner(1), now=1, replaceable=lambda _lease: False))
    worst, count = 0.0, 0
    while time.monotonic() < until:
        key = f"s{count}"
        done = Transition(
            f"{key} succeeded",
            attempts=[attempt(key, status=AttemptStatus.SUCCEEDED)],
            outputs=[Output(key, "x" * (count % 50) * 40)],
            changes={key: StepState(StepStatus.SUCCEEDED)},
        )
        worst = max(worst, _took(partial(pen.commit, begins(key), now=2)))
        worst = max(worst, _took(partial(pen.commit, done, now=3)))
        if count % 5 == 0:
            worst = max(worst, _took(partial(pen.renew, 4)))
        count += 1
    assert runs.facts(store, name).outputs.keys() == {f"s{n}" for n in range(count)}
    store.close()
    return {"steps": count, "worst": worst}


def follower(root: Path, name: str, until: float) -> dict[str, float]:
    """Look for news at each 20 ms, and read the new frames, as `events -f` does."""
    from smithers.service import reading

    directory = reading.open_directory(root)
    seen, worst = 0, 0.0
    while time.monotonic() < until:
        begun = time.monotonic()
        if reading.changed(directory):
            for frame in reading.frames(directory, name, after=seen):
                assert frame.n == seen + 1
                seen = frame.n
            worst = max(worst, time.monotonic() - begun)
        time.sleep(0.02)
    directory.close()
    return {"frames": seen, "worst": worst}


def reader(root: Path, name: str, until: float) -> dict[str, float]:
    """The app's questions, one after the other."""
    from smithers.service import reading

    directory = reading.open_directory(root)
    questions: list[Callable[[], object]] = [
        lambda: reading.runs(directory),
        lambda: reading.run(directory, name),
        lambda: reading.inbox(directory),
        lambda: reading.changed(directory),
    ]
    worst, count = 0.0, 0
    while time.monotonic() < until:
        worst = max(worst, _took(questions[count % len(questions)]))
        count += 1
        time.sleep(0.01)
    directory.close()
    return {"questions": count, "worst": worst}


ROLES = {"engine": engine, "follower": follower, "reader": reader}


def _took(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def contend(root: Path, seconds: float) -> dict[str, list[dict[str, float]]]:
    """All of them for so long. What each role did; raises if one of them met an error."""
    state = root / ".smithers" / "state"
    state.mkdir(parents=True)
    database.create(state, store_id="contention")
    store = Store(state)
    for place in range(ENGINES):
        runs.create(store, run(f"e{place}"), created_by="person:t")
    store.close()
    crew = ["engine"] * ENGINES + ["follower"] * FOLLOWERS + ["reader"] * READERS
    command = [sys.executable, "-m", "tests.store.contention", "--play"]
    started = [
        subprocess.Popen(
            [*command, role, str(root), f"e{place % ENGINES}"],
            cwd=TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for place, role in enumerate(crew)
    ]
    for process in started:
        assert process.stdout
        process.stdout.readline()
    done: dict[str, list[dict[str, float]]] = {role: [] for role in ROLES}
    problems = []
    until = time.monotonic() + seconds
    for process in started:
        assert process.stdin
        process.stdin.write(f"{until}\n")
        process.stdin.flush()
    for role, process in zip(crew, started, strict=True):
        said, error = process.communicate()
        if process.returncode:
            problems.append(f"{role}: {error[-800:]}")
        else:
            done[role].append(json.loads(said))
    assert not problems, "\n".join(problems)
    last = open_reader(state)
    assert last.all("PRAGMA integrity_check") == [("ok",)]
    last.close()
    return done


def report(done: dict[str, list[dict[str, float]]]) -> str:
    lines = []
    for role, each in done.items():
        (what,) = each[0].keys() - {"worst"}
        total, worst = sum(one[what] for one in each), max(one["worst"] for one in each)
        lines.append(f"{len(each)} x {role}: {total:,.0f} {what}, worst wait {worst * 1000:.0f} ms")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--play", nargs=3, metavar=("ROLE", "ROOT", "NAME"))
    given = parser.parse_args()
    if given.play:
        role, root, name = given.play
        print("ready", flush=True)
        until = float(sys.stdin.readline())
        print(json.dumps(ROLES[role](Path(root), name, until)))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(report(contend(Path(folder), given.seconds)))


if __name__ == "__main__":
    main()
