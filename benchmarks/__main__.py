"""`python -m benchmarks [--quick] [--only NAME]`: measure, and print one table."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import commands, table
from benchmarks.rows import Row
from benchmarks.settings import Settings

MEASURES = {
    "sequence": "sequence",
    "loop": "loop",
    "fan": "fan",
    "resume": "resume",
    "gates": "gates",
    "bytes": "size",
    "start": "start",
    "up": "up",
    "app": "app",
}
"""Name of a group of rows, and the module that measures it."""


def main() -> int:
    """Table on stdout, progress on stderr. Exit code 1 if something failed or is over budget."""
    asked = _arguments()
    commands.as_installed()
    rows: list[Row] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="smithers-bench-", dir=asked.dir) as folder:
        settings = Settings(Path(folder), quick=asked.quick)
        for name in asked.only or MEASURES:
            sys.stderr.write(f"measuring {name} …\n")
            try:
                for row in _measure(name)(settings):
                    sys.stderr.write(f"  {' | '.join(table.cells(row))}\n")
                    rows.append(row)
            except Exception:  # noqa: BLE001 - the other figures are still wanted
                traceback.print_exc()
                failed = True
    sys.stdout.write("\n".join(table.lines(rows)) + "\n")
    if asked.quick:
        sys.stderr.write("--quick: sizes and repetitions too small to judge by\n")
    over = any(row.excess is not None and row.excess > 0 for row in rows)
    return 1 if failed or (over and not asked.quick) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, once")
    parser.add_argument(
        "--only", action="append", choices=sorted(MEASURES), help="this group of rows; repeatable"
    )
    parser.add_argument("--dir", type=Path, help="measure on the disk of this folder")
    return parser.parse_args()


def _measure(name: str) -> Callable[[Settings], Iterator[Row]]:
    module = importlib.import_module(f"benchmarks.measures.{MEASURES[name]}")
    measure: Callable[[Settings], Iterator[Row]] = module.rows
    return measure


if __name__ == "__main__":
    sys.exit(main())
