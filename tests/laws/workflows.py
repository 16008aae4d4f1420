"""Random workflows and a world to run them in: pure, without an engine, a clock of its own."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from pydantic import BaseModel

from smithers import Approval, Call, Check, Context, Loop, Parallel, Sequence, Task, workflow
from smithers.author.steps import Step
from smithers.model.gate import Answer, Decision, Gate
from smithers.model.run import Facts, Intent, Run
from smithers.model.step import Attempt, AttemptStatus, Output, PlanStep, StepKind, StepStatus
from smithers.schedule.scheduler import Scheduler


class Nothing(BaseModel):
    pass


@dataclass(frozen=True)
class Node:
    kind: str
    name: str = ""
    children: tuple[Node, ...] = ()
    number: int = 0
    reads: bool = False
    when: bool = True


def trees(depth: int = 3) -> st.SearchStrategy[Node]:
    """Trees of every kind of step; names are given afterwards so that they are unique."""
    leaf = st.builds(
        Node,
        kind=st.sampled_from(["call", "check", "task", "approval"]),
        reads=st.booleans(),
        when=st.sampled_from([True, True, True, False]),
    )
    if depth == 0:
        return leaf
    inner = st.lists(trees(depth - 1), min_size=1, max_size=3).map(tuple)
    group = st.builds(
        Node,
        kind=st.sampled_from(["sequence", "parallel", "loop"]),
        children=inner,
        number=st.integers(1, 3),
    )
    return st.one_of(leaf, group)


def named(node: Node, counter: list[int]) -> Node:
    counter[0] += 1
    name = f"s{counter[0]}"
    return replace(
        node, name=name, children=tuple(named(child, counter) for child in node.children)
    )


def _build(node: Node, ctx: Context[Nothing]) -> Step[object]:
    match node.kind:
        case "call":
            seen = ctx.get(node.name) if node.reads else None
            return Call(node.name, print, title=f"after {seen}", when=node.when)
        case "check":
            return Check(node.name, "true", when=node.when)
        case "task":
            return Task(node.name, agent="coder", prompt="do it", when=node.when)
        case "approval":
            return Approval(node.name, "go on?", on_deny="continue" if node.reads else "fail")
        case "sequence":
            return Sequence(*(_build(child, ctx) for child in node.children))
        case "parallel":
            return Parallel(*(_build(child, ctx) for child in node.children), limit=node.number)
        case _:
            return Loop(
                node.name,
                lambda turn: Sequence(*(_build(child, turn) for child in node.children)),
                until=lambda turn: turn.iteration >= node.number,
                max_iterations=3,
                on_exhausted="continue",
            )


def as_workflow(tree: Node):
    @workflow("law", summary="a law", input=Nothing)
    def law(ctx: Context[Nothing]):
        return _build(tree, ctx)

    return law


@dataclass
class World:
    """Facts, a scheduler that follows them, and a record of what was begun."""

    tree: Node
    now: int = 0
    begun: list[str] = field(default_factory=list)
    running: dict[str, Attempt] = field(default_factory=dict)
    open_gates: dict[str, Gate] = field(default_factory=dict)
    cap: int = 3

    def __post_init__(self) -> None:
        run = Run("law", "law", "law", "law", "", {}, 0)
        self.flow = as_workflow(self.tree)
        self.scheduler = Scheduler(self.flow, Nothing(), Facts(run))

    def begin(self, step: PlanStep) -> Attempt:
        earlier = self.scheduler.facts.attempts.get(step.key, [])
        attempt = Attempt(step.key, len(earlier) + 1, 1, AttemptStatus.RUNNING, self.now)
        states = self.scheduler.states
        assert step.key not in self.running, f"{step.key} was begun while it runs"
        assert step.key not in self.scheduler.facts.outputs, (
            f"{step.key} was begun though it is done"
        )
        assert step.kind not in {StepKind.APPROVAL, StepKind.LOOP}
        for before in step.after:
            assert states[before].ok, f"{step.key} was begun before {before} had ended well"
        for group, most in step.limits:
            plan = self.scheduler.facts.plan
            inside = [key for key in self.running if (group, most) in plan[key].limits]
            assert len(inside) < most, f"{step.key} was begun beside {inside}, limit {most}"
        self.running[step.key] = attempt
        self.begun.append(step.key)
        return attempt

    def open(self, request) -> Gate:
        number = len(self.scheduler.facts.gates.get(request.key, [])) + 1
        gate = Gate(
            f"{request.key}#{number}",
            request.key,
            request.kind,
            request.title,
            request.by,
            "",
            "",
            "",
            "",
            self.now,
        )
        assert request.key not in self.open_gates
        self.open_gates[request.key] = gate
        return gate

    def advance(self):
        self.now += 1
        decision = self.scheduler.advance(self, now=self.now, cap=self.cap)
        assert len(self.running) <= self.cap
        for key in decision.stop:
            if key in self.running:
                self.end(key, AttemptStatus.STOPPED)
        return decision if not decision.stop else self.advance()

    def end(self, key: str, status: AttemptStatus, *, again: bool = False) -> None:
        attempt = self.running.pop(key)
        red = {"passed": False, "exit_code": 1, "tail": ""}
        done = replace(
            attempt,
            status=status,
            finished_at=self.now,
            charged=status is AttemptStatus.FAILED,
            retry_at=self.now + 1 if again else None,
            value=red if status is AttemptStatus.FAILED else None,
        )
        if status is AttemptStatus.SUCCEEDED:
            self.scheduler.record_output(Output(key, {"from": key}))
        self.scheduler.record_attempt(done)

    def decide(self, key: str, answer: Answer) -> None:
        gate = self.open_gates.pop(key)
        decision = Decision(gate.id, answer, "person:law", "app", "", "", self.now)
        self.scheduler.record_gate(replace(gate, decision=decision))

    def resumed(self) -> Scheduler:
        """A scheduler as a new engine would make it, from facts and the persisted plan alone."""
        facts = self.scheduler.facts
        kept = copy.deepcopy(
            Facts(
                facts.run,
                facts.outputs,
                facts.attempts,
                facts.gates,
                dict(self.persisted()),
                facts.stored,
            )
        )
        return Scheduler(self.flow, Nothing(), kept)

    def persisted(self) -> dict[str, PlanStep]:
        return self.scheduler.facts.plan

    def ask(self, intent: Intent) -> None:
        """A change from outside: the engine reads the facts again."""
        facts = self.scheduler.facts
        facts.run = replace(facts.run, intent=intent)
        self.scheduler = self.resumed()

    def stop(self) -> None:
        facts = self.scheduler.facts
        facts.run = replace(facts.run, stop_by="person:law")
        self.scheduler = self.resumed()


ENDED = {StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED}
