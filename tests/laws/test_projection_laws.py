"""What the database shows of a run follows from its facts, after every frame of any history."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from smithers.engine.checker import check
from smithers.model.run import RunStatus
from smithers.schedule.scheduler import Decision
from tests.laws.ledger import Rows
from tests.laws.test_scheduler_laws import Fate
from tests.laws.workflows import Node, function, workflows
from tests.schedule.driven import Driven, workflow


class Checked(Driven):
    """An engine whose every frame is checked; a lease that is held past the end is its own doing."""

    def round(self) -> Decision:
        decision = super().round()
        wrong = [one for one in check(self.ledger.store, "r") if "lease is held" not in one]
        assert wrong == []
        return decision


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(root=workflows(), data=st.data())
def test_every_frame_of_any_history_agrees_with_its_facts(root: Node, data: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(Path(folder))
        run = Checked(workflow(function(root)), rows, cap=2)
        run.round()
        fate = Fate(run, data)
        for _ in range(data.draw(st.integers(0, 12))):
            if run.standing.ended and run.standing is not RunStatus.FAILED:
                break
            fate.strike()
        fate.home()
        assert check(rows.store, "r") == [
            f"the run has ended ({run.standing}) and its lease is held"
        ]
        rows.store.close()
