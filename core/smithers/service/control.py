"""The verbs: each one transaction, idempotent where that makes sense, its actor recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from smithers.clock import SYSTEM
from smithers.config import load
from smithers.errors import NeedsPerson, Refused, UsageError
from smithers.model.gate import Answer, Decision, Gate, GateKind, Remember
from smithers.model.run import Intent, Run, RunStatus
from smithers.model.step import JSON
from smithers.service.gates import cut
from smithers.service.locate import state_dir
from smithers.service.shaping import decision_view, message_view
from smithers.service.views import DecisionView, MessageView
from smithers.store import crashes, messages, runs
from smithers.store.database import Store
from smithers.store.permissions import PROVEN
from smithers.store.settle import hand_over
from smithers.supervise.owner import replaceable
from smithers.supervise.reviving import Did, revive
from smithers.supervise.spawn import driven, end_hung_engine, inside_attempt, spawn
from smithers.vcs.land import land as merge

MESSAGE_BYTES = messages.MOST_BYTES


@contextmanager
def _store(root: Path) -> Iterator[Store]:
    store = Store(state_dir(root))
    try:
        yield store
    finally:
        store.close()


def up(  # noqa: PLR0913 - the options of the command
    root: Path,
    recipe: str,
    *,
    prompt: str | None,
    input: Mapping[str, JSON] | None,
    run_id: str | None,
    agents: Mapping[str, str],
    workspace: str | None,
    budget: Mapping[str, float],
    actor: str,
) -> str:
    """Start a run and return its id, once its engine holds the lease.

    Raises UsageError, Refused.
    """
    # What starting needs, pydantic first, is not loaded by the verbs that only write a row.
    from smithers.service import starting  # noqa: PLC0415

    request = starting.Request(recipe, prompt, input, run_id, agents, workspace, budget)
    return starting.start(root, request, actor=actor)


def pause(root: Path, run: str, *, now: bool, actor: str) -> None:
    """Start nothing new; with `now`, stop what is in flight as well."""
    _intend(root, run, Intent.PAUSE_NOW if now else Intent.PAUSE, actor)


def cancel(root: Path, run: str, *, actor: str) -> None:
    """End a run for good. Its worktree and branch are kept."""
    _intend(root, run, Intent.CANCEL, actor)


def _intend(root: Path, run: str, intent: Intent, actor: str) -> None:
    with _store(root) as store:
        runs.intend(store, run, intent, actor=actor, now=SYSTEM.now())
        lease, held = runs.lease(store, run)
        # One look: an engine that gives the run back between two of them is not dead.
        dead = held and replaceable(lease, SYSTEM.now())
    if dead:
        # A dead engine's processes are still to be ended, and its attempts to be recorded.
        _wake(root, run)


def resume(root: Path, run: str, *, agents: Mapping[str, str], actor: str) -> None:
    """Go on where the run stands. Raises Refused when it has ended, or a live engine drives it."""
    with _store(root) as store:
        row = runs.get(store, run)
        if row.status.ended:
            hint = (
                f"smithers retry {run} STEP"
                if row.status is RunStatus.FAILED
                else f"smithers inspect {run}"
            )
            raise Refused(
                f"run {run} has ended ({row.status})", kept="its record and branch", next=hint
            )
        end_hung_engine(store, run, SYSTEM)
        if row.intent is not Intent.GO:
            runs.intend(store, run, Intent.GO, actor=actor, now=SYSTEM.now())
        if agents:
            runs.cast(store, run, agents, actor=actor, now=SYSTEM.now())
        # Looked at last: an engine that has not heard of it yet may be parking.
        alive = driven(store, run, SYSTEM.now())
        if alive and row.intent is Intent.GO and not agents:
            raise Refused(
                f"run {run} is driven by a live engine already", next=f"smithers logs {run} -f"
            )
        if not alive:
            # Of one that was paused the frame is written.
            why = f"run resumed by {actor}" if row.intent is Intent.GO else ""
            crashes.forgive(store, run, actor=actor, now=SYSTEM.now(), why=why)
    if not alive:
        _spawn_unless_driven(root, run)


def stop(root: Path, run: str, *, actor: str) -> None:
    """ "That is enough": open loops end well after their present iteration."""
    with _store(root) as store:
        row = runs.stop(store, run, actor=actor, now=SYSTEM.now())
    if row.intent is Intent.GO:
        _wake(root, run)


def retry(root: Path, run: str, step: str, *, agents: Mapping[str, str], actor: str) -> None:
    """Try a failed step once more, and what was skipped because of it."""
    with _store(root) as store:
        runs.reopen(store, run, step, actor=actor, now=SYSTEM.now(), agents=agents)
        if not driven(store, run, SYSTEM.now()):
            crashes.forgive(store, run, actor=actor, now=SYSTEM.now())
    _wake(root, run)


def message(root: Path, run: str, step: str, text: str, *, actor: str) -> MessageView:
    """Leave words for the agent of a step, by its key: delivered once, with its next turn.

    Raises UsageError, Refused when that step's agent will have no turn any more.
    """
    with _store(root) as store:
        now = SYSTEM.now()
        alive = driven(store, run, now)
        sent = messages.send(store, run, step, text, actor=actor, now=now, driven=alive)
    return message_view(sent)


def decide(  # noqa: PLR0913 - what a decision is made of
    root: Path,
    run: str,
    gate: str | None,
    answer: Answer,
    *,
    actor: str,
    established: str,
    note: str = "",
    digest: str | None = None,
    remember: Remember = Remember.ONCE,
) -> DecisionView:
    """Answer a gate; the first answer stands. `gate`: its id or step, None if only one is open.

    `remember`: what the answer to an agent's question holds for; of no meaning elsewhere.

    Raises Refused when it is decided, closed or changed; NeedsPerson when the actor is not enough.
    """
    with _store(root) as store:
        asked = _gate(store, run, gate)
        # What holds beyond the step decides questions that may be a person's.
        wide = remember in {Remember.RUN, Remember.RECIPE}
        if (asked.by != "anyone" or wide) and established not in PROVEN:
            longer = f" for all of this {remember}" if wide else ""
            option = f" --remember {remember}" if wide else ""
            raise NeedsPerson(
                f"{asked.key} of run {run} must be decided by a person at a terminal{longer}",
                kept="the gate, open",
                next=f"a person runs: smithers approve {run} {asked.key}{option}",
            )
        if remember is not Remember.ONCE and asked.kind is not GateKind.PERMISSION:
            raise UsageError(
                f"{asked.key} is no question of an agent: there is nothing to remember",
                next=f"smithers approve {run} {asked.key}",
            )
        if answer is Answer.APPROVE and cut(asked):
            raise Refused(
                f"what {asked.key} of run {run} is about is too long to be shown whole",
                kept="the gate, open",
                next=f"smithers deny {run} {asked.key} --reason 'too long to be looked at'",
            )
        decision = Decision(
            gate=asked.id,
            answer=answer,
            actor=actor,
            established=established,
            note=note,
            digest=asked.digest if digest is None else digest,
            decided_at=SYSTEM.now(),
            remember=remember,
        )
        runs.decide(store, run, decision)
        intent = runs.get(store, run).intent
    if intent is Intent.GO:
        _wake(root, run)
    return decision_view(decision)


def _gate(store: Store, run: str, name: str | None) -> Gate:
    runs.get(store, run)
    gates = runs.gates_of(store, run)
    if name is None:
        found = [gate for gate in gates if gate.decision is None]
        if len(found) > 1:
            keys = ", ".join(gate.key for gate in found)
            raise Refused(
                f"run {run} has {len(found)} open gates: {keys}",
                next=f"smithers approve {run} {found[0].key}",
            )
    else:
        found = [gate for gate in gates if name in {gate.id, gate.key}][-1:]
    if not found:
        which = f"no gate {name!r}" if name else "no open gate"
        raise Refused(f"run {run} has {which}", next=f"smithers why {run}")
    return found[0]


def _wake(root: Path, run: str) -> None:
    """Have an engine for the run, unless a live one drives it: that one has noticed already."""
    with _store(root) as store:
        alive = driven(store, run, SYSTEM.now())
    if not alive:
        with suppress(Refused):
            _spawn(root, run)


def _spawn_unless_driven(root: Path, run: str) -> None:
    """The same, where somebody else, such as a supervisor, may have been quicker."""
    try:
        _spawn(root, run)
    except Refused:
        with _store(root) as store:
            if not driven(store, run, SYSTEM.now()):
                raise


def _spawn(root: Path, run: str) -> None:
    """Start an engine; from inside an attempt leave that to the engine of the run that it is of."""
    if inside_attempt():
        with _store(root) as store:
            lease, held = runs.lease(store, run)
            if held and not driven(store, run, SYSTEM.now()):
                hand_over(store, run, lease.fence)
    spawn(state_dir(root), run)


def brings_back(root: Path) -> bool:
    """Whether who stays with a run here starts its next engine, or only says that it is lost.

    Raises ConfigError.
    """
    return not inside_attempt() and load(root).doors == "auto"


def ensure_engine(root: Path, run: str) -> bool:
    """Bring a run back that has work and no engine. Never one that was paused or cancelled.

    Where engines die again and again it takes its time, and in the end opens a gate. Returns
    whether there is anything to hope for; there is not where doors only offer to do it.
    """
    if not brings_back(root):
        return False
    try:
        return revive(state_dir(root), run).did is not Did.NOTHING
    except Refused:
        return True


def land(root: Path, run: str, *, actor: str) -> str:
    """Merge the run's branch into what is checked out. Returns the commit; raises LandRefused."""
    with _store(root) as store:
        row = runs.get(store, run)
    _landable(row)
    return merge(
        root, row.branch, message=f"{row.title}\n\nRun {run} of {row.recipe}, landed by {actor}."
    )


def _landable(row: Run) -> None:
    if row.status is not RunStatus.SUCCEEDED:
        raise Refused(
            f"run {row.id} is {row.status}: only what succeeded is landed",
            kept=f"its branch {row.branch}" if row.branch else "its files",
            next=f"smithers why {row.id}",
        )
    if not row.branch:
        raise Refused(
            f"run {row.id} worked in place: there is no branch to land",
            kept="its changes, in the checkout",
            next=f"smithers diff {row.id}",
        )
