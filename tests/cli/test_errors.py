import json
import os
import subprocess
import sys

import pytest
from scene import at_gate, ended

from smithers.cli import VERSION, parser, values
from smithers.service import locate


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["pss"], 2, "there is no command 'pss'. next: smithers ps"),
        (["ps", "--statuss", "x"], 2, "--statuss"),
        (["ps", "--status", "sleeping"], 2, "'sleeping' is none of queued, running"),
        (["why"], 2, "required: RUN"),
        (["why", "no-such"], 2, "no run no-such"),
        (["logs", "done", "nowhere"], 2, "no step nowhere"),
        (["logs", "done", "--attempt", "1"], 2, "--attempt needs a STEP"),
        (["logs", "done", "build[1]/code", "--attempt", "9"], 2, "no attempt 9"),
        (["diff", "done", "--attempt", "1"], 2, "--attempt needs a STEP"),
        (["output", "done", "nowhere"], 2, "no step nowhere"),
        (["wait", "done", "--until", "later"], 2, "'later' is none of needs-me, finished"),
        (["wait", "done", "--timeout", "soon"], 2, "'soon' is no time; such as 90s"),
        (["up", "implement", "x", "--agent", "claude"], 2, "'claude' is not ROLE=AGENT"),
        (["up", "implement", "x", "--budget-usd", "-1"], 2, "'-1' is no positive number"),
        (["up", "implement", "x", "--in-place", "--worktree"], 2, "not allowed with"),
        (["up", "implement", "--input", "{oops"], 2, "--input is no JSON"),
        (["up", "implement", "--input", "[1]"], 2, "--input is no JSON object"),
        (["up", "implement", "--input", "@gone.json"], 2, "No such file"),
        (["approve", "done"], 5, "run done has no open gate"),
        (["approve", "asking", "shop"], 2, "no gate shop; nearest: ship"),
        (["deny", "asking"], 2, "required: --reason"),
        (["approve", "asking", "ship"], 5, "ship is for a person at a terminal"),
        (["skill", "install"], 2, "there is no terminal to ask at"),
        (["tui"], 2, "the app needs a terminal"),
        (["recipes", "show"], 2, "which recipe?"),
        (["recipes", "show", "implemnt"], 2, "nearest: implement"),
        (["demo", "--dir", "."], 2, "is not empty"),
    ],
)
def test_each_mistake_is_one_clear_line_and_its_exit_code(scene, smithers, words, code, text):
    ended(scene.run("done"))
    at_gate(scene.run("asking"))
    said = smithers(*words)
    assert said.code == code
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert text in said.err
    assert "next: " in said.err
    assert "Traceback" not in said.err

    told = smithers(*words, "--json")
    assert told.code == code
    error = told.json["error"]
    assert error.keys() == {"code", "message", "next"}
    assert error["next"]


def test_an_ambiguous_prefix_lists_what_fits(scene, smithers):
    scene.run("run-a")
    scene.run("run-b")
    said = smithers("why", "run")
    assert said.code == 2
    assert "run-a" in said.err
    assert "run-b" in said.err


def test_what_was_typed_is_not_echoed_raw(scene, smithers):
    for words in (["\x1b[31mx"], ["why", "\x1b]0;evil\x07"], ["ps", "--status", "\u202ex"]):
        said = smithers(*words)
        assert said.code == 2
        assert "\x1b" not in said.err
        assert "\u202e" not in said.err


def test_without_a_run_directory_reading_says_what_to_do(tmp_path, monkeypatch, smithers):
    monkeypatch.delenv("SMITHERS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    said = smithers("ps")
    assert said.code != 0
    assert said.err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_every_command_has_help_with_an_example(capsys):
    for name, command in parser.build().commands.items():
        text = command.format_help()
        assert f"example: smithers {name}" in text
        assert "--json" in text


def test_help_explains_the_exit_codes():
    assert "exit codes: 0 done" in parser.build().format_help()


def test_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert version("smithers-tui") == VERSION


def test_times_are_read_in_seconds():
    assert [values.seconds(text) for text in ("90", "90s", "10m", "1.5h", "500ms")] == [
        90, 90, 600, 5400, 0.5,
    ]  # fmt: skip


HEAVY = {"pydantic", "asyncio", "textual", "jinja2", "rich", "watchfiles", "importlib.metadata"}
SCRIPT = """
import json, sys
sys.argv = ["smithers", *json.loads(sys.argv[1])]
from smithers.cli.app import main
try:
    main()
except SystemExit:
    pass
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def modules_after(cwd, *words):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(words)],
        cwd=cwd,
        env={**os.environ, "SMITHERS_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "words",
    [
        ("ps",), ("ps", "--json"), ("why", "asking"), ("inspect", "asking"), ("logs", "asking"),
        ("events", "asking"), ("inbox",), ("output", "asking", "ship"),
    ],
)  # fmt: skip
def test_looking_loads_nothing_heavy(scene, words):
    at_gate(scene.run("asking"))
    assert not modules_after(scene.root, *words) & HEAVY


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("up", "--help")])
def test_version_and_help_load_no_part_of_the_system(tmp_path, words):
    loaded = modules_after(tmp_path, *words)
    assert not loaded & (HEAVY | {"sqlite3", "dataclasses", "smithers.service", "smithers.model"})


def test_a_reader_that_leaves_ends_the_command_quietly(scene):
    for number in range(3):
        scene.run(f"r{number}")
    done = subprocess.run(
        f"{sys.executable} -m smithers.cli ps --json | true",
        shell=True,
        cwd=scene.root,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""


def test_signs_that_a_terminal_lacks_are_escaped(scene):
    ended(scene.run("done"))
    done = subprocess.run(
        [sys.executable, "-m", "smithers.cli", "ps"],
        cwd=scene.root,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "SMITHERS_DIR": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "\\u2713 succeeded" in done.stdout


def test_a_database_of_a_newer_program_is_refused_and_left_alone(scene, smithers):
    path = locate.state_dir(scene.root) / "smithers.db"
    with scene.store.write() as db:
        db.execute("UPDATE meta SET version = 99")
    for words in (("ps",), ("why", "x"), ("doctor",)):
        said = smithers(*words)
        assert said.code != 0
        assert "newer" in said.err + said.out
    assert smithers("ps", "--json").json["error"]["code"] == "store_too_new"
    assert path.exists()
