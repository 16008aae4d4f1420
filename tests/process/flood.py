"""What output without end costs: `python -m tests.process.flood --megabytes 1000 [CASE…]`.

Prints, for each case, the most memory that its engine had and the bytes of its log on disk.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from smithers.engine.log import parts
from tests.process.leftovers import memory
from tests.process.storm import workshop
from tests.running import Workshop

ZEROS = "head -c {size} /dev/zero | tr '\\000' "
COMMANDS = {
    "line": ZEROS + "x; echo; echo end",
    "garbage": ZEROS + "'\\377'; echo; echo end",
    "control": ZEROS + "'\\001'; echo; echo end",
    "lines": "yes 012345678901234567890123456789012345678901234567890123456789 | head -c {size}",
    "short-lines": "yes | head -c {size}",
}
CASES = {
    **{f"check {name}": command for name, command in COMMANDS.items()},
    **{f"agent {name}": command for name, command in COMMANDS.items()},
    "agent stderr": "(" + ZEROS + "'\\377') >&2; exit 3",
    "claude line": COMMANDS["line"],
    "four lines": COMMANDS["line"],
}
STEPS = {
    "check": "Check('flood', {command!r})",
    "agent": "Task('flood', agent='coder', prompt='x', retries=0)",
    "claude": "Task('flood', agent='coder', prompt='x', retries=0)",
    "four": "Parallel(*(Check(f'flood{{n}}', {command!r}) for n in range(4)))",
}


@dataclass
class Cost:
    megabytes: float
    """Most that the engine had in memory."""
    disk: int
    """Bytes of the largest log."""
    seconds: float


def flood(shop: Workshop, case: str, size: int) -> Cost:
    """Print `size` bytes as the case has it. The engine is looked at until it ends."""
    kind, run = case.split(maxsplit=1)[0], case.replace(" ", "-")
    command = CASES[case].format(size=size)
    tool = shop.out / f"{run}-bin" / ("claude" if kind == "claude" else "tool")
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\n{command}\n")
    tool.chmod(0o755)
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{tool.parent}:{path}"
    try:
        flow = shop.flow(f"return {STEPS[kind].format(command=command)}", name="flood")
        agent = "claude" if kind == "claude" else f"command:{tool}"
        began = time.monotonic()
        shop.up(flow, run=run, agents={"coder": agent})
    finally:
        os.environ["PATH"] = path
    engine, peak = shop.engine(run), 0.0
    while not shop.view(run).row.status.ended:
        peak = max(peak, memory(engine))
        time.sleep(0.02)
    seconds = time.monotonic() - began
    shop.until_ended(run)
    return Cost(peak, max(map(on_disk, logs(shop, run))), seconds)


def logs(shop: Workshop, run: str) -> list[Path]:
    return [Path(tried.log) for step in shop.view(run).steps for tried in step.attempts]


def on_disk(log: Path) -> int:
    return sum(part.stat().st_size for part in parts(log) if part.exists())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("case", nargs="*", choices=[[], *CASES], metavar="CASE")
    given = parser.parse_args()
    with workshop() as shop:
        for case in given.case or CASES:
            cost = flood(shop, case, int(given.megabytes * 1e6))
            print(
                f"{case:18} {given.megabytes:g} MB: engine {cost.megabytes:.0f} MB at most, "
                f"log {cost.disk:,} bytes, {cost.seconds:.1f} s",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
