"""The recipes from start to end: the real command, real engines, a real repository, a scripted agent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import smithers

pytestmark = pytest.mark.slow

DEMO = Path(smithers.__file__).parent / "cli"
COMMAND = [sys.executable, "-c", "import sys; from smithers.cli.app import main; sys.exit(main())"]
ROLES = ("planner", "coder", "reviewer")


@dataclass
class Project:
    root: Path
    env: dict[str, str]

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ["git", *args], cwd=self.root, env=self.env, check=True, capture_output=True, text=True
        )
        return done.stdout

    def smithers(self, *args: str, code: int = 0) -> dict:
        """Run a command with --json and a limit; its document."""
        done = subprocess.run(
            [*COMMAND, *args, "--json"],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def up(self, recipe: str, prompt: str, **given: object) -> str:
        return self.smithers("up", recipe, prompt, "--input", json.dumps(given), "-d")["id"]

    def wait(self, run: str, *, code: int, until: str = "needs-me,finished") -> dict:
        return self.smithers("wait", run, "--until", until, "--timeout", "50s", code=code)

    def until_running(self, run: str, step: str) -> None:
        """Read frames as they come until this step runs."""
        follower = subprocess.Popen(
            [*COMMAND, "events", run, "--follow", "--json"],
            cwd=self.root,
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert follower.stdout is not None
            for line in follower.stdout:
                if {"step": step, "status": "running"} in json.loads(line)["changes"]:
                    return
            raise AssertionError(f"{run} ended before {step} ran")
        finally:
            follower.kill()
            follower.communicate()

    def kill_engine(self, run: str) -> None:
        os.kill(self.smithers("inspect", run)["engine"]["pid"], signal.SIGKILL)

    def attempts(self, run: str) -> dict[str, list[str]]:
        """The states of each step's attempts, in order; steps without any left out."""
        steps = self.smithers("inspect", run)["steps_detail"]
        return {
            each["key"]: [a["status"] for a in each["attempts"]]
            for each in steps
            if each["attempts"]
        }


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    root = tmp_path / "project"
    shutil.copytree(DEMO / "demo_project", root, ignore=shutil.ignore_patterns("__pycache__"))
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    made = Project(root, env)
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Tester")
    made.git("config", "user.email", "tester@localhost")
    home = root / ".smithers"
    home.mkdir()
    roles = "\n".join(f'{role} = "scripted:.smithers/script.json"' for role in ROLES)
    gates = "\n".join(
        f'"{gate}" = "anyone"' for gate in ("implement/ship", "migrate/start", "migrate/ship")
    )
    (home / "config.toml").write_text(f"[roles]\n{roles}\n\n[gates]\n{gates}\n")
    yield made
    for run in made.smithers("ps")["runs"]:
        if run["finished_at"] is None:
            subprocess.run(
                [*COMMAND, "cancel", run["id"]], cwd=root, env=env, capture_output=True, timeout=30
            )


def script(project: Project, turns: list[dict]) -> None:
    (project.root / ".smithers" / "script.json").write_text(json.dumps({"turns": turns}))
    project.git("add", "-A")
    project.git("commit", "-qm", "start")


def code_turn(step: str, path: str, *, wait_for: Path | None = None) -> dict:
    do: list[dict] = [{"say": f"I write {path}"}, {"write": path, "text": f"{step}\n"}]
    if wait_for:
        do.insert(1, {"wait_for": str(wait_for)})
    return {"step": step, "do": do, "output": {"summary": f"wrote {path}", "files": [path]}}


def test_implement_goes_red_then_rejected_then_signed_off_and_lands(project: Project) -> None:
    script(project, json.loads((DEMO / "demo_script.json").read_text())["turns"])
    run = project.up("implement", "Add rate limiting to the API", checks="python -m unittest")
    waiting = project.wait(run, code=3)
    assert waiting["reason"] == "needs-me"
    assert [(each["kind"], each["step"]) for each in waiting["waiting_on"]] == [
        ("approval", "ship")
    ]
    assert project.attempts(run) == {
        "build[1]/code": ["succeeded"], "build[1]/checks": ["failed"],
        "build[2]/code": ["succeeded"], "build[2]/checks": ["succeeded"], "build[2]/review": ["succeeded"],
        "build[3]/code": ["succeeded"], "build[3]/checks": ["succeeded"], "build[3]/review": ["succeeded"],
    }  # fmt: skip
    changed = {each["path"] for each in project.smithers("diff", run)["files"]}
    assert changed == {"README.md", "api.py", "ratelimit.py", "tests/test_rate_limit.py"}
    assert not (project.root / "ratelimit.py").exists()
    project.smithers("approve", run, "ship", "--note", "reads well")
    assert project.wait(run, code=0)["status"] == "succeeded"
    project.smithers("land", run)
    assert (project.root / "ratelimit.py").exists()
    subprocess.run(
        [sys.executable, "-m", "unittest", "-q"], cwd=project.root, check=True, capture_output=True
    )


