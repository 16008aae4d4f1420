"""Runs agents through every case and writes the table: `python -m tests.conformance [AGENT...]`.

Without names all of them; of the others the table keeps what was seen before. They have to be
installed, by `.ci/install-agents FOLDER all`; `.ci/conformance` does both. Exit code 1, and a cell
that says so, where an agent is not as it is declared to be.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import pytest

from smithers.clock import SYSTEM


class Seen:
    """How each item ended, by its id."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("[")[2].rstrip("]")
        if report.when == "call" or not report.passed:
            self.outcomes[name] = report.outcome


def main(*agents: str) -> int:
    os.environ["SMITHERS_CONFORMANCE"] = ",".join(agents) or "all"
    os.environ["SMITHERS_REQUIRE_CLI"] = "1"
    # What is tested is chosen as its module is imported.
    from tests.conformance import table
    from tests.conformance.subjects import ALL
    from tests.conformance.test_conformance import CASES

    seen = Seen()
    # What is slow by itself may be slower beside others.
    options = ["tests/conformance/test_conformance.py", "--timeout=300"]
    code = pytest.main(options, plugins=[seen])
    cells = table.read(table.PAGE)
    date = datetime.fromtimestamp(SYSTEM.now() / 1000, UTC).date().isoformat()
    for name in agents or ALL:
        cells[name] = {table.VERSION: ALL[name].version(), table.DATE: date}
        for case, check in CASES.items():
            good = seen.outcomes.get(f"{name}-{case}") == "passed"
            cells[name][table.row(check)] = ALL[name].cell(case) if good else "FAILS"
    table.write(table.PAGE, {name: cells[name] for name in ALL if name in cells})
    print(f"{table.PAGE} holds what was seen")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
