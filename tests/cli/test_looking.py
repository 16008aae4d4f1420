import sys
import unicodedata

import pytest
from scene import CODE, EVIL, at_code, at_gate, dead, ended, gate, paused, red
from terminal import Terminal

from smithers.model.run import RunStatus

RUN_KEYS = {
    "id", "recipe", "title", "status", "status_reason", "waiting_on", "created_at", "started_at",
    "finished_at", "frame", "steps", "engine", "workspace", "branch", "usage", "input", "parent",
    "error",
}  # fmt: skip


def assert_tame(text):
    """Holds nothing that a terminal obeys or hides."""
    for sign in text:
        assert sign == "\n" or unicodedata.category(sign) not in {"Cc", "Cf", "Co", "Cs"}, ascii(
            text
        )


@pytest.fixture
def several(scene):
    ended(scene.run("done"))
    ended(scene.run("broken"), RunStatus.FAILED, "no such file")
    paused(scene.run("resting"))
    at_code(scene.run("torn"), dead())
    at_gate(scene.run("asking", title=f"evil {EVIL} title"))
    red(scene.run("busy"))
    return scene


def test_ps_lists_every_state_by_sign_and_word_newest_first(several, smithers):
    said = smithers("ps")
    states = [line.split()[:3] for line in said.out.splitlines()]
    assert states == [
        ["●", "running", "busy"],
        ["!", "waiting", "asking"],
        ["~", "interrupted", "torn"],
        ["‖", "paused", "resting"],
        ["×", "failed", "broken"],
        ["✓", "succeeded", "done"],
    ]
    assert said.code == 0


def test_ps_fits_80_columns_in_aligned_columns(several, smithers):
    lines = smithers("ps").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert len({line.index("implement") for line in lines}) == 1


def test_ps_filters_by_the_state_that_is_true_now(several, smithers):
    said = smithers("ps", "--status", "interrupted,paused", "--json")
    assert [run["id"] for run in said.json["runs"]] == ["torn", "resting"]


def test_ps_pages_by_cursor(scene, smithers):
    for number in range(53):
        scene.run(f"r{number}")
    first = smithers("ps", "--json").json
    rest = smithers("ps", "--json", "--before", str(first["next"])).json
    assert [len(first["runs"]), len(rest["runs"])] == [50, 3]
    assert rest["next"] is None
    assert len(smithers("ps", "--json", "--all").json["runs"]) == 53


def test_a_run_in_json_has_the_promised_keys(several, smithers):
    for run in smithers("ps", "--json").json["runs"]:
        assert run.keys() >= RUN_KEYS
    torn = smithers("inspect", "torn", "--json").json
    assert torn["engine"]["alive"] is False
    assert torn["status"] == "interrupted"
    assert torn["steps"].keys() == {"total", "done", "failed", "running", "waiting"}


def test_inspect_json_has_steps_with_attempts_and_outputs_in_plan_order(several, smithers):
    run = smithers("inspect", "busy", "--json").json
    steps = run["steps_detail"]
    assert [step["key"] for step in steps] == [
        "build", "build[1]/code", "build[1]/checks", "build[2]/code", "ship",
    ]  # fmt: skip
    code, checks = steps[1], steps[2]
    assert code["output"]["files"] == ["api.py"]
    assert code["attempts"][0]["usage"] == {
        "input_tokens": 1200,
        "cached_tokens": None,
        "output_tokens": 300,
        "cost_usd": 0.02,
    }
    assert checks["status"] == "failed"
    assert checks["output"]["passed"] is False
    assert checks["attempts"][0]["exit_code"] == 1
    assert run["gates"] == []


def test_inspect_shows_the_tree_in_80_columns(several, smithers):
    said = smithers("inspect", "busy")
    assert "● running  busy  implement" in said.out
    assert "× failed      build[1]/checks" in said.out
    assert max(map(len, said.out.splitlines()[8:])) <= 80


def test_why_names_what_is_waited_for_and_the_command_that_clears_it(several, smithers):
    said = smithers("why", "asking")
    assert "! approval ship" in said.out
    assert "next: smithers approve asking ship" in said.out
    waits = smithers("why", "asking", "--json").json["waiting_on"]
    assert waits[0]["kind"] == "approval"
    assert waits[0]["next"] == "smithers approve asking ship"


def test_why_of_a_dead_engine_says_resume(several, smithers):
    assert "next: smithers resume torn" in smithers("why", "torn").out


