"""What a turn leaves so that the next one, or a person, is caught by it: tried in real boxes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smithers.process import sandbox
from smithers.process.sandbox import Box, Level
from tests.boxes import Inside, needs_boxes

SECRET = "the-secret-word"

pytestmark = needs_boxes


@pytest.fixture
def house(tmp_path):
    path = tmp_path / "home"
    for name in (".ssh/id", "other/notes", ".claude/settings.json", ".lima/x/ga.sock"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(SECRET)
    return path


@pytest.fixture
def box(tmp_path):
    (tmp_path / "work").mkdir()
    return Box(Level.WORKSPACE, tmp_path / "work", tmp_path / "scratch")


def program(path, words='eval "$1"'):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("level", list(Level)[1:])
@pytest.mark.parametrize("name", ["tmp", "home", sandbox.OUT])
def test_no_folder_of_the_next_turn_can_be_another(box, house, level, name):
    inside = Inside(replace(box, level=level), house)
    place = box.scratch / name
    inside(f"mv {place} {box.scratch}/old; rm -rf {place}; ln -s {house}/.ssh {place}")
    assert not place.is_symlink()
    assert SECRET not in inside(f"cat /tmp/id ~/id {place}/id")[1]
    inside(f"echo x > /tmp/id; echo x > ~/id; echo x > {place}/id; ln -sf /x {box.scratch}/prompt")
    assert (house / ".ssh/id").read_text() == SECRET
    assert not (box.scratch / "prompt").is_symlink()


def test_a_symlink_where_the_next_turn_has_a_mount_ends_it(box, house, tmp_path):
    strict = replace(box, level=Level.STRICT)
    Inside(strict, house).works(f"ln -s {tmp_path} ~/late")
    (house / "late").mkdir()
    with pytest.raises(OSError, match="a symlink lies where"):
        Inside(replace(strict, read=("~/late",)), house)("true")


@pytest.mark.parametrize("target", ["other", "other/notes", ".ssh/id"])
def test_a_symlink_in_its_state_shows_it_nothing(box, house, target, tmp_path):
    inside = Inside(replace(box, level=Level.STRICT), house)
    claude = program(tmp_path / "work/claude")
    inside.works([claude, f"ln -s {house}/{target} ~/.claude/commands"])
    assert SECRET not in inside.fails([claude, f"cat {house}/{target} {house}/{target}/notes"])


def test_a_symlink_where_it_writes_lets_it_write_nothing_else(box, house):
    inside = Inside(replace(box, write=("~/.cache/mine/deep",)), house)
    inside.works("mkdir -p ~/.cache/mine && ln -s ~/other ~/.cache/mine/deep")
    inside.fails("echo x > ~/other/notes")


def test_what_holds_a_mount_cannot_be_moved_away(box, house, tmp_path):
    kept = tmp_path / "work/deep/er/kept"
    kept.mkdir(parents=True)
    inside = Inside(replace(box, read=(str(kept),)), house)
    for attack in ("mv deep x", "mv deep/er x", "rm -rf deep", "echo x > deep/er/kept/x"):
        inside.fails(attack)
    inside.works("echo x > deep/er/beside && echo x > deep/beside")


@pytest.mark.parametrize(
    "path", [".opencode/bin/opencode", ".claude/versions/1/claude", ".claude/claude"]
)
def test_a_program_cannot_change_itself(box, house, path):
    tool = program(house / path)
    inside = Inside(box, house)
    inside.works([tool, "true"])
    for attack in (f"echo x > {tool}", f"rm {tool}", f"mv {(house / path).parent} /tmp"):
        inside.fails([tool, attack])
    assert "eval" in (house / path).read_text()


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("claude", ".claude/hooks/x"),
        ("claude", ".claude/plugins/x"),
        ("claude", ".claude/statusline.sh"),
        ("claude", ".claude/local/claude"),
        ("opencode", ".config/opencode/plugins/x"),
        ("opencode", ".config/opencode/tool/x"),
        ("opencode", ".opencode/bin/x"),
        ("codex", ".codex/config.toml"),
        ("pi", ".pi/agent/extensions/x"),
    ],
)
def test_what_a_person_runs_of_an_agent_is_not_its_to_change(box, house, tmp_path, agent, name):
    program(house / name)
    inside = Inside(box, house)
    tool = program(tmp_path / "bin" / agent)
    inside.fails([tool, f"echo x > ~/{name}"])
    at = f"~/{name.rpartition('/')[0]}"
    inside([tool, f"mv {at} {at}.old && mkdir -p {at} && echo x > ~/{name}; rm -f ~/{name}"])
    assert "eval" in (house / name).read_text()


def test_whoever_is_as_good_as_root_is_not_there(box, house, tmp_path, monkeypatch):
    (tmp_path / "lxd").mkdir()
    (tmp_path / "lxd/unix.socket").write_text(SECRET)
    monkeypatch.setattr(sandbox, "_DAEMONS", (tmp_path / "lxd",))
    said = Inside(box, house).fails(f"cat {tmp_path}/lxd/unix.socket ~/.lima/x/ga.sock")
    assert SECRET not in said
