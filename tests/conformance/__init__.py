"""One suite for every agent: the same cases, and a table of what each of them fulfils.

`cases.py` and `runs.py` hold the cases, `subjects/` a file for each agent; `python -m
tests.conformance` runs all agents and writes the table into `docs/agents.md`.
"""

import pytest

# They are no test modules, but their assertions are to say as much.
pytest.register_assert_rewrite("tests.conformance.cases", "tests.conformance.runs")
