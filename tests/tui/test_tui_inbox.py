"""An approval counts only for what was seen, only after it could be read, and only once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from directory import Directory
from driving import NARROW, WIDE, make, play, shows, text, until
from sample import LOGIN

from smithers_tui.widgets import gate_panel


@pytest.fixture
def asking(there: Directory) -> Directory:
    """A run with a live engine, so that a decision starts none."""
    there.run("r1", "Ship it", status="waiting", engine=True)
    there.step("r1", "ship", kind="approval", status="waiting")
    there.gate(
        "r1", "ship", title="Run this?", body="rm -rf build && make e2e", why="the cache is stale"
    )
    return there


def decisions(there: Directory) -> list[tuple[str, ...]]:
    return there.db.execute(
        "SELECT gate, answer, actor, established, note, digest FROM decisions"
    ).fetchall()


def digest(there: Directory) -> str:
    return there.db.execute("SELECT digest FROM gates").fetchone()[0]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_approve_records_the_person_the_app_and_the_digest_that_was_shown(
    asking: Directory, root: Path, size
) -> None:
    async def script(pilot) -> None:
        await shows(
            pilot,
            "APPROVE?",
            "rm -rf build && make e2e",
            "the cache is stale",
            "a person must decide",
        )
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press("a")
        await shows(pilot, "✓ approved")
        ((gate, answer, actor, established, note, seen),) = decisions(asking)
        assert (gate, answer, established, note, seen) == (
            "ship#1",
            "approve",
            "app",
            "",
            digest(asking),
        )
        assert actor.startswith("person:")
        assert "$ smithers approve r1 'ship#1'" in text(pilot.app)

    play(make(root, screen="inbox"), script, size)


def test_no_key_counts_before_the_panel_is_armed(
    asking: Directory, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gate_panel.ARM == 0.4
    monkeypatch.setattr(gate_panel, "ARM", 3.0)

    async def script(pilot) -> None:
        panel = pilot.app.screen.panel
        await until(pilot, lambda: panel.gate is not None)
        assert not panel.armed
        pilot.app.screen.action_approve()
        pilot.app.screen.action_deny()
        await shows(pilot, "not yet")
        await until(pilot, lambda: panel.armed)
        assert decisions(asking) == []

    play(make(root, screen="inbox"), script)


def test_other_content_disarms_the_keys(asking: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        panel = pilot.app.screen.panel
        await until(pilot, lambda: panel.armed)
        asking.db.execute("UPDATE gates SET body = 'rm -rf /', digest = 'other'")
        await until(pilot, lambda: panel.gate.digest == "other")
        assert not panel.armed
        await shows(pilot, "rm -rf /")
        assert decisions(asking) == []

    play(make(root, screen="inbox"), script)


def test_enter_does_nothing(asking: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press("enter", "enter")
        await shows(pilot, "⏎ does nothing here")
        assert decisions(asking) == []

    play(make(root, screen="inbox"), script)


def test_deny_takes_a_reason_that_goes_back(asking: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press("x")
        await shows(pilot, "why not?")
        await pilot.press(*"too risky", "enter")
        await shows(pilot, "× denied")
        ((_, answer, _, established, note, _),) = decisions(asking)
        assert (answer, established, note) == ("deny", "app", "too risky")

    play(make(root, screen="inbox"), script)


def test_esc_leaves_the_reason_and_decides_nothing(asking: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press("x", *"aaa", "escape")
        await until(pilot, lambda: not pilot.app.screen.panel.has_class("-denying"))
        assert decisions(asking) == []

    play(make(root, screen="inbox"), script)


def test_a_gate_decided_elsewhere_says_who_and_takes_no_key(asking: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        asking.decide("r1", "ship#1", "deny", actor="person:bob", note="not on a Friday")
        await shows(pilot, "× denied", "by person:bob (terminal)", "not on a Friday", within=1.0)
        await pilot.press("a")
        await shows(pilot, "it is decided")
        assert len(decisions(asking)) == 1

    play(make(root, screen="inbox"), script)


def test_a_decision_that_comes_second_is_refused_and_says_who_was_first(
    asking: Directory, root: Path
) -> None:
    async def script(pilot) -> None:
        screen = pilot.app.screen
        await until(pilot, lambda: screen.panel.armed)
        asking.decide("r1", "ship#1", "approve", actor="person:bob")
        screen.action_approve()
        await shows(pilot, "by person:bob (terminal)")
        assert [each[2] for each in decisions(asking)] == ["person:bob"]

    play(make(root, screen="inbox"), script)


def test_what_does_not_fit_must_be_seen_to_its_end(there: Directory, root: Path) -> None:
    there.run("r1", status="waiting", engine=True)
    there.step("r1", "ship", kind="approval", status="waiting")
    there.gate("r1", "ship", body="\n".join(f"step {n}" for n in range(60)))

    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press("a")
        await shows(pilot, "there is more below")
        assert decisions(there) == []
        await pilot.press("space", "space", "space", "space")
        await shows(pilot, "step 59")
        await pilot.press("a")
        await shows(pilot, "✓ approved")

    play(make(root, screen="inbox"), script)


def test_hidden_signs_are_shown_and_counted(there: Directory, root: Path) -> None:
    there.run("r1", status="waiting", engine=True)
    there.step("r1", "ship", kind="approval", status="waiting")
    there.gate("r1", "ship", body="cp good.txt \u202etxt.live /etc")

    async def script(pilot) -> None:
        await shows(pilot, "⟨U+202E⟩", "hidden or unprintable sign")

    play(make(root, screen="inbox"), script)


def test_the_next_gate_is_shown_and_one_that_is_decided_leaves(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "1 of 2", "Merge this change?", "exactly this diff")
        shop.decide(LOGIN, "ship#1", "approve")
        await shows(pilot, "✓ approved")
        await pilot.press("n")
        await shows(pilot, "1 of 1", "DROP COLUMN price;")
        assert "Merge this change?" not in text(pilot.app)

    play(make(root, screen="inbox"), script)


def test_the_inbox_opens_at_the_gate_of_the_run(shop: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "Drop the legacy")
        await pilot.press("j", "a")
        await shows(pilot, "DROP COLUMN price;")

    play(make(root), script)


def test_nothing_that_waits_says_so(there: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await shows(pilot, "nothing waits for you")

    play(make(root, screen="inbox"), script)


PATCH = """\
--- src/api.py
+++ src/api.py
@@ -10,2 +10,2 @@
 def limit(request):
