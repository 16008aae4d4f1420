"""A question of an agent as a gate, and the gates that were decided as its next turn's policy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

from smithers.agents.permissions import Policy, Question, Remembered, Ruling, Tool
from smithers.clock import Clock
from smithers.model.gate import About, Answer, Gate, GateKind, Remember
from smithers.model.run import Run
from smithers.model.step import Attempt, generic
from smithers.store.permissions import PROVEN, Answered

_PATCH = re.compile(r"--- [^\n]*\n\+\+\+ [^\n]*\n@@ ")


def gate_for(
    question: Question, attempt: Attempt, earlier: Sequence[Gate], run: Run, clock: Clock
) -> Gate:
    """The gate that puts a question. Policy of the run says who may decide, else a person."""
    return Gate(
        id=f"{attempt.key}#{len(earlier) + 1}",
        key=attempt.key,
        kind=GateKind.PERMISSION,
        title=f"{attempt.agent} wants to {_wants(question)}",
        by=run.gates.get(generic(attempt.key), "person"),
        why="[permissions] leaves it to a person; its process has ended and costs nothing",
        show="patch" if _is_patch(question) else "text",
        body=question.body,
        digest=hashlib.sha256(question.body.encode("utf-8", "surrogatepass")).hexdigest(),
        opened_at=clock.now(),
        about=About(question.tool, question.subject, question.digest, attempt.n),
    )


def _is_patch(question: Question) -> bool:
    """A path of two lines could make up a head of its own: such a one is shown as it stands."""
    edits = question.tool is Tool.EDIT and "\n" not in question.subject
    return edits and _PATCH.match(question.body) is not None


def _wants(question: Question) -> str:
    verbs = {Tool.SHELL: "run", Tool.EDIT: "edit", Tool.READ: "read", Tool.FETCH: "fetch"}
    return f"{verbs.get(question.tool, 'use')} {question.subject or question.name}"


def policy_for(given: Policy, answers: Sequence[Answered], attempt: Attempt) -> Policy:
    """The rules, and of the answers those that hold for this attempt."""
    tail = _tail(answers, attempt)
    remembered = [_rule(one) for one in answers if _holds(one, attempt, tail)]
    return Policy(given.allow, given.deny, given.ask, tuple(remembered))


def _tail(answers: Iterable[Answered], attempt: Attempt) -> set[int]:
    """The attempts just before this one that all ended with a question, without a gap."""
    asked = {one.about.attempt for one in answers if one.own and one.key == attempt.key}
    first = attempt.n
    while first - 1 in asked:
        first -= 1
    return set(range(first, attempt.n))


def _holds(one: Answered, attempt: Attempt, tail: set[int]) -> bool:
    if one.remember is Remember.ONCE:
        # Whether an attempt that it was given to has made use of it nobody can know, and an agent
        # may have to ask for one thing after another before it gets through.
        return one.own and one.key == attempt.key and one.about.attempt in tail
    if one.remember is Remember.STEP or one.established not in PROVEN:
        return one.own and generic(one.key) == generic(attempt.key)
    return True


def _rule(one: Answered) -> Remembered:
    ruling = Ruling.ALLOW if one.answer is Answer.APPROVE else Ruling.DENY
    exact = one.about.digest if one.remember is Remember.ONCE else ""
    return Remembered(ruling, Tool(one.about.tool), one.about.subject, exact, _said(one))


def _said(one: Answered) -> str:
    word = "allowed" if one.answer is Answer.APPROVE else "denied"
    return f"{word} by {one.actor}" + (f": {one.note}" if one.note else "")


def account(answers: Sequence[Answered], attempt: Attempt) -> str:
    """What the agent is told of the answer to what its last attempt asked; empty: of none."""
    for one in reversed(answers):
        if one.own and one.key == attempt.key and one.about.attempt == attempt.n - 1:
            what = f"You asked to use a tool ({one.about.tool}: {one.about.subject}). "
            what += f"That was {_said(one)}. "
            if one.answer is Answer.APPROVE:
                return f"{what}Ask for it again in the same words and it is done; then go on."
            return f"{what}Find another way, or say what cannot be done and why."
    return ""
