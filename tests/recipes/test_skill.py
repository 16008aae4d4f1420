"""The skill is short, speaks of things that exist, and is installed without treading on edits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smithers.cli.skill import install
from smithers.errors import Refused
from smithers_recipes import recipes

SKILL = (Path(install.__file__).parent / "SKILL.md").read_text()


def test_the_skill_has_a_name_a_description_and_under_150_lines() -> None:
    assert len(SKILL.splitlines()) < 150
    head = SKILL.split("---\n")[1]
    assert "\nname: smithers\n" in f"\n{head}"
    description = re.search(r"^description: (.+)$", head, re.MULTILINE)
    assert description is not None
    assert len(description[1]) <= 1024


def test_the_skill_names_every_recipe_that_ships() -> None:
    for name in recipes():
        assert f"| `{name}` |" in SKILL


def test_both_places_get_the_same_skill(tmp_path: Path) -> None:
    written = install.write(install.plan(tmp_path))
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        ".claude/skills/smithers/SKILL.md",
        ".agents/skills/smithers/SKILL.md",
    ]
    texts = {path.read_text() for path in written}
    assert len(texts) == 1
    assert texts.pop().split("\n---\n", 1)[1] == SKILL.split("\n---\n", 1)[1]


def test_installing_again_writes_nothing(tmp_path: Path) -> None:
    install.write(install.plan(tmp_path))
    assert install.write(install.plan(tmp_path)) == []


def test_planning_writes_nothing(tmp_path: Path) -> None:
    install.plan(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_older_copy_that_nobody_edited_is_replaced(tmp_path: Path) -> None:
    (first, text), _ = install.plan(tmp_path)
    first.parent.mkdir(parents=True)
    first.write_text(install.seal("---\nname: smithers\ndescription: of old\n---\nOld words.\n"))
    assert first in install.write(install.plan(tmp_path))
    assert first.read_text() == text


@pytest.mark.parametrize("words", ["My own rule.\n", "bytes \udcff\n"])
def test_an_edited_copy_is_kept_and_nothing_is_written(tmp_path: Path, words: str) -> None:
    (first, text), (second, _) = install.plan(tmp_path)
    first.parent.mkdir(parents=True)
    edited = (text + words).encode(errors="surrogateescape")
    first.write_bytes(edited)
    with pytest.raises(Refused, match="edited by hand"):
        install.write(install.plan(tmp_path))
    assert first.read_bytes() == edited
    assert not second.exists()
    assert install.write(install.plan(tmp_path), force=True) == [first, second]
    assert first.read_text() == text


def test_somebody_elses_file_is_kept(tmp_path: Path) -> None:
    (first, _), _ = install.plan(tmp_path)
    first.parent.mkdir(parents=True)
    first.write_text("another skill of that name\n")
    with pytest.raises(Refused):
        install.write(install.plan(tmp_path))


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    for path in install.write(install.plan(tmp_path)):
        assert [file.name for file in path.parent.iterdir()] == ["SKILL.md"]
