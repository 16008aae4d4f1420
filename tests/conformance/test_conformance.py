"""Every agent in every case, as far as its declared limits; what lies beyond them fails indeed.

By default those agents that every run of all tests includes; `SMITHERS_CONFORMANCE` names others,
with commas between them, or `all`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conformance.bench import Bench, isolate
from tests.conformance.cases import TURNS
from tests.conformance.runs import RUNS
from tests.conformance.subject import Subject
from tests.conformance.subjects import ALL
from tests.running import Workshop, workshop  # noqa: F401 - a fixture

CASES = {**TURNS, **RUNS}
WANTED = [name for name in os.environ.get("SMITHERS_CONFORMANCE", "").split(",") if name]
REQUIRED = "SMITHERS_REQUIRE_CLI" in os.environ


def _chosen(subject: Subject) -> bool:
    return subject.name in WANTED or WANTED == ["all"] or (subject.always and not WANTED)


def _items() -> Iterator[object]:
    for subject in ALL.values():
        if not _chosen(subject):
            continue
        marks = [pytest.mark.slow, *([pytest.mark.cli] if subject.real else [])]
        for case in CASES:
            yield pytest.param(subject, case, id=f"{subject.name}-{case}", marks=marks)


@pytest.fixture
def bench(
    subject: Subject,
    workshop: Workshop,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """The agent in a home of its own, where nothing but loopback answers."""
    for program in subject.programs:
        if shutil.which(program) is None:
            reason = f"{program} is not on PATH: .ci/install-agents installs it"
            if REQUIRED:
                pytest.fail(reason)
            pytest.skip(reason)
    isolate(monkeypatch)
    with ExitStack() as stack:
        yield Bench(subject, workshop, stack)


@pytest.mark.parametrize(("subject", "case"), _items())
def test_agent(subject: Subject, case: str, bench: Bench) -> None:
    limit = subject.limits.get(case)
    if limit is None:
        CASES[case](bench)
    elif not limit.untested:
        with pytest.raises((AssertionError, LookupError, ValueError)):
            CASES[case](bench)
