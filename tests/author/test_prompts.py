"""Prompts in files: beside the workflow, rendered when the attempt starts."""

from __future__ import annotations

import importlib.util

import pytest

from smithers.author.prompt import Prompt
from smithers.errors import RenderError


@pytest.fixture
def beside(tmp_path):
    """Write files, then make a Prompt in a module that lies beside them."""

    def made(call, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.md").write_text(text)
        module = tmp_path / "flow.py"
        module.write_text(f"from smithers import Prompt\nprompt = {call}\n")
        spec = importlib.util.spec_from_file_location("flow_of_prompts", module)
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded.prompt

    return made


def test_the_file_is_found_beside_the_workflow_wherever_the_engine_runs(
    beside, tmp_path, monkeypatch
):
    monkeypatch.chdir("/")
    prompt = beside('Prompt("coder.md", goal="make it work")', coder="Please {{ goal }}.\n")
    assert prompt.path == tmp_path / "coder.md"
    assert prompt.text() == "Please make it work.\n"


def test_the_file_is_read_when_the_text_is_wanted_and_not_before(beside, tmp_path):
    prompt = beside('Prompt("coder.md")')
    (tmp_path / "coder.md").write_text("late")
    assert prompt.text() == "late"


def test_nothing_is_escaped(beside):
    prompt = beside("""Prompt("p.md", code='<b> & "x"')""", p="{{ code }}")
    assert prompt.text() == '<b> & "x"'


def test_a_value_is_no_template(beside):
    prompt = beside("""Prompt("p.md", said="{{ secret }} {% if %}")""", p="{{ said }}")
    assert prompt.text() == "{{ secret }} {% if %}"


def test_a_file_that_is_not_there_is_named(beside, tmp_path):
    with pytest.raises(RenderError) as caught:
        beside('Prompt("coder.md")').text()
    assert f"{tmp_path / 'coder.md'} does not exist" in str(caught.value)
    assert caught.value.next


def test_an_included_file_that_is_not_there_is_the_one_that_is_named(beside, tmp_path):
    with pytest.raises(RenderError, match=r"other\.md does not exist"):
        beside('Prompt("p.md")', p='{% include "other.md" %}').text()


def test_a_value_that_is_missing_is_named_with_file_and_line(beside, tmp_path):
    with pytest.raises(RenderError) as caught:
        beside('Prompt("p.md", goal="x")', p="{{ goal }}\n\n{{ feedback }}\n").text()
    assert f"{tmp_path / 'p.md'}:3: 'feedback' is undefined" in str(caught.value)


def test_a_template_that_is_not_one_is_named_with_file_and_line(beside, tmp_path):
    with pytest.raises(RenderError) as caught:
        beside('Prompt("p.md")', p="one\n{% if %}\n").text()
    assert f"{tmp_path / 'p.md'}:2: " in str(caught.value)


def test_a_test_may_ask_whether_a_value_is_there(beside):
    text = "{% if hint is defined %}{{ hint }}{% else %}none{% endif %}"
    assert beside('Prompt("p.md")', p=text).text() == "none"


def test_a_prompt_made_here_looks_here():
    assert Prompt("x.md").path.parent.name == "author"
