"""What Claude Code asks for, as a person is to see it and rules are to judge it."""

from __future__ import annotations

import os

import pytest

from smithers.agents.clis.claude_asking import Asking
from smithers.agents.permissions import Policy, Tool


@pytest.fixture
def asked(tmp_path):
    """The question that a request becomes."""

    def ask(name, **given):
        asking = Asking(Policy(ask=("*",)), tmp_path)
        request = {"subtype": "can_use_tool", "tool_name": name, "input": given}
        asking.answer({"request_id": "1", "request": request})
        assert asking.put is not None
        return asking.put

    return ask


def test_a_file_that_is_written_over_is_shown_with_what_it_loses(asked, tmp_path):
    (tmp_path / "a.py").write_text("one\ntwo\n")
    assert asked("Write", file_path="a.py", content="").body.endswith("\n-one\n-two\n-")
    body = asked("Write", file_path="a.py", content="one\nthree\n").body
    assert "\n one\n-two\n+three\n" in body


def test_no_question_is_empty(asked, tmp_path):
    (tmp_path / "same").write_text("x")
    for name in ("new", "same"):
        content = "" if name == "new" else "x"
        assert f'"file_path": "{name}"' in asked("Write", file_path=name, content=content).body
    assert "old_string" in asked("Edit", file_path="a", old_string="x", new_string="x").body


def test_what_cannot_be_compared_is_shown_as_it_would_be_written(asked, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff\0")
    for name in ("pipe", "binary", "a\0b", "a\ud83d"):
        assert '"content": "text"' in asked("Write", file_path=name, content="text").body


def test_an_edit_of_all_places_is_another_question_and_says_so(asked):
    given = {"file_path": "a.py", "old_string": "x", "new_string": "y"}
    one, every = asked("Edit", **given), asked("Edit", **given, replace_all=True)
    assert every.body.startswith("In all places where it stands:\n--- a.py")
    assert one.digest != every.digest


def test_of_a_command_the_command_is_judged_whatever_else_is_given(asked):
    question = asked("Bash", file_path="harmless", command="git push", description="look around")
    assert (question.tool, question.subject, question.body) == (Tool.SHELL, "git push", "git push")


def test_a_link_is_judged_by_where_it_leads(asked, tmp_path):
    (tmp_path / "link").symlink_to("secret")
    question = asked("Write", file_path="link", content="x")
    assert (question.subject, question.also) == ("secret", ("link",))
