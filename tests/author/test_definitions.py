"""A mark changes with what the author wrote, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from smithers.author import definition
from smithers.author.prompt import Prompt

UNTIL = """
LIMIT = 3
def until(turn):
    return turn.passed("checks") and turn.iteration in {1, 2, "x", "y"} and turn.iteration < LIMIT
"""


def of(source: str, name: str = "until") -> str:
    space: dict[str, object] = {}
    exec(compile(source, "somewhere.py", "exec"), space)
    return definition.of_function(space[name])  # type: ignore[arg-type]


def test_a_function_is_the_same_on_other_lines_and_in_another_process() -> None:
    said = of(UNTIL)
    assert said == of(f"# words\n\n{UNTIL}")
    code = (
        "import sys; from smithers.author import definition\n"
        "space = {}; exec(compile(sys.stdin.read(), 'elsewhere.py', 'exec'), space)\n"
        "print(definition.of_function(space['until']))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=UNTIL,
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert done.stdout.strip() == said


@pytest.mark.parametrize(
    ("old", "new"),
    [("LIMIT = 3", "LIMIT = 4"), ('"checks"', '"tests"'), ("passed", "get"), ("{1, 2", "{1, 3")],
)
def test_a_function_is_another_with_another_word_number_or_plain_value_around_it(
    old: str, new: str
) -> None:
    assert of(UNTIL.replace(old, new)) != of(UNTIL)


def test_a_closure_counts_and_a_thing_that_can_be_called_has_no_mark() -> None:
    def at(number: int) -> str:
        return definition.of_function(lambda turn: turn.iteration == number)

    assert at(2) == at(2) != at(3)
    assert definition.of_function(str) == ""


def test_a_prompt_file_counts_by_its_name_its_values_and_its_text(tmp_path: Path) -> None:
    def said(folder: str, text: str, **values: object) -> dict[str, str]:
        path = tmp_path / folder / "coder.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        prompt = Prompt("coder.md", **values)
        prompt.path = path
        return definition.of_prompt(prompt)

    first = said("a", "Do it", goal=1)
    assert said("b", "Do it", goal=1) == first
    assert said("a", "Do it", goal=2)["prompt"] != first["prompt"]
    other = said("a", "Do not", goal=1)
    assert other["prompt"] == first["prompt"]
    assert other["template"] != first["template"]
    assert "template" not in definition.of_prompt(Prompt("nowhere.md", goal=1))
    assert definition.of_prompt("Do it") == definition.of_prompt("Do it")


def test_a_model_counts_by_what_its_values_look_like() -> None:
    def model(**fields: object) -> type[BaseModel]:
        space = {"__annotations__": fields, "__module__": __name__, "x": Field(1)}
        return type("Made", (BaseModel,), space)

    assert definition.of_model(model(x=int)) == definition.of_model(model(x=int))
    assert definition.of_model(model(x=int)) != definition.of_model(model(x=str))
