"""Prompts in files: found beside the workflow, complete or refused, and never escaped."""

from __future__ import annotations

import pytest

from smithers import Prompt
from smithers.errors import RenderError

WORKFLOW = """
from smithers import Prompt

def prompt(**values):
    return Prompt("prompts/coder.md", **values)
"""


@pytest.fixture
def prompt(tmp_path):
    """Makes the Prompt that a workflow in its own folder would make, of this text."""
    (tmp_path / "prompts").mkdir()

    def make(text, **values):
        if text is not None:
            (tmp_path / "prompts" / "coder.md").write_text(text)
        names: dict = {}
        exec(compile(WORKFLOW, str(tmp_path / "recipe.py"), "exec"), names)
        return names["prompt"](**values)

    return make


def test_the_file_is_found_beside_the_workflow(prompt):
    assert prompt("Do {{ what }}.\n", what="it").text() == "Do it.\n"


def test_nothing_is_escaped(prompt):
    assert prompt("{{ code }}", code="a < b && c").text() == "a < b && c"


def test_a_value_is_no_template(prompt):
    assert prompt("{{ said }}", said="{{ secret }}").text() == "{{ secret }}"


def test_a_hole_is_an_error_with_its_place(prompt):
    with pytest.raises(RenderError, match=r"coder\.md.*'what' is undefined"):
        prompt("Do {{ what }}.").text()


def test_a_broken_template_names_its_line(prompt):
    with pytest.raises(RenderError, match=r"coder\.md:2"):
        prompt("fine\n{% if %}").text()


def test_a_missing_file_is_named(prompt):
    with pytest.raises(RenderError, match=r"coder\.md does not exist"):
        prompt(None).text()


def test_the_file_is_read_when_the_text_is_asked_for(prompt, tmp_path):
    made = prompt("old")
    (tmp_path / "prompts" / "coder.md").write_text("new")
    assert made.text() == "new"
    assert isinstance(made, Prompt)
