"""What an agent of the Agent Client Protocol asks for, as a person is to see it."""

from __future__ import annotations

from smithers.agents.acp.asking import questions


def diff(path, **more):
    return {"type": "diff", "path": str(path), **more}


def asked(workspace, *content):
    call = {"kind": "edit", "title": "Edit", "content": list(content), "rawInput": {"of": "it"}}
    return questions(call, workspace)


def test_a_file_that_is_written_over_is_shown_with_what_it_loses(tmp_path):
    (tmp_path / "a.py").write_text("one\n")
    (question,) = asked(tmp_path, diff(tmp_path / "a.py", oldText=None, newText=""))
    assert question.body.endswith("\n-one\n-")


def test_what_changes_no_text_is_still_shown(tmp_path):
    content = (diff("new", newText=""), diff("b", oldText="x", newText="y"))
    first, second = asked(tmp_path, *content)
    assert (first.subject, second.subject) == ("new", "b")
    assert first.body == second.body
    assert '"of": "it"' in first.body
    assert "-x\n+y" in first.body


def test_a_link_is_judged_by_where_it_leads(tmp_path):
    (tmp_path / "link").symlink_to("secret")
    (question,) = asked(tmp_path, diff(tmp_path / "link", newText="x"))
    assert (question.subject, question.also) == ("secret", ("link",))
