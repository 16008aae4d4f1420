"""A person elsewhere: `python -m benchmarks.decider ROOT RUN` approves each gate it reads.

Prints for each when the decision was committed, in nanoseconds of the monotonic clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from smithers.model.gate import Answer, Decision
from smithers.service import control
from smithers.store import runs
from smithers.store.database import Store

_decide = runs.decide
_committed: list[int] = []


def _timed(store: Store, run_id: str, decision: Decision) -> None:
    _decide(store, run_id, decision)
    _committed.append(time.monotonic_ns())


def main(root: Path, run: str) -> None:
    runs.decide = _timed
    for line in sys.stdin:
        gate = line.strip()
        control.decide(
            root, run, gate, Answer.APPROVE, actor="person:benchmarks", established="caller"
        )
        sys.stdout.write(f"{_committed.pop()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