--- 3 requests
+++ 5 requests
--- tests/test_api.py
+++ tests/test_api.py
@@ -0,0 +1 @@
+assert limit()"""


def question(there: Directory, body: str, *, tool: str = "shell", show: str = "text") -> None:
    """A run with a live engine whose agent asks to be allowed something."""
    there.run("r1", "Ship it", status="waiting", engine=True)
    there.step("r1", "ship", status="waiting")
    there.gate("r1", "ship", kind="permission", title="claude asks", body=body, show=show)
    about = {"tool": tool, "subject": body, "digest": "d" * 64, "attempt": 1}
    there.db.execute("UPDATE gates SET about = ?", (json.dumps(about),))


def remembered(there: Directory) -> list[tuple[str, str]]:
    return there.db.execute("SELECT answer, remember FROM decisions").fetchall()


@pytest.mark.parametrize(
    ("presses", "word", "kept"),
    [(0, "[once]", "once"), (1, "[this step]", "step"), (2, "[this run]", "run"),
     (3, "[this recipe]", "recipe"), (4, "[once]", "once")],
)  # fmt: skip
def test_a_key_chooses_what_an_answer_to_an_agent_holds_for(
    there: Directory, root: Path, presses: int, word: str, kept: str
) -> None:
    question(there, "git push")

    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press(*"A" * presses)
        await shows(pilot, word)
        assert decisions(there) == []
        await pilot.press("a")
        await shows(pilot, "✓ approved")
        assert remembered(there) == [("approve", kept)]
        assert (f"--remember {kept}" in text(pilot.app)) == (kept != "once")

    play(make(root, screen="inbox"), script)


def test_a_denial_can_hold_for_longer_as_well_and_says_so(there: Directory, root: Path) -> None:
    question(there, "git push")

    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press("A", "A")
        await shows(pilot, "this very command, in all steps of this run", "x deny for this run")
        await pilot.press("x", *"no", "enter")
        await shows(pilot, "× denied for this run")
        assert remembered(there) == [("deny", "run")]

    play(make(root, screen="inbox"), script, NARROW)


def test_the_choice_is_of_one_question_alone(there: Directory, root: Path) -> None:
    question(there, "git push")

    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        await pilot.press("A")
        await shows(pilot, "[this step]")
        there.db.execute("UPDATE gates SET body = 'rm -rf /', digest = 'other'")
        await shows(pilot, "rm -rf /", "[once]")

    play(make(root, screen="inbox"), script)


def test_other_gates_have_nothing_to_remember(asking: Directory, root: Path) -> None:
    async def script(pilot) -> None:
        await until(pilot, lambda: pilot.app.screen.panel.armed)
        assert "holds for" not in text(pilot.app)
        await pilot.press("A")
        await shows(pilot, "only the answer to a question of an agent is remembered")
        await pilot.press("a")
        await shows(pilot, "✓ approved")
        assert remembered(asking) == [("approve", "once")]

    play(make(root, screen="inbox"), script)


def test_a_change_that_an_agent_asks_for_is_shown_as_a_diff(there: Directory, root: Path) -> None:
    question(there, PATCH, tool="edit", show="patch")

    async def script(pilot) -> None:
        await shows(pilot, "exactly this diff", "── src/api.py", "── tests/test_api.py")
        rows = [" ".join(row.split()) for row in text(pilot.app).splitlines()]
        for line in ("10 10 def limit(request):", "11 − -- 3 requests", "11 + ++ 5 requests"):
            assert any(line in row for row in rows), text(pilot.app)

    play(make(root, screen="inbox"), script)
