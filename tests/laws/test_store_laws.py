"""Laws of claim, fence and parking, against a model of a dozen lines, over a real database."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smithers.errors import LeaseLost, Refused
from smithers.model.gate import Answer, Decision
from smithers.model.run import RunStatus
from smithers.store import runs
from smithers.store.drive import Drive, Transition, claim
from tests.store.store_kit import gate, make, new_run, owner

ENGINES = st.sampled_from([1, 2, 3])


class Store(RuleBasedStateMachine):
    """Three engines, of which any may die, and people who decide at any moment."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.store = make(Path(self.folder.name))
        new_run(self.store)
        self.pens: dict[int, Drive] = {}
        self.holder: int | None = None
        self.dead: set[int] = set()
        self.fence = 0
        self.rev = 0
        self.seen: dict[int, int] = {}
        self.frames = 0
        self.open_gate = 0
        self.undelivered = False

    @rule(who=ENGINES)
    def claims(self, who):
        free = self.holder is None or self.holder in self.dead
        try:
            lease = claim(
                self.store, "r", owner(who), now=1, replaceable=lambda _: self.holder in self.dead
            )
        except Refused:
            assert not free
            return
        assert free
        assert lease.fence == self.fence + 1
        self.fence = lease.fence
        self.holder = who
        self.dead.discard(who)
        self.pens[who] = Drive(self.store, lease)
        self.loads(who)

    @rule(who=ENGINES)
    def loads(self, who):
        if who in self.pens:
            self.seen[who] = runs.rev(self.store, "r")
            if who == self.holder:
                self.undelivered = False

    @rule(who=ENGINES)
    def dies(self, who):
        if who == self.holder:
            self.dead.add(who)

    @rule(who=ENGINES)
    def commits(self, who):
        self._writes(who, Transition("work"), None)

    @rule(who=ENGINES)
    def asks(self, who):
        move = Transition("asks", gates=[gate(number=self.open_gate + 1)])
        if self._writes(who, move, None):
            self.open_gate += 1

    @rule(who=ENGINES)
    def parks(self, who):
        move = Transition("parks", status=RunStatus.WAITING)
        fresh = self.seen.get(who) == self.rev
        if self._writes(who, move, self.seen.get(who, -1)):
            assert fresh, "parked on what it had not seen"
            self.holder = None

    def _writes(self, who, move, release_at) -> bool:
        pen = self.pens.get(who)
        if pen is None:
            return False
        current = self.holder is not None and pen.lease.fence == self.fence
        try:
            done = pen.commit(move, now=2, release_at=release_at)
        except LeaseLost:
            assert not current
            return False
        assert current
        self.frames += done
        return done

    @precondition(lambda self: self.open_gate)
    @rule(answer=st.sampled_from(list(Answer)), number=st.integers(1, 3))
    def decides(self, answer, number):
        said = Decision(f"ship#{number}", answer, "person:t", "app", "", "d1", 3)
        with contextlib.suppress(Refused):
            runs.decide(self.store, "r", said)
            self.rev += 1
            self.undelivered = True

    @invariant()
    def no_wake_up_is_lost(self):
        """Somebody holds the run and will look, or it is queued for whoever comes."""
        if self.undelivered and self.holder is None:
            assert runs.get(self.store, "r").status is RunStatus.QUEUED

    @invariant()
    def frames_have_no_gap(self):
        numbers = [row[0] for row in self.store.all("SELECT n FROM frames ORDER BY n")]
        assert numbers == list(range(1, self.frames + 1))

    @invariant()
    def each_gate_is_decided_at_most_once(self):
        gates = runs.gates_of(self.store, "r")
        rows = self.store.all("SELECT count(*), count(DISTINCT gate) FROM decisions")
        assert rows[0][0] == rows[0][1] == sum(one.decision is not None for one in gates)

    def teardown(self):
        self.store.close()
        self.folder.cleanup()


TestStore = Store.TestCase
TestStore.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True
)
