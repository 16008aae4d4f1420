"""The unit that keeps a supervisor: what is written, whom it is told, and what is left alone."""

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from smithers.cli.app import main
from smithers.errors import Refused
from smithers.service import locate, units
from smithers.store.database import create

HOSTILE = 'we ird %d "q" $HOME \\ x'


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with a run directory, in a home without any manager of units."""
    if sys.platform == "darwin":
        pytest.skip("launchd is there whatever the environment says")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    for name in ("DBUS_SESSION_BUS_ADDRESS", "SMITHERS_DIR", "SMITHERS_RUN"):
        monkeypatch.delenv(name, raising=False)
    project = tmp_path / "project"
    state = locate.state_dir(project)
    state.mkdir(parents=True)
    create(state, store_id="test")
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """A `systemctl` that obeys, and keeps what it was told."""
    told = tmp_path / "told"
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = tools / "systemctl"
    tool.write_text(f'#!/bin/sh\necho "$@" >>{told}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return lambda: told.read_text().splitlines() if told.exists() else []


def files(root):
    home = root.parent / "home"
    return [path for path in sorted(home.rglob("*")) if path.is_file()]


def test_print_writes_nothing(root, capsys):
    assert main(["service", "install", "--print"]) == 0
    said = capsys.readouterr().out
    assert said == units.unit(root).text
    assert files(root) == []


def test_without_a_terminal_and_a_yes_nothing_is_written(root, capsys):
    assert main(["service", "install"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert files(root) == []


def test_installed_twice_it_is_there_once_and_removed_it_is_gone(root, manager, capsys):
    unit = units.unit(root)
    assert main(["service", "install", "--yes"]) == 0
    assert main(["service", "install", "--yes"]) == 0
    assert files(root) == [unit.path]
    assert unit.path.read_text() == unit.text
    said = capsys.readouterr().err
    assert f"writes {unit.path}" in said
    assert f"keeps {unit.path}" in said
    assert "ExecStart=" in said
    once = ["--user daemon-reload", f"--user enable {unit.name}", f"--user restart {unit.name}"]
    assert manager() == once * 2
    assert main(["service", "status"]) == 0
    assert f"{unit.name}: runs" in capsys.readouterr().out
    assert main(["service", "uninstall"]) == 0
    assert files(root) == []
    assert manager()[-2:] == [f"--user disable --now {unit.name}", "--user daemon-reload"]
    assert main(["service", "uninstall"]) == 0


def test_where_no_manager_answers_the_commands_are_left_to_a_person(root, capsys):
    unit = units.unit(root)
    assert main(["service", "install", "--yes"]) == 0
    said = capsys.readouterr().err
    for words in ("daemon-reload", f"enable {unit.name}", f"restart {unit.name}"):
        assert f"systemctl --user {words}\n" in said
    assert unit.path.exists()
    assert main(["service", "status"]) == 0
    assert main(["service", "uninstall"]) == 0
    assert f"systemctl --user disable --now {unit.name}\n" in capsys.readouterr().err
    assert files(root) == []


def test_a_file_of_somebody_else_is_neither_replaced_nor_removed(root, manager, capsys):
    unit = units.unit(root)
    unit.path.parent.mkdir(parents=True)
    unit.path.write_text("[Unit]\n")
    other = unit.path.with_name("other.service")
    other.write_text(unit.text)
    for words in (["install", "--yes"], ["uninstall"]):
        assert main(["service", *words]) == 5
        assert "not written by smithers" in capsys.readouterr().err
    assert unit.path.read_text() == "[Unit]\n"
    unit.path.unlink()
    assert main(["service", "uninstall"]) == 0
    assert files(root) == [other]
    assert manager() == []


def test_each_run_directory_has_a_unit_of_its_own(tmp_path):
    roots = [tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "a" / "x y", Path("/")]
    names = [units.unit(root).name for root in roots]
    assert len(set(names)) == 4
    assert all(name.isascii() and " " not in name and "/" not in name for name in names)


def test_it_says_that_it_ends_with_the_login(root, capsys):
    assert units.lingers("darwin")
    if not units.lingers():
        main(["service", "install", "--yes"])
        assert "loginctl enable-linger" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a\nb", "a\x1b", "a ", "a\\"])
def test_a_folder_that_no_unit_can_name_is_refused(name):
    with pytest.raises(Refused, match="a unit cannot name"):
        units.unit(Path("/tmp") / name)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")
@pytest.mark.parametrize("name", ["project", HOSTILE])
def test_systemd_finds_nothing_wrong_with_it(tmp_path, name):
    root = tmp_path / name
    root.mkdir()
    unit = units.unit(root, {"PATH": f"/usr/bin:/{HOSTILE}", "XDG_CONFIG_HOME": str(tmp_path)})
    unit.path.parent.mkdir(parents=True)
    unit.path.write_text(unit.text)
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit.path)],
        env={"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"WorkingDirectory={root}".replace("%", "%%") in unit.text.splitlines()


def test_the_command_needs_no_shell_and_takes_no_module_from_the_checkout(root):
    line = next(each for each in units.unit(root).text.splitlines() if "ExecStart=" in each)
    words = shlex.split(line.removeprefix("ExecStart="))
    assert Path(words[0]).is_absolute()
    (root / "argparse.py").write_text("raise SystemExit('imported from the checkout')\n")
    done = subprocess.run(
        [*words, "--help"], cwd=root, env={"PATH": "/nowhere"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "smithers supervise" in done.stdout


def test_the_agent_of_launchd_keeps_it_running_and_lets_engines_be(root):
    unit = units.unit(root, {"PATH": "/opt/bin"}, "darwin")
    assert unit.path.parent == root.parent / "home" / "Library" / "LaunchAgents"
    content = plistlib.loads(unit.text.encode())
    assert content["Label"] == unit.name == unit.path.stem
    assert content["ProgramArguments"] == [sys.executable, "-P", "-m", "smithers.cli", "supervise"]
    assert content["WorkingDirectory"] == str(root)
    assert content["EnvironmentVariables"] == {"PATH": "/opt/bin"}
    assert content["KeepAlive"] == {"SuccessfulExit": False}
    assert content["AbandonProcessGroup"] is True
    assert unit.start[-1] == ("launchctl", "bootstrap", f"gui/{os.getuid()}", str(unit.path))
