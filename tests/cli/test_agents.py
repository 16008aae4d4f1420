"""`agents`: what is there, told without anybody's secrets; and `agents test`: one real task."""

import json
import os
import shutil
from pathlib import Path

import pytest

from smithers.engine import roster
from tests.conformance.subjects.claude import environ
from tests.models import FakeModel

KEYS = {
    *("name", "kind", "installed", "path", "version", "logged_in", "model", "roles"),
    *("asks", "resumes", "schema", "cost", "problem", "next"),
}
WRITES = {
    "do": [{"say": "I write it"}, {"write": "hello.txt", "text": "hello from smithers\n"}],
    "output": {"file": "hello.txt", "lines": 1},
    "usage": {"input_tokens": 120, "output_tokens": 7},
}


@pytest.fixture
def bin(tmp_path, monkeypatch):
    """A PATH with nothing but the programs of the test, and a person without secrets."""
    folder, home = tmp_path / "bin", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "CLAUDE", "CODEX", "OPENAI", "GEMINI", "GOOGLE", "XDG_")):
            monkeypatch.delenv(name)
    return folder


def put(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def config(text):
    home = Path(".smithers")
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


def listed(smithers):
    return {each["name"]: each for each in smithers("agents", "--json").json["agents"]}


def test_each_is_there_with_what_it_can_do_or_with_the_command_that_installs_it(
    bin, scene, smithers
):
    claude = put(bin, "claude", "echo '2.1.330 (Claude Code)'")
    found = listed(smithers)
    assert all(set(each) == KEYS for each in found.values())
    assert list(found)[:2] == ["claude", "codex"]
    one = found["claude"]
    assert (one["installed"], one["path"], one["version"]) == (True, str(claude), "2.1.330")
    assert [one[key] for key in ("asks", "resumes", "schema", "cost")] == [True] * 4
    other = found["codex"]
    assert (other["installed"], other["version"]) == (False, None)
    assert other["next"] == "npm install -g @openai/codex"
    assert (other["asks"], other["cost"]) == (False, False)


def test_those_of_config_come_first_with_model_and_roles(bin, scene, smithers):
    put(bin, "claude", "echo 1.0.0")
    put(bin, "gemini", "echo 0.61.0")
    config(
        '[agents.fast]\nkind = "claude"\nmodel = "haiku"\n'
        '[roles]\ncoder = ["fast", "claude:opus"]\nreviewer = ["acp:gemini --acp", "fast"]\n'
    )
    found = listed(smithers)
    assert list(found)[:3] == ["fast", "claude:opus", "acp:gemini --acp"]
    assert (found["fast"]["model"], found["fast"]["roles"]) == ("haiku", ["coder", "reviewer"])
    assert (found["claude:opus"]["model"], found["claude"]["model"]) == ("opus", None)
    acp = found["acp:gemini --acp"]
    assert (acp["kind"], acp["installed"], acp["version"]) == ("acp", True, "0.61.0")
    assert (acp["asks"], acp["cost"]) == (True, None)


def test_a_program_is_asked_once_and_gets_no_secret(bin, scene, smithers, monkeypatch, tmp_path):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    monkeypatch.setenv("MY_TOKEN", "secret")
    put(bin, "claude", f"env >> {tmp_path}/seen; echo 1.0.0")
    config('[agents.a]\nkind = "claude"\n[agents.b]\nkind = "claude"\nenv = { KEY = "secret" }\n')
    found = listed(smithers)
    assert {found[name]["version"] for name in ("a", "b", "claude")} == {"1.0.0"}
    seen = (tmp_path / "seen").read_text()
    assert "secret" not in seen
    assert seen.count("PATH=") == 1


def test_nobody_is_asked_what_a_command_of_the_person_would_do(bin, scene, smithers, tmp_path):
    put(bin, "deploy", f"touch {tmp_path}/deployed; echo 1.0")
    config('[roles]\ncoder = "command:deploy --now"\nreviewer = "acp:deploy"\n')
    assert listed(smithers)["command:deploy --now"]["version"] is None
    assert not (tmp_path / "deployed").exists()


def test_who_is_logged_in_is_seen_by_what_is_there(bin, scene, smithers, monkeypatch, tmp_path):
    for name in ("claude", "codex", "opencode"):
        put(bin, name, "echo 1.0.0")
    assert {listed(smithers)[name]["logged_in"] for name in ("claude", "codex")} == {False}
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-none")
    credentials = tmp_path / "home/.codex/auth.json"
    credentials.parent.mkdir()
    credentials.touch(mode=0o000)
    found = listed(smithers)
    assert {found[name]["logged_in"] for name in ("claude", "codex")} == {True}
    assert found["opencode"]["logged_in"] is True, "it takes keys of others too"
    credentials.unlink()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    assert listed(smithers)["codex"]["logged_in"] is None, "its files are elsewhere"


def test_a_program_that_hangs_or_fails_has_no_version(bin, scene, smithers, monkeypatch):
    monkeypatch.setattr(roster, "VERSION_SECONDS", 0.5)
    put(bin, "claude", "sleep 60")
    put(bin, "codex", "echo 1.0.0; exit 3")
    found = listed(smithers)
    assert [found[name]["version"] for name in ("claude", "codex")] == [None, None]


def test_the_list_fits_on_80_columns(bin, scene, smithers):
    put(bin, "claude", "echo 2.1.330-beta.1+build.20261124")
    config(
        '[agents.a-long-name-of-an-agent]\nkind = "claude"\nmodel = "claude-opus-5-5-20261101"\n'
        '[roles]\ncoder = "a-long-name-of-an-agent"\nreviewer = "a-long-name-of-an-agent"\n'
    )
    said = smithers("agents")
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == [
        *("AGENT", "VERSION", "LOGIN", "ASKS", "RESUMES", "SCHEMA", "COST", "MODEL", "ROLES")
    ]
    assert "× codex is not installed" in said.out
    assert "    next: npm install -g @openai/codex" in lines
    assert "played by claude" in said.err


@pytest.fixture
def trials(tmp_path, monkeypatch):
    """Where trials are made: what is left of them."""
    folder = tmp_path / "trials"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.slow
def test_an_agent_that_works_is_told_step_by_step_and_leaves_nothing(bin, scene, smithers, trials):
    config('[agents.played]\nkind = "scripted"\nfile = "turns/one.json"\n')
    Path("turns").mkdir()
    Path("turns/one.json").write_text(json.dumps({"turns": [WRITES]}))
    said = smithers("agents", "test", "played")
    assert said.code == 0, said.err
    assert said.out.startswith("✓ played works: ")
    assert said.out.rstrip().endswith("120 in, 7 out, cost unknown")
    told = [" ".join(line.split()) for line in said.err.splitlines()]
    for line in (
        "● write Write hello.txt, and say what is in it",
        "› text I write it",
        "→ tool write hello.txt",
        "$ command grep -qx 'hello from smithers' hello.txt",
    ):
        assert line in told
    assert any(line.startswith("✓ verify succeeded after") for line in told)
    assert list(trials.iterdir()) == []
    assert not Path("hello.txt").exists()


@pytest.mark.slow
def test_a_command_of_the_project_is_tried_where_it_stands(bin, scene, smithers, trials):
    Path("tools").mkdir()
    put(
        Path("tools"),
        "agent.sh",
        "cat >/dev/null; echo hello from smithers > hello.txt; "
        'echo \'{"file": "hello.txt", "lines": 1}\'',
    )
    told = smithers("agents", "test", "command:tools/agent.sh", "--keep", "--json").json
    assert (told["ok"], told["error"], told["usage"]["cost_usd"]) == (True, None, None)
    assert [step["key"] for step in told["steps"]] == ["write", "verify"]
    kept = Path(told["dir"])
    assert (kept / "hello.txt").read_text() == "hello from smithers\n"


@pytest.mark.slow
def test_one_that_lies_fails_by_the_check_and_its_folder_is_kept(bin, scene, smithers, trials):
    lies = {**WRITES, "do": [{"say": "done"}]}
    Path("one.json").write_text(json.dumps({"turns": [lies]}))
    said = smithers("agents", "test", "scripted:one.json")
    assert said.code == 1
    assert "× scripted:one.json does not work" in said.out
    (kept,) = trials.iterdir()
    assert f"cd {kept}" in said.err


@pytest.mark.slow
def test_one_that_asks_is_not_waited_for_and_the_rule_is_named(bin, scene, smithers, trials):
    asks = {"do": [{"ask": "hello.txt", "tool": "edit"}, *WRITES["do"]], "output": WRITES["output"]}
    Path("one.json").write_text(json.dumps({"turns": [asks]}))
    config('[permissions]\nask = ["edit *"]\n')
    told = smithers("agents", "test", "scripted:one.json", "--json")
    assert told.code == 1
    assert "wants to edit hello.txt" in told.json["error"]
    assert "[permissions]" in told.json["next"]
    config('[permissions]\nallow = ["edit hello.txt"]\n')
    assert smithers("agents", "test", "scripted:one.json").code == 0


@pytest.mark.slow
def test_a_limit_is_not_waited_for(bin, scene, smithers, trials):
    limited = {"do": [{"fail": "rate_limit", "retry_after": 3600, "message": "too many"}]}
    Path("one.json").write_text(json.dumps({"turns": [limited]}))
    said = smithers("agents", "test", "scripted:one.json")
    assert said.code == 1
    assert "has met a limit" in said.out
    assert "too many" in said.out


def test_an_agent_that_is_not_there_is_said_with_the_cure(bin, scene, smithers, trials):
    said = smithers("agents", "test", "gemini")
    assert (said.code, "npm install -g @google/gemini-cli" in said.err) == (1, True)
    assert list(trials.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("nobody", "choose one of"),
        ("scripted:none.json", "give its path"),
        ("command:a 'b", "quote its words"),
        ("acp:", "name its command"),
        ("model:nothing", "say it as model:"),
    ],
)
def test_a_name_that_means_no_agent_is_a_bad_argument(name, cure, bin, scene, smithers, trials):
    said = smithers("agents", "test", name)
    assert (said.code, cure in said.err.partition("next: ")[2]) == (2, True), said.err
    assert list(trials.iterdir()) == []


