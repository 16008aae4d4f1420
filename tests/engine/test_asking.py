"""A question of an agent as a gate: what is shown of it, and as what."""

from __future__ import annotations

from pathlib import Path

import pytest

from smithers.agents.clis.claude_asking import Asking
from smithers.agents.permissions import Policy, Question, Ruling, Tool
from smithers.clock import SYSTEM
from smithers.engine.asking import account, gate_for, policy_for
from smithers.model.gate import About, Answer, Gate, Remember
from smithers.model.run import Run
from smithers.model.step import Attempt, AttemptStatus
from smithers.store.permissions import Answered

PATCH = "--- a.py\n+++ a.py\n@@ -1 +1 @@\n-x\n+y"
EDIT = {"file_path": "/w/src/a.py", "old_string": "one\r\ntwo", "new_string": "one\u2028\nthree"}


def gate(tool: Tool, subject: str, body: str) -> Gate:
    run = Run(id="r", recipe="flow", title="", source="", source_digest="", input={}, created_at=0)
    attempt = Attempt("code", 1, 7, AttemptStatus.ASKED, 0, agent="claude")
    return gate_for(Question(tool, "Tool", subject, body), attempt, (), run, SYSTEM)


def test_a_change_is_a_patch_and_a_command_is_text() -> None:
    assert gate(Tool.EDIT, "a.py", PATCH).show == "patch"
    assert gate(Tool.EDIT, "a.ipynb", '{"new_source": "x"}').show == "text"
    assert gate(Tool.SHELL, PATCH, PATCH).show == "text"


def test_a_path_that_makes_up_a_head_is_no_patch() -> None:
    path = "a.py\n+++ b.py\n@@ -0,0 +1 @@\n+harmless"
    assert gate(Tool.EDIT, path, f"--- {path}\n+++ {path}\n@@ -1 +1 @@\n-x\n+y").show == "text"


@pytest.mark.parametrize(
    ("name", "given", "lines"),
    [
        ("Edit", EDIT, ["-one\r", "-two", "+one\u2028", "+three"]),
        ("Write", {"file_path": "src/a.py", "content": "a\rb\n"}, ["+a\rb", "+"]),
    ],
)
def test_what_claude_would_write_is_shown_sign_for_sign_under_its_path(
    name: str, given: dict[str, str], lines: list[str]
) -> None:
    asking = Asking(Policy(ask=("edit *",)), Path("/w"))
    request = {"subtype": "can_use_tool", "tool_name": name, "input": given}
    asking.answer({"request_id": "1", "request": request})
    assert asking.put is not None
    head, other, _, *rest = asking.put.body.split("\n")
    assert (head, other) == ("--- src/a.py", "+++ src/a.py")
    assert rest == lines
    assert gate(Tool.EDIT, asking.put.subject, asking.put.body).show == "patch"


ASK = Policy(ask=("*",))
A, B = (Question(Tool.EDIT, "edit", name, "the patch of both") for name in ("a.py", "b.py"))


def attempt(n: int, key: str = "code") -> Attempt:
    return Attempt(key, n, 7, AttemptStatus.RUNNING, 0, agent="claude")


def answered(
    question: Question,
    n: int,
    remember: Remember = Remember.ONCE,
    *,
    own: bool = True,
    key: str = "code",
    established: str = "terminal",
) -> Answered:
    about = About(question.tool, question.subject, question.digest, n)
    return Answered(own, key, Answer.APPROVE, remember, about, "", "somebody", established)


def rulings(answers: list[Answered], now: Attempt) -> list[Ruling]:
    return [policy_for(ASK, answers, now).rule(each)[0] for each in (A, B)]


def test_an_edit_of_two_files_gets_through_with_an_answer_for_each() -> None:
    first, second = answered(A, 1), answered(B, 2)
    assert rulings([first], attempt(2)) == [Ruling.ALLOW, Ruling.ASK]
    assert rulings([first, second], attempt(3)) == [Ruling.ALLOW, Ruling.ALLOW]


def test_once_ends_with_the_first_attempt_that_asked_nothing() -> None:
    assert rulings([answered(A, 1), answered(B, 3)], attempt(4)) == [Ruling.ASK, Ruling.ALLOW]
    assert rulings([answered(A, 1), answered(B, 2)], attempt(4)) == [Ruling.ASK, Ruling.ASK]


def test_once_holds_for_its_own_step_alone() -> None:
    assert rulings([answered(A, 1)], attempt(2, "other")) == [Ruling.ASK, Ruling.ASK]
    assert rulings([answered(A, 1)], attempt(2, "code[2]/x")) == [Ruling.ASK, Ruling.ASK]


@pytest.mark.parametrize("remember", [Remember.RUN, Remember.RECIPE])
@pytest.mark.parametrize("established", ["caller", "policy"])
def test_what_no_person_has_answered_holds_for_its_own_step_alone(
    remember: Remember, established: str
) -> None:
    said = answered(A, 1, remember, established=established)
    assert rulings([said], attempt(5))[0] is Ruling.ALLOW
    assert rulings([said], attempt(1, "deploy"))[0] is Ruling.ASK
    assert rulings([said._replace(own=False)], attempt(1))[0] is Ruling.ASK
    assert rulings([answered(A, 1, remember)], attempt(1, "deploy"))[0] is Ruling.ALLOW


def test_only_an_answer_to_its_own_question_is_told_an_agent() -> None:
    assert "edit: a.py" in account([answered(A, 1)], attempt(2))
    assert account([answered(A, 1, Remember.RECIPE, own=False)], attempt(2)) == ""
    assert account([answered(A, 1)], attempt(3)) == ""


def test_a_question_of_broken_text_becomes_a_gate() -> None:
    assert gate(Tool.SHELL, "echo \ud83d", "echo \ud83d").digest
