"""An approval counts only for what was seen, only after it could be read, and only once."""

from __future__ import annotations

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
