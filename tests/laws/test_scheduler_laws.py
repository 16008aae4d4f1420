"""Whatever the workflow and whatever happens: a step starts once, in its turn, and the run gets on."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from smithers.model.gate import Answer, Gate, GateKind
from smithers.model.run import Intent, RunStatus
from smithers.model.step import Attempt, AttemptStatus, PlanStep, StepKind, StepStatus
from smithers.schedule.scheduler import Decision, GateRequest, Scheduler
from tests.laws.workflows import Node, function, workflows
from tests.schedule.driven import Driven, Empty, workflow

ENDINGS = (AttemptStatus.STOPPED, AttemptStatus.TIMED_OUT, AttemptStatus.RATE_LIMITED)


class Lawful(Driven):
    """An engine that looks at each decision before it obeys."""

    def begin(self, step: PlanStep) -> Attempt:
        self._may_start(step)
        return super().begin(step)

    def _may_start(self, step: PlanStep) -> None:
        facts, states = self.scheduler.facts, self.scheduler.states
        assert step.key not in facts.outputs, f"{step.key} is done and starts"
        tries = facts.attempts.get(step.key, [])
        if tries:
            again = tries[-1].retry_at is not None and tries[-1].retry_at <= self.now
            uncharged = tries[-1].status in {AttemptStatus.INTERRUPTED, AttemptStatus.STOPPED}
            assert again or uncharged or tries[-1].reopened, f"{step.key} starts after {tries[-1]}"
        for before in step.after:
            state = states[before]
            assert state.status.ended, f"{step.key} starts before {before} has ended"
            assert state.ok, f"{step.key} starts after {before} ended badly"
        assert step.when or tries, f"{step.key} starts although its condition is false"
        assert step.scope not in facts.outputs, f"{step.key} starts in a closed iteration"
        assert facts.run.intent is Intent.GO

    def round(self) -> Decision:
        decision = super().round()
        self._limits()
        self._standing(decision)
        self._counts(decision)
        self._resumed(decision)
        return decision

    def _limits(self) -> None:
        running = [key for key in self.running if key in self.scheduler.facts.plan]
        assert len(running) <= self.cap
        groups: dict[tuple[str, int], int] = {}
        for key in running:
            for group in self.scheduler.facts.plan[key].limits:
                groups[group] = groups.get(group, 0) + 1
        for (group, most), count in groups.items():
            assert count <= most, f"{count} run in {group}, at most {most} may"

    def _standing(self, decision: Decision) -> None:
        """The run gets on, or says what it waits for."""
        steps = {key: state.status for key, state in self.scheduler.states.items()}
        top = [status for key, status in steps.items() if "/" not in key]
        match decision.status:
            case RunStatus.RUNNING:
                sleeps = decision.wake_at is not None and decision.wake_at > self.now
                assert self.running or sleeps, "it runs, and nothing does"
            case RunStatus.WAITING:
                assert self.asking, f"it waits, and nobody is asked: {decision.reason}"
                assert any(gate.key in decision.reason or "[" in gate.key for gate in self.asking)
            case RunStatus.PAUSED:
                assert self.ledger.run.intent in {Intent.PAUSE, Intent.PAUSE_NOW}
            case RunStatus.CANCELLED:
                assert self.ledger.run.intent is Intent.CANCEL
                assert all(status.ended for status in top)
            case RunStatus.SUCCEEDED:
                assert all(status.ended for status in top)
                assert StepStatus.FAILED not in top
            case RunStatus.FAILED:
                assert StepStatus.FAILED in top
                assert decision.reason
            case _:
                raise AssertionError(decision.status)
        if decision.status.ended:
            assert not self.running

    def _counts(self, decision: Decision) -> None:
        states = [state.status for state in self.ledger.states.values()]
        done = states.count(StepStatus.SUCCEEDED) + states.count(StepStatus.SKIPPED)
        running = [key for key in self.running if key in self.ledger.rows]
        counted = (len(states), done, states.count(StepStatus.FAILED), len(running))
        assert decision.counts == (*counted, states.count(StepStatus.WAITING))

    def _resumed(self, decision: Decision) -> None:
        """A fresh scheduler over the same facts says the same, and has nothing to add."""
        fresh = Scheduler(self.author, Empty(), self.ledger.facts(), tree=self.tree)
        said = fresh.advance(_Idle(), now=self.now, cap=0)
        present = self.scheduler.states
        assert dict(fresh.states) == {key: present[key] for key in fresh.states}
        missing = [key for key in present if key not in fresh.states]
        assert all(present[key].status.ended for key in missing)
        plan = self.scheduler.facts.plan
        assert fresh.facts.plan == {key: plan[key] for key in fresh.facts.plan}
        assert said.empty, f"a resume would write {said}"
        assert (said.status, said.wake_at, said.counts) == (
            decision.status,
            decision.wake_at,
            decision.counts,
        )
        # Of several that wait, any may be named.
        assert said.reason == decision.reason or said.status is RunStatus.WAITING
        rows = {key: step for key, (step, _) in self.ledger.rows.items()}
        assert rows == {**rows, **plan}
        for key, state in self.scheduler.states.items():
            recorded = self.ledger.states[key]
            assert (recorded.status, recorded.reason, recorded.wake_at) == (
                state.status,
                state.reason,
                state.wake_at,
            )


class _Idle:
    def begin(self, step: PlanStep) -> Attempt:
        raise AssertionError(f"{step.key} started on resume with no room")

    def open(self, request: GateRequest) -> Gate:
        raise AssertionError(f"{request.key} asks only after a resume")


class Fate:
    """Draws what happens next, among what can."""

    def __init__(self, run: Lawful, data: Any) -> None:
        self.run = run
        self.data = data

    def pick(self, *choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices))

    def strike(self) -> None:
        run, ledger = self.run, self.run.ledger
        what: list[Any] = [self.resume, self.crash, self.wait]
        if run.running:
            what += [self.end] * 6
        if run.asking:
            what += [self.decide] * 4
        if not run.standing.ended:
            what += [self.intend, self.stop]
        failed = [
            key
            for key, tries in ledger.attempts.items()
            if tries[-1].status is AttemptStatus.FAILED
            and not tries[-1].reopened
            and key in run.scheduler.states
            and key.rpartition("/")[0] not in ledger.outputs
        ]
        if failed and run.standing not in {RunStatus.CANCELLED, RunStatus.SUCCEEDED}:
            what.append(lambda: self.reopen(failed))
        event = self.pick(*what)
        event()

    def resume(self) -> None:
        note("resume")
        self.run.resume()

    def crash(self) -> None:
        note("crash")
        self.run.crash()

    def wait(self) -> None:
        note("wait")
        self.run.now += 10
        self.run.round()

    def end(self) -> None:
        run = self.run
        for key in list(run.running)[: self.pick(1, 1, 2)]:
            kind = run.ledger.rows[key][0].kind if key in run.ledger.rows else StepKind.TASK
            how = self.pick("well", "well", "well", "fails", "retries", *ENDINGS)
            note(f"{key} {how}")
            run.tree = self.pick("one tree", "one tree", "another")
            if how == "well":
                run.end_well(key, self.pick(1, 2))
            elif isinstance(how, AttemptStatus):
                later = run.now + 5 if how is AttemptStatus.RATE_LIMITED else None
                run.end_badly(key, how, retry_at=later)
            else:
                later = run.now + 5 if how == "retries" else None
                if kind is StepKind.CHECK:
                    run.end_red(key, self.pick(1, 1, 127), retry_at=later)
                else:
                    run.end_badly(key, AttemptStatus.FAILED, retry_at=later)
        run.round()
        run.obey_stops()

    def decide(self) -> None:
        gate, answer = self.pick(*self.run.asking), self.pick(*Answer)
        note(f"{gate.id} {answer}")
        self.run.decide(gate.key, answer)

    def intend(self) -> None:
        intent = self.pick(Intent.PAUSE, Intent.PAUSE_NOW, Intent.GO, Intent.GO, Intent.CANCEL)
        note(str(intent))
        self.run.intend(intent)
        self.run.obey_stops()

    def stop(self) -> None:
        note("stop")
        self.run.stop()

    def reopen(self, failed: list[str]) -> None:
        key = self.pick(*failed)
        note(f"reopen {key}")
        self.run.reopen(key)

    def home(self) -> int:
        """Let everything end by itself. Returns how many events it took."""
        run = self.run
        paused = run.ledger.run.intent in {Intent.PAUSE, Intent.PAUSE_NOW}
        if paused and not run.standing.ended:
            run.intend(Intent.GO)
        for count in range(2_000):
            run.obey_stops()
            for key in list(run.running):
                run.end_well(key, 1)
            if run.ending:
                run.round()
            elif run.asking and not run.standing.ended:
                gate = run.asking[0]
                loop = gate.kind is not GateKind.APPROVAL
                run.decide(gate.key, Answer.DENY if loop else Answer.APPROVE)
            elif run.last.wake_at is not None and not run.standing.ended:
                run.now = run.last.wake_at
                run.round()
            else:
                return count
        raise AssertionError("it never ends")


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(root=workflows(), data=st.data())
def test_any_workflow_keeps_the_laws_whatever_happens(root: Node, data: Any) -> None:
    run = Lawful(workflow(function(root)), cap=data.draw(st.integers(1, 4)))
    run.round()
    fate = Fate(run, data)
    for _ in range(data.draw(st.integers(0, 25))):
        fate.strike()
        if run.standing is RunStatus.CANCELLED:
            break
    fate.home()
    assert run.standing.ended