def test_from_inside_a_run_none_is_tried(scene, smithers, monkeypatch):
    monkeypatch.setenv("SMITHERS_RUN", "outer")
    assert smithers("agents", "test", "claude").code == 5


@pytest.mark.cli
@pytest.mark.slow
def test_the_real_claude_is_tried(scene, smithers, trials, monkeypatch, tmp_path):
    program = shutil.which("claude")
    if program is None:
        if os.environ.get("SMITHERS_REQUIRE_CLI"):
            pytest.fail("claude is not installed, and here it must be: .ci/install-agents")
        pytest.skip("claude is not on PATH: .ci/install-agents installs it")
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith(("CLAUDE", "ANTHROPIC")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    writes = {"write": "{cwd}/hello.txt", "text": "hello from smithers\n"}
    answer = {"json": {"file": "hello.txt", "lines": 1}}
    with FakeModel([{"text": "I write it.", "tools": [writes]}, answer]) as model:
        for name, value in {**environ(model), "IS_SANDBOX": "1"}.items():
            monkeypatch.setenv(name, value)
        assert listed(smithers)["claude"]["version"][0].isdigit()
        told = smithers("agents", "test", "claude", "--json")
    assert told.code == 0, told.err
    usage = told.json["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (
        model.used.input_tokens,
        model.used.output_tokens,
    )
    assert usage["cost_usd"] > 0
    assert "› text    I write it." in told.err
    assert model.strays == []
