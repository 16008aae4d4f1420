"""The plan of one run, kept in step with its facts: what changed, what may start, what must stop.

Work is proportional to what changed. A step is looked at when one of those before it has ended,
when a fact of its own arrived, or when a render placed it; a scope is rendered when it opens and
when something it read changed. Making a fresh scheduler from the same facts gives the same states,
which is how a run resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from smithers.author.base import Unfit
from smithers.author.context import Context
from smithers.author.render import Rendered, render
from smithers.author.steps import Leaf, Loop, Step
from smithers.author.workflow import Workflow
from smithers.errors import RenderError
from smithers.model.gate import Answer, Gate
from smithers.model.run import Facts, Intent, RunStatus
from smithers.model.step import (
    JSON,
    Attempt,
    AttemptStatus,
    Output,
    PlanStep,
    StepKind,
    StepState,
    StepStatus,
)
from smithers.schedule import approvals, edits, kept
from smithers.schedule.board import Board, Scope
from smithers.schedule.decision import Decision, GateRequest, Hands
from smithers.schedule.judging import judge
from smithers.schedule.loops import Asks, Ends, GoesOn, asker, next_move
from smithers.schedule.readers import Readers
from smithers.schedule.standing import standing
from smithers.schedule.states import PENDING, last_gate, state_of, verdict


class Scheduler:
    """States of one run's steps, and what follows.

    Pure: time is given, only `Hands` do anything.
    """

    def __init__(
        self,
        workflow: Workflow[Any],
        input: BaseModel,
        facts: Facts,
        *,
        tree: str = "",
    ) -> None:
        self.facts = facts
        self.tree = tree
        """The workspace's files as one hash, as the last attempt left them.

        Empty where there is none.
        """
        self.authors: dict[str, Leaf] = {}
        self._workflow = workflow
        self._input = input
        self._edited = workflow.digest not in {"", facts.run.source_digest} and bool(facts.plan)
        """The file is not the one that the recorded plan was made from."""
        self._board = Board(facts)
        self._dirty: dict[str, None] = {"": None}
        """Scopes to render."""
        self._readers = Readers()
        self._requests: dict[str, GateRequest] = {}
        self._unfit: dict[str, Unfit] = {}
        """Loops that are held, by key, and the scope `""`: what they read does not fit."""
        if self._edited:
            self._board.decision.edits += edits.of_input(dict(input), facts, type(input).__name__)

    # -- what it can be asked --

    @property
    def states(self) -> Mapping[str, StepState]:
        return self._board.states

    @property
    def iterations(self) -> Mapping[str, int]:
        return self._board.iterations

    def inside(self, scope: str) -> Iterable[PlanStep]:
        return self._board.inside(scope)

    # -- what it can be told --

    def record_attempt(self, attempt: Attempt) -> None:
        """An attempt began, or the last one ended."""
        attempts = self.facts.attempts.setdefault(attempt.key, [])
        if attempts and attempts[-1].n == attempt.n:
            attempts[-1] = attempt
        else:
            attempts.append(attempt)
        self._board.queue[attempt.key] = None
        if attempt.status is not AttemptStatus.RUNNING:
            self._board.stopping.discard(attempt.key)

    def record_output(self, output: Output) -> None:
        self.facts.outputs[output.key] = output
        self._board.queue[output.key] = None

    def record_gate(self, gate: Gate) -> None:
        """A gate was opened, or decided."""
        gates = self.facts.gates.setdefault(gate.key, [])
        if gates and gates[-1].id == gate.id:
            gates[-1] = gate
        else:
            gates.append(gate)
        self._board.queue[asker(gate.key)] = None

    def put(self, gate: Gate) -> None:
        """A gate that the engine has opened of itself: an agent asks."""
        self._board.decision.gates.append(gate)
        self.record_gate(gate)

    # -- the round --

    def advance(self, hands: Hands, *, now: int, cap: int) -> Decision:
        """Bring states up to the facts, begin what may begin, and say what follows.

        Raises RenderError.
        """
        board = self._board
        self._follow()
        if self._edited and not (board.decision.edits or self._unfit):
            board.decision.edits.append("the workflow file changed, no step is defined otherwise")
        self._edited = False
        board.due(now)
        while self._open_gates(hands) or self._begin(hands, cap):
            self._follow()
        decision = board.take()
        if self.facts.run.intent in {Intent.CANCEL, Intent.PAUSE_NOW}:
            decision.stop.extend(board.running)
        decision.wake_at = min(board.retrying.values(), default=None)
        decision.status, decision.reason = standing(board)
        decision.source_digest = self._workflow.digest
        if decision.status is RunStatus.PAUSED and self.facts.run.intent is Intent.GO:
            decision.error = self._blocked_by(decision.reason)
        return decision

    def _blocked_by(self, reason: str) -> str:
        unfit = next(iter(self._unfit.values()), None)
        return str(
            unfit or RenderError(reason, kept="every finished step", next="correct the workflow")
        )

    def _open_gates(self, hands: Hands) -> bool:
        requests, self._requests = self._requests, {}
        wanted = [request for request in requests.values() if self._still_asks(request)]
        for request in wanted:
            gate = hands.open(request)
            self._board.decision.gates.append(gate)
            self.record_gate(gate)
        return bool(wanted)

    def _still_asks(self, request: GateRequest) -> bool:
        """No render since has taken away the step that asks, or what lies before it."""
        state = self._board.states.get(asker(request.key), PENDING)
        return state.status in {StepStatus.READY, StepStatus.RUNNING}

    def _begin(self, hands: Hands, cap: int) -> bool:
        if self.facts.run.intent is not Intent.GO:
            return False
        begun = [hands.begin(step) for step in self._board.startable(cap)]
        for attempt in begun:
            self._board.decision.begun.append(attempt)
            self.record_attempt(attempt)
        return bool(begun)

    def _follow(self) -> None:
        queue = self._board.queue
        while self._dirty or queue:
            if queue:
                key = next(iter(queue))
                del queue[key]
                self._look_at(key)
                continue
            # Only when every state has settled: a render must not see half of what has changed.
            scope = next(iter(self._dirty))
            del self._dirty[scope]
            if scope == "" or scope in self._board.scopes:
                self._render(scope)

    # -- rendering --

    def _render(self, scope: str) -> None:
        board = self._board
        rendered = self._rendered(scope)
        if recorded := board.recorded(scope):
            board.decision.edits += edits.of_plan(recorded, rendered.steps, self, code=self._edited)
        held = board.scopes.setdefault(scope, Scope())
        self._readers.note(scope, held.reads, rendered.reads)
        held.reads = rendered.reads
        for key in [key for key in held.keys if not self._stays(key, rendered)]:
            for dependent in board.remove(held, key):
                self._stale(board.scope_of(dependent), but=scope)
        for place, (key, step) in enumerate(rendered.steps.items()):
            self._note_author(key, rendered)
            if board.place(held, self._checked(step), place) and step.kind is StepKind.LOOP:
                number = board.opened(key)
                if number:
                    self._open(step, number)
        board.order(held, rendered.steps)
        board.drop_unseen(scope, rendered.steps)
        board.queue_loop_of(scope)

    def _checked(self, step: PlanStep) -> PlanStep:
        unfit = self._unfit.get(step.key)
        return kept.held(step, unfit.reason) if unfit else step

    def _note_author(self, key: str, rendered: Rendered) -> None:
        """A step that was kept without one cannot be begun, and is not."""
        self.authors.pop(key, None)
        if key in rendered.authors:
            self.authors[key] = rendered.authors[key]

    def _stays(self, key: str, rendered: Rendered) -> bool:
        """A loop that becomes something else, or the reverse, is another step of the same name."""
        new, old = rendered.steps.get(key), self.facts.plan[key]
        return new is not None and (new.kind is StepKind.LOOP) is (old.kind is StepKind.LOOP)

    def _rendered(self, scope: str) -> Rendered:
        try:
            return self._called(scope)
        except Unfit as error:
            return self._kept(scope, error)

    def _kept(self, scope: str, error: Unfit) -> Rendered:
        """What reads an output that does not fit is held. Raises where that is everything."""
        board, lenient = self._board, None
        recorded = board.recorded(scope) or {step.key: step for step in board.inside(scope)}
        if scope:
            self._hold_loop(scope.rsplit("[", 1)[0], error)
        elif not recorded:
            raise error
        else:
            lenient = self._called(scope, lenient=True)
            self._unfit[scope] = error
        return kept.hold(scope, recorded.values(), lenient, error, self.facts.outputs)

    def _hold_loop(self, key: str, error: Unfit) -> None:
        self._unfit[key] = error
        step = self.facts.plan[key]
        scope = self._board.scopes[step.scope]
        self._board.place(scope, kept.held(step, error.reason), scope.keys[key])

    def _called(self, scope: str, *, lenient: bool = False) -> Rendered:
        body: Callable[[Context[Any]], Step[Any]] = self._workflow.__call__
        iteration = 0
        if scope:
            key = scope.rsplit("[", 1)[0]
            loop = self.authors.get(key)
            if loop is None:
                raise self._unfit[self._board.scope_of(key)]
            if not isinstance(loop, Loop):
                raise RenderError(f"{scope} was an iteration of a loop that is no loop any more")
            body, iteration = loop.body, int(scope.rsplit("[", 1)[1][:-1])
        return render(
            body,
            self._input,
            self,
            scope=scope,
            iteration=iteration,
            edits=self._workflow.edits,
            lenient=lenient,
        )

    def _open(self, step: PlanStep, number: int) -> None:
        """Open an iteration. Its loop is looked at again once it has been rendered."""
        scope = f"{step.key}[{number}]"
        self._board.iterations[step.key] = number
        if scope not in self._board.scopes:
            self._board.scopes[scope] = Scope()
            self._stale(scope)
        for reader in self._readers.of_loop(step.key):
            self._stale(reader)

    def _stale(self, scope: str, *, but: str | None = None) -> None:
        """What the scope was rendered from has changed. A closed iteration is never rendered."""
        if scope != but and scope not in self.facts.outputs:
            self._dirty[scope] = None

    # -- states --

    def _look_at(self, key: str) -> None:
        step = self.facts.plan.get(key)
        if step is None or self._still_blocked(step):
            return
        new = self._state(step)
        if new != self._board.states[key]:
            old = self._board.change(step, new)
            ended = new.status.ended or old.status.ended
            for scope in self._readers.of_step(key, value=ended):
                self._stale(scope)

    def _state(self, step: PlanStep) -> StepState:
        match step.kind:
            case StepKind.LOOP:
                return self._loop(step)
            case StepKind.APPROVAL:
                return self._approval(step)
            case StepKind.TASK | StepKind.CHECK | StepKind.CALL:
                return state_of(step, self)

    def _still_blocked(self, step: PlanStep) -> bool:
        """Nothing has changed for a step without facts of its own while others before it go on."""
        key, facts = step.key, self.facts
        if not self._board.waits[key] or facts.run.intent is Intent.CANCEL:
            return False
        if self._board.states[key] != PENDING:
            return False
        if key in facts.attempts or key in facts.outputs or key in self._board.iterations:
            return False
        return not any(self._board.ended_badly(before) for before in step.after)

    # -- facts that follow from facts --

    def _conclude(self, key: str, value: JSON) -> None:
        output = Output(key, value)
        self.facts.outputs[key] = output
        self._board.decision.outputs.append(output)

    def _ask(self, request: GateRequest) -> None:
        if self.facts.run.intent is Intent.GO:
            self._requests[request.key] = request

    def _approval(self, step: PlanStep) -> StepState:
        state = state_of(step, self)
        if state.status is not StepStatus.READY:
            return state
        gate = last_gate(self.facts, step.key)
        if gate is not None and gate.decision and approvals.asks_the_same(gate, step):
            said = gate.decision
            approved = said.answer is Answer.APPROVE
            self._conclude(step.key, {"approved": approved, "actor": said.actor, "note": said.note})
            return state_of(step, self)
        self._ask(approvals.request(step, again=gate is not None))
        return state

    def _loop(self, step: PlanStep) -> StepState:
        """Close iterations that ended, open the next, conclude the loop.

        Ends where something must happen.
        """
        while True:
            state = state_of(step, self)
            if state.status is StepStatus.READY and self.facts.run.intent is Intent.GO:
                self._open(step, 1)
                continue
            number = self._board.iterations.get(step.key, 0)
            scope = f"{step.key}[{number}]"
            held = self._board.scopes.get(scope)
            open_still = held is None or held.open or scope in self._dirty
            if state.status is not StepStatus.RUNNING or open_still:
                return state
            if verdict(self.facts, scope) is None:
                if self._judge(step, number, scope):
                    continue
                return state
            match next_move(step, number, self.facts):
                case Ends(because):
                    self._conclude(step.key, {"iterations": number, "ended": because})
                case Asks(request):
                    self._ask(request)
                    return state
                case GoesOn():
                    if self.facts.run.intent is not Intent.GO:
                        return state
                    self._open(step, number + 1)

    def _judge(self, step: PlanStep, number: int, scope: str) -> bool:
        """Record the verdict. False: what `until` reads does not fit, and the loop is held."""
        loop = self.authors[step.key]
        try:
            said = judge(loop, scope, number, self, input=self._input, tree=self.tree)
        except Unfit as error:
            self._hold_loop(step.key, error)
            return False
        self._conclude(scope, said)
        return True
