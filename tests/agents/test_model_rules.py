"""Rules for reading hold for what a model searches as well."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from smithers.agents.models import tools
from smithers.agents.models.place import Place
from smithers.agents.permissions import Policy, Remembered, Ruling, Tool

SECRETS = ("read secrets/*",)


@pytest.fixture
def place(make_turn):
    turn = make_turn()
    work = turn.workspace.resolve()
    for name in ("a.txt", "secrets/key", "secrets/a\nb.txt"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_text("needle\n")
    return Place(work, dict(os.environ), turn.mark)


def search(place, path=".", **policy):
    place = replace(place, policy=Policy(**policy))
    return asyncio.run(tools.Search(path=path, pattern="needle").do(place)).split("\n")


def test_a_search_tells_nothing_of_files_that_may_not_be_read(place):
    for rules in ({"deny": SECRETS}, {"ask": SECRETS}):
        found, more = search(place, **rules)
        assert found == "./a.txt:1:needle"
        assert more == "… and in files that [permissions] keeps from you"


def test_what_was_asked_for_and_allowed_is_told(place):
    once = Remembered(Ruling.ALLOW, Tool.READ, "secrets/key", "some digest")
    rules = {"ask": SECRETS, "remembered": (once,)}
    assert search(place, "secrets/key", **rules) == ["secrets/key:1:needle"]
    assert "./secrets/key:1:needle" in search(place, ask=("read *",))


def test_a_flaw_of_the_pattern_is_told(place):
    said = asyncio.run(tools.Search(pattern="(").do(place))
    assert "parenthes" in said.lower() or "unmatched" in said.lower()


def test_a_link_has_both_of_its_names(place):
    (place.workspace / "docs").symlink_to("secrets")
    question = tools.ReadFile(path="docs/key").question(place)
    assert (question.subject, question.also) == ("secrets/key", ("docs/key",))


def test_a_write_that_changes_nothing_is_no_empty_question(place):
    question = tools.WriteFile(path="a.txt", content="needle\n").question(place)
    assert "needle" in question.body
