"""What the documents show can be run, what they name exists, and they agree with each other."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from rendering import load, prompt_text, render_iteration, render_top, workflow_of

from smithers.author.steps import Loop, Task
from smithers.cli import parser
from smithers.cli.skill import install
from smithers_recipes import recipes

TOP = Path(__file__).parents[2]
PAGES = [
    TOP / name
    for name in (
        "README.md",
        "AGENTS.md",
        "CONTRIBUTING.md",
        "docs/agents.md",
        "docs/architecture.md",
        "docs/authoring.md",
        "docs/driving.md",
        "docs/edits.md",
        "docs/housekeeping.md",
        "docs/processes.md",
        "docs/sandbox.md",
        "docs/supervise.md",
    )
]
SKILL = Path(install.__file__).parent / "SKILL.md"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:#|<!--) file: (\S+)(?: -->)?\n")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return [(match[2], match[3]) for match in FENCE.finditer(page.read_text())]


def named_files(page: Path) -> dict[str, str]:
    found = {}
    for _, text in blocks(page):
        head = FILE.match(text)
        if head:
            found[head[1]] = text if head[1].endswith(".py") else text[head.end() :]
    return found


AUTHORING = named_files(TOP / "docs/authoring.md")
WORKFLOWS = sorted(name for name in AUTHORING if name.endswith(".py"))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    for name, text in AUTHORING.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_every_python_block_of_the_authoring_page_is_a_file() -> None:
    shown = [text for language, text in blocks(TOP / "docs/authoring.md") if language == "python"]
    assert len(shown) == len(WORKFLOWS) == 4


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_of_the_authoring_page_renders_with_its_loops_and_prompts(
    written: Path, name: str
) -> None:
    workflow = workflow_of(load(written / name))
    given = workflow.input.model_validate({"prompt": "good morning"})
    top = render_top(workflow, given)
    assert top.steps
    for key, author in list(top.authors.items()):
        if isinstance(author, Task):
            assert prompt_text(top, key)
        if isinstance(author, Loop):
            body = render_iteration(workflow, given, key, 1, {})
            for inner, step in body.authors.items():
                assert not isinstance(step, Task) or prompt_text(body, inner)


def test_the_plan_of_the_authoring_page_becomes_steps(written: Path) -> None:
    workflow = workflow_of(load(written / "plan_first.py"))
    given = workflow.input.model_validate({"prompt": "x"})
    assert list(render_top(workflow, given).steps) == ["plan"]
    top = render_top(workflow, given, {"plan": {"parts": ["a", "b"], "risky": False}})
    assert list(top.steps) == ["plan", "agree", "part-1", "part-2"]
    assert top.steps["agree"].when is False


def test_the_failure_reaches_the_prompt_of_the_authoring_page(written: Path) -> None:
    workflow = workflow_of(load(written / "upgrade.py"))
    given = workflow.input.model_validate({"prompt": "httpx 1.0"})
    red = {"passed": False, "exit_code": 1, "tail": "FAILED test_a"}
    body = render_iteration(workflow, given, "upgrade", 2, {"upgrade[1]/checks": red})
    text = prompt_text(body, "upgrade[2]/code")
    assert "    | FAILED test_a" in text
    (script,) = [
        json.loads(text)
        for language, text in blocks(TOP / "docs/authoring.md")
        if language == "json"
    ]
    model = load(written / "upgrade.py").Change
    for turn in script["turns"]:
        model.model_validate(turn["output"])
        assert all(words in text for words in turn.get("expect", []))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    links = [
        target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in target
    ]
    missing = [
        target
        for target in links
        if target != "docs/app.svg" and not (page.parent / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", [*PAGES, SKILL], ids=lambda page: page.name)
def test_every_command_that_a_page_shows_is_one(page: Path) -> None:
    text = page.read_text()
    lines = [line.strip() for _, block in blocks(page) for line in block.splitlines()]
    lines += re.findall(r"`(smithers [^`]+)`", text)
    shown = [
        line[line.index("smithers ") :]
        for line in lines
        if re.match(r"(\S*uv run )?smithers \w", line)
    ]
    for line in shown:
        words = shlex.split(line.partition(" #")[0])[1:]
        commands = parser.build()
        assert words[0] in commands.commands
        if len(words) > 1:  # one word alone names a command in a sentence
            commands.parse_args([re.sub(r"[\[\]]", "", word) for word in words])


def test_the_two_commands_stand_in_readme_and_contributing() -> None:
    first = "python3 -m venv .venv && .venv/bin/pip install -q uv && .venv/bin/uv run smithers demo"
    second = ".venv/bin/uv run pytest"
    for name in ("README.md", "CONTRIBUTING.md"):
        assert f"```\n{first}\n{second}\n```" in (TOP / name).read_text()


def test_the_readme_names_every_recipe_that_ships() -> None:
    text = (TOP / "README.md").read_text()
    for name in recipes():
        assert f"| `{name}` |" in text


def test_the_import_rule_of_the_page_is_that_of_the_contracts() -> None:
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    (stack,) = [each for each in contracts if each["id"] == "stack"]
    drawn = next(text for _, text in blocks(TOP / "docs/architecture.md") if "four hands" in text)
    names = [re.match(r"\w[\w |]*?(?=  |$)", line) for line in drawn.splitlines()]
    layers = [match[0].replace(" | smithers_tui", "") for match in names if match]
    assert layers == stack["layers"]
