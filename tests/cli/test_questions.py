"""What an agent asks stands in full wherever somebody could decide about it."""

import sys
from hashlib import sha256

import pytest
from scene import at_gate
from terminal import Terminal

from smithers.model.gate import About, Gate, GateKind
from smithers.service import reading

START = 1_764_000_000_000
PATCH = "--- src/a.py\n+++ src/a.py\n@@ -1,2 +1,2 @@\n import os\n-x = 1\n+x = 2"
SMITHERS = [sys.executable, "-m", "smithers.cli"]


def asked(body, *, tool="shell", subject="", show="text", by="person"):
    return Gate(
        id="ship#1",
        key="ship",
        kind=GateKind.PERMISSION,
        title="claude wants to use a tool",
        by=by,
        why="no rule of [permissions] decides about it",
        show=show,
        body=body,
        digest=sha256(body.encode()).hexdigest(),
        opened_at=START,
        about=About(tool, subject or body, "d" * 64, 1),
    )


@pytest.mark.parametrize("command", [("why", "r"), ("inspect", "r"), ("inbox",)])
def test_the_exact_command_is_shown_with_what_hides_in_it(scene, smithers, command):
    at_gate(scene.run("r"), asked("git push \u202e--force\n&& rm -rf build"))
    said = smithers(*command).out
    assert "    git push ⟨U+202E⟩--force\n    && rm -rf build\n" in said
    assert "! 1 hidden sign" in said


@pytest.mark.parametrize("command", [("why", "r"), ("inspect", "r"), ("inbox",)])
def test_a_change_is_shown_as_the_patch_that_it_is(scene, smithers, command):
    at_gate(scene.run("r"), asked(PATCH, tool="edit", subject="src/a.py", show="patch"))
    assert "\n    -x = 1\n    +x = 2\n" in smithers(*command).out


def test_a_change_is_in_colours_on_a_terminal(scene):
    at_gate(scene.run("r"), asked(PATCH, tool="edit", subject="src/a.py", show="patch"))
    with Terminal([*SMITHERS, "why", "r"], cwd=scene.root, env={"NO_COLOR": ""}) as terminal:
        assert terminal.end() == 0
        assert "\x1b[32m+x = 2\x1b[0m" in terminal.shown
        assert "\x1b[31m-x = 1\x1b[0m" in terminal.shown


def test_a_list_shows_the_beginning_and_says_where_the_rest_is(scene, smithers):
    at_gate(scene.run("r"), asked("\n".join(f"line {n}" for n in range(40))))
    said = smithers("inbox").out
    assert "line 10\n" in said
    assert "line 11\n" not in said
    assert "… 29 more lines: smithers why r" in said
    assert "line 39" in smithers("why", "r").out


def test_json_has_all_of_it_for_who_drives(scene, smithers):
    at_gate(scene.run("r"), asked(PATCH, tool="edit", subject="src/a.py", show="patch"))
    for command in (("inbox",), ("inspect", "r"), ("why", "r")):
        (gate,) = smithers(*command, "--json").json["gates"]
        assert (gate["kind"], gate["show"], gate["body"]) == ("permission", "patch", PATCH)
        assert (gate["tool"], gate["subject"], gate["hidden"]) == ("edit", "src/a.py", 0)


def test_why_says_that_an_answer_can_hold_for_longer(scene, smithers):
    at_gate(scene.run("r"), asked("git push"))
    said = smithers("why", "r").out
    assert "next: smithers approve r ship\n" in said
    assert "--remember step, run or recipe" in said


def test_what_an_answer_holds_for_is_in_the_record(scene, smithers):
    at_gate(scene.run("r"), asked("git push", by="anyone"))
    smithers("pause", "r")
    done = smithers("deny", "r", "--reason", "no", "--remember", "step")
    assert done.code == 0, done.err
    assert "ship denied for this step by agent:cli" in done.err
    assert "gate ship#1: denied for this step by agent:cli" in smithers("inspect", "r").out


@pytest.mark.parametrize("scope", ["run", "recipe"])
def test_who_may_decide_for_anyone_decides_no_more_than_that_step(scene, smithers, scope):
    at_gate(scene.run("r"), asked("git push", by="anyone"))
    said = smithers("approve", "r", "--remember", scope, "--json")
    assert (said.code, said.json["error"]["code"]) == (5, "needs_person")
    assert said.json["error"]["next"].endswith(f"smithers approve r ship --remember {scope}")


def test_a_long_command_is_shown_to_its_end(scene, smithers):
    command = f"true {'x' * 5000}; rm -rf build"
    at_gate(scene.run("r"), asked(command))
    assert f"    {command}\n" in smithers("why", "r").out
    (gate,) = smithers("why", "r", "--json").json["gates"]
    assert (gate["body"], gate["hidden"]) == (command, 0)


def test_what_is_too_long_to_be_shown_cannot_be_approved(scene, smithers):
    at_gate(scene.run("r"), asked("x" * (1 << 20) + "; rm -rf build", subject="x", by="anyone"))
    said = smithers("approve", "r", "--json")
    assert said.code == 5
    assert "too long to be shown" in said.json["error"]["message"]
    smithers("pause", "r")
    assert smithers("deny", "r", "--reason", "too long").code == 0


def test_an_agent_that_drives_cannot_allow_it(scene, smithers):
    at_gate(scene.run("r"), asked("git push"))
    said = smithers("approve", "r", "--remember", "recipe", "--json")
    assert (said.code, said.json["error"]["code"]) == (5, "needs_person")


def test_a_person_at_the_terminal_says_how_long_it_holds(scene):
    at_gate(scene.run("r"), asked("git push"))
    code = (
        "from smithers.cli import decide, where\n"
        "from smithers.service import reading\n"
        "here, db, run = where.open_run('r')\n"
        "from smithers.service import control\n"
        "control._wake = lambda *_: None\n"
        "decide.at_terminal(here, db, reading.run(db, run))\n"
    )
    with Terminal([sys.executable, "-c", code], cwd=scene.root) as terminal:
        terminal.expect("[l] leave it: ")
        terminal.send("a\n")
        terminal.expect("git push")
        terminal.expect("to approve: ")
        terminal.send("ship\n")
        terminal.expect("this re[c]ipe: ")
        terminal.send("r\n")
        terminal.expect("ship approved for this run by person:")
        assert terminal.end() == 0
    (gate,) = reading.run(reading.open_directory(scene.root), "r").gates
    assert (gate.decision.answer, gate.decision.remember) == ("approve", "run")