def test_ralph_goes_on_across_a_crash_and_ends_well_when_told_to_stop(
    project: Project, tmp_path: Path
) -> None:
    turns = []
    for n in range(1, 7):
        gate = tmp_path / f"go-{n}" if n >= 3 else None
        turn = code_turn("keep/work", f"step-{n}.txt", wait_for=gate) | {"iteration": n}
        turns.append(
            turn | {"output": {"summary": f"step {n}", "learned": f"know {n}", "next": ""}}
        )
    turns[3]["expect"] = ["know 3"]
    script(project, turns)
    run = project.up(
        "ralph", "Keep working on reducing our flaky tests", checks="test -f step-1.txt"
    )
    project.until_running(run, "keep[3]/work")
    project.kill_engine(run)
    assert project.smithers("inspect", run)["status"] == "interrupted"
    project.smithers("resume", run)
    (tmp_path / "go-3").touch()
    project.until_running(run, "keep[4]/work")
    project.smithers("stop", run)
    (tmp_path / "go-4").touch()
    ended = project.wait(run, code=0, until="finished")
    assert ended["status"] == "succeeded"
    assert "stop" in ended["status_reason"]
    assert project.attempts(run) == {
        "keep[1]/work": ["succeeded"], "keep[1]/checks": ["succeeded"],
        "keep[2]/work": ["succeeded"], "keep[2]/checks": ["succeeded"],
        "keep[3]/work": ["interrupted", "succeeded"], "keep[3]/checks": ["succeeded"],
        "keep[4]/work": ["succeeded"], "keep[4]/checks": ["succeeded"],
        "proof": ["succeeded"],
    }  # fmt: skip
    changed = {each["path"] for each in project.smithers("diff", run)["files"]}
    assert changed == {f"step-{n}.txt" for n in range(1, 5)}


def test_ralph_asks_when_three_iterations_change_nothing(project: Project) -> None:
    nothing = {"summary": "nothing left to do", "learned": "", "next": ""}
    script(
        project, [{"step": "keep/work", "do": [{"say": "I see nothing"}], "output": nothing}] * 8
    )
    run = project.up("ralph", "Keep working on reducing our flaky tests", checks="true")
    waiting = project.wait(run, code=3)
    assert [each["kind"] for each in waiting["waiting_on"]] == ["no_progress"]
    assert "keep[4]/work" not in project.attempts(run)
    project.smithers("cancel", run)
    assert project.wait(run, code=4)["status"] == "cancelled"


def test_migrate_shows_its_plan_then_resumes_at_the_milestone_it_was_at(
    project: Project, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    plan = {
        "approach": "One page at a time",
        "milestones": [
            {"title": f"Page {n}", "goal": f"Page {n} moved", "done_when": f"page-{n}.txt exists"}
            for n in (1, 2)
        ],
        "risks": "none seen",
    }
    yes = {"approved": True, "feedback": "It is there"}
    no = {"approved": False, "feedback": "page-2.txt says nothing of the second page"}
    turns = [
        {
            "step": "plan",
            "expect": ["Migrate the dashboard"],
            "do": [{"say": "I read"}],
            "output": plan,
        },
        code_turn("milestone-1/code", "page-1.txt"),
        {"step": "milestone-1/review", "expect": ["Page 1 moved"], "do": [], "output": yes},
        code_turn("milestone-2/code", "page-2.txt", wait_for=go) | {"iteration": 1},
        {"step": "milestone-2/review", "iteration": 1, "do": [], "output": no},
        code_turn("milestone-2/code", "page-2.txt") | {"iteration": 2, "expect": [no["feedback"]]},
        {
            "step": "milestone-2/review",
            "iteration": 2,
            "expect": [no["feedback"]],
            "do": [],
            "output": yes,
        },
    ]
    turns[5]["do"][1]["text"] = "the second page\n"
    script(project, turns)
    run = project.up("migrate", "Migrate the dashboard", checks="true")
    waiting = project.wait(run, code=3)
    assert [each["step"] for each in waiting["waiting_on"]] == ["start"]
    assert project.attempts(run) == {"plan": ["succeeded"]}
    assert project.smithers("diff", run)["files"] == []
    project.smithers("approve", run, "start")
    project.until_running(run, "milestone-2[1]/code")
    project.kill_engine(run)
    project.smithers("resume", run)
    go.touch()
    assert [each["step"] for each in project.wait(run, code=3)["waiting_on"]] == ["ship"]
    project.smithers("approve", run, "ship")
    assert project.wait(run, code=0)["status"] == "succeeded"
    done = ["succeeded"]
    assert project.attempts(run) == {
        "plan": done,
        "milestone-1[1]/code": done, "milestone-1[1]/checks": done, "milestone-1[1]/review": done,
        "milestone-2[1]/code": ["interrupted", "succeeded"], "milestone-2[1]/checks": done, "milestone-2[1]/review": done,
        "milestone-2[2]/code": done, "milestone-2[2]/checks": done, "milestone-2[2]/review": done,
    }  # fmt: skip


def test_migrate_does_nothing_when_its_plan_is_refused(project: Project) -> None:
    plan = {"approach": "x", "milestones": [{"title": "a", "goal": "b", "done_when": "c"}]}
    script(project, [{"step": "plan", "do": [], "output": plan}])
    run = project.up("migrate", "Migrate the dashboard", checks="true")
    project.wait(run, code=3)
    project.smithers("deny", run, "start", "--reason", "too coarse")
    ended = project.wait(run, code=1)
    assert ended["status"] == "failed"
    assert project.attempts(run) == {"plan": ["succeeded"]}
