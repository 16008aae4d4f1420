"""The demo's script is real: each edit applies, the first tree is red, and prompts hold what it expects."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from rendering import load, prompt_text, render_iteration, workflow_of

import smithers
from smithers_recipes import recipes

DEMO = Path(smithers.__file__).parent / "cli"
TURNS = json.loads((DEMO / "demo_script.json").read_text())["turns"]
GOAL = "Add rate limiting to the API and don't stop until it builds, validates and a reviewer signs off"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    shutil.copytree(DEMO / "demo_project", folder, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "start")
    return folder


def git(folder: Path, *args: str) -> str:
    return subprocess.run(
        ["git", *args], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def check(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def play(turn: dict, folder: Path) -> None:
    for action in turn["do"]:
        match action:
            case {"write": path, "text": text}:
                (folder / path).write_text(text)
            case {"edit": path, "old": old, "new": new}:
                before = (folder / path).read_text()
                assert before.count(old) == 1, f"{old!r} stands {before.count(old)} times in {path}"
                (folder / path).write_text(before.replace(old, new))
            case {"run": command}:
                done = subprocess.run(
                    ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True
                )
                assert done.returncode in action.get("ok", [0]), done.stdout + done.stderr
            case {"say": _} | {"sleep": _}:
                pass
            case _:
                raise AssertionError(action)


def test_the_project_is_green_before_anything_happens(project: Path) -> None:
    code, text = check(project)
    assert code == 0, text
    assert git(project, "status", "--short") == ""


@pytest.mark.slow
def test_the_script_is_red_then_rejected_then_approved_and_every_prompt_holds_what_it_expects(
    project: Path,
) -> None:
    workflow = workflow_of(load(recipes()["implement"]))
    given = workflow.input.model_validate({"prompt": GOAL, "checks": "python -m unittest"})
    outputs: dict = {}
    codes = []
    for turn in TURNS:
        n, step = turn["iteration"], turn["step"].split("/")[1]
        body = render_iteration(workflow, given, "build", n, outputs)
        prompt = prompt_text(body, f"build[{n}]/{step}")
        assert [words for words in turn["expect"] if words not in prompt] == []
        play(turn, project)
        model = body.authors[f"build[{n}]/{step}"].output
        outputs[f"build[{n}]/{step}"] = model.model_validate(turn["output"]).model_dump()
        if step == "code":
            code, text = check(project)
            codes.append(code)
            outputs[f"build[{n}]/checks"] = {
                "passed": code == 0,
                "exit_code": code,
                "tail": text[-8000:],
            }
    assert codes == [1, 0, 0]
    verdicts = [turn["output"]["approved"] for turn in TURNS if turn["step"] == "build/review"]
    assert verdicts == [False, True]
    changed = {line[3:] for line in git(project, "status", "--short").splitlines()}
    assert changed == {"README.md", "api.py", "ratelimit.py", "tests/test_rate_limit.py"}
    assert set(TURNS[-2]["output"]["files"]) == changed


def test_the_script_can_be_watched_and_does_not_drag() -> None:
    slept = sum(action.get("sleep", 0) for turn in TURNS for action in turn["do"])
    assert 3 <= slept <= 8


def test_the_demos_config_maps_both_roles_and_lets_its_own_gate_be_opened() -> None:
    config = tomllib.loads((DEMO / "demo_config.toml").read_text())
    assert config == {
        "roles": dict.fromkeys(("coder", "reviewer"), "scripted:.smithers/demo_script.json"),
        "gates": {"implement/ship": "anyone"},
        "supervise": {"doors": "auto"},
    }