@pytest.mark.parametrize(
    "words",
    [
        ("ps",),
        ("inspect", "asking"),
        ("why", "asking"),
        ("logs", "busy"),
        ("events", "busy"),
        ("output", "busy", "build[1]/code"),
        ("inbox",),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_foreign_text_reaches_no_terminal_raw(several, smithers, words, form):
    said = smithers(*words, *form)
    assert said.code == 0
    assert_tame(said.out)
    assert_tame(said.err)


def test_json_is_ascii(several, smithers):
    assert smithers("ps", "--json").out.isascii()
    assert smithers("inspect", "busy", "--json").out.isascii()


def test_logs_of_all_attempts_name_their_step(several, smithers):
    lines = smithers("logs", "busy").out.splitlines()
    assert [line.split()[1] for line in lines] == [CODE.key, CODE.key, "build[1]/checks"]


def test_logs_of_a_step_go_without_its_name(several, smithers):
    lines = smithers("logs", "busy", "build[1]/checks").out.splitlines()
    assert [line.split(None, 1)[1] for line in lines] == ["│ out     FAILED (failures=1)"]


def test_logs_in_json_are_one_document(several, smithers):
    lines = smithers("logs", "busy", "--json").json["lines"]
    assert [(line["step"], line["n"]) for line in lines] == [
        (CODE.key, 1), (CODE.key, 2), ("build[1]/checks", 1),
    ]  # fmt: skip


def test_logs_follow_an_ended_run_to_its_end_in_json_lines(scene, smithers):
    ended(scene.run("done"))
    assert smithers("logs", "done", "-f", "--json").code == 0


def test_a_step_without_iterations_means_all_of_them(several, smithers):
    lines = smithers("logs", "busy", "build/code", "--json").json["lines"]
    assert {line["step"] for line in lines} == {"build[1]/code"}


def test_events_are_one_line_a_frame(several, smithers):
    lines = smithers("events", "busy").out.splitlines()
    assert lines[2].split()[0] == "3"
    assert lines[2].endswith("build[1]/checks failed → build[2]/code started")
    frames = smithers("events", "busy", "--json").json["events"]
    assert frames[2]["changes"][0] == {"step": "build[1]/checks", "status": "failed"}


def test_diff_without_snapshots_says_so(several, smithers):
    said = smithers("diff", "busy")
    assert said.code == 0
    assert said.out == ""
    assert said.err


def test_output_prints_the_value(several, smithers):
    assert smithers("output", "busy", "build[1]/checks", "--json").json == {
        "run": "busy",
        "step": "build[1]/checks",
        "output": {"passed": False, "exit_code": 1, "tail": "1 failed"},
    }


def test_inbox_lists_open_gates_with_the_command(several, smithers):
    gates = smithers("inbox", "--json").json["gates"]
    assert [(each["run"], each["step"], each["next"]) for each in gates] == [
        ("asking", "ship", "smithers approve asking ship")
    ]
    assert "asking" in smithers("inbox").out


def test_smithers_alone_without_a_terminal_is_a_status(several, smithers):
    said = smithers()
    assert said.out.startswith("6 runs: 1 running")
    assert smithers("--json").json["summary"]["total"] == 6


def test_smithers_alone_without_a_run_directory_says_how_to_begin(tmp_path, monkeypatch, smithers):
    monkeypatch.delenv("SMITHERS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    said = smithers()
    assert said.code == 0
    assert "smithers init" in said.err


def test_last_means_the_newest_run(several, smithers):
    assert smithers("inspect", "@last", "--json").json["id"] == "busy"


def test_gates_say_who_decided(scene, smithers):
    at_gate(scene.run("asking"), gate(by="anyone"))
    assert "gate ship#1: open" in smithers("inspect", "asking").out


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("tui", "asking")])
def test_on_a_terminal_the_app_opens(several, words):
    argv = [sys.executable, "-m", "smithers.cli", *words]
    with Terminal(argv, cwd=several.root) as terminal:
        terminal.expect("asking")
        terminal.send("q")
        assert terminal.end() == 0, terminal.shown


def test_a_dumb_terminal_gets_the_plain_list(several):
    argv = [sys.executable, "-m", "smithers.cli"]
    with Terminal(argv, cwd=several.root, env={"TERM": "dumb"}) as terminal:
        assert terminal.end() == 0
        assert "● running      busy" in terminal.shown
        assert "\x1b" not in terminal.shown
