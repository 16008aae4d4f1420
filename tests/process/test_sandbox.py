"""What a program in a box can and cannot do; tried from the inside, in real boxes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from smithers.errors import ConfigError
from smithers.process import child, home, sandbox, sweep, table
from smithers.process.sandbox import Box, Level
from tests.boxes import PATH, Inside, needs_boxes, new_mark
from tests.running import until

SECRET = "the-secret-word"
CORE = Path(sandbox.__file__).parents[2]


@pytest.fixture
def house(tmp_path):
    """A home with secrets, of several programs, and a cache."""
    path = tmp_path / "home"
    for name in (
        ".ssh/id_ed25519",
        ".aws/credentials",
        ".git-credentials",
        ".config/smithers/config.toml",
        ".codex/auth.json",
        ".claude/.credentials.json",
        ".cargo/registry/index",
        "notes.txt",
    ):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(f"{SECRET}\n")
    return path


@pytest.fixture
def box(tmp_path):
    (tmp_path / "work").mkdir()
    return Box(Level.WORKSPACE, tmp_path / "work", tmp_path / "scratch")


@pytest.fixture
def inside(box, house):
    return Inside(box, house)


@needs_boxes
def test_it_writes_in_its_workspace_its_scratch_and_the_caches(inside, tmp_path):
    inside.works("echo new > made; echo more > ~/.cargo/registry/index; echo x > ~/.cache/y")
    inside.works(f"echo answer > {tmp_path}/scratch/out/output.json")
    assert (tmp_path / "work/made").read_text() == "new\n"
    assert (tmp_path / "home/.cargo/registry/index").read_text() == "more\n"
    assert (tmp_path / "home/.cache/y").read_text() == "x\n"
    assert (tmp_path / "scratch/out/output.json").read_text() == "answer\n"


@needs_boxes
def test_it_writes_nowhere_else(inside, tmp_path):
    inside.fails("echo x > ~/notes.txt")
    inside.fails("echo x > ~/.bashrc")
    inside.fails("echo x > /etc/smithers-was-here")
    inside.fails("echo x > /usr/local/bin/git")
    inside(f"echo x > {tmp_path}/beside; mkdir {tmp_path}/folder")
    assert not (tmp_path / "beside").exists()
    assert not (tmp_path / "folder").exists()
    assert (tmp_path / "home/notes.txt").read_text() == f"{SECRET}\n"


@needs_boxes
@pytest.mark.parametrize(
    "name",
    [
        ".ssh/id_ed25519",
        ".aws/credentials",
        ".git-credentials",
        ".config/smithers/config.toml",
        ".codex/auth.json",
        ".claude/.credentials.json",
    ],
)
def test_it_reads_no_secret(inside, name):
    assert SECRET in inside.works("cat ~/notes.txt")
    assert SECRET not in inside.fails(f"cat ~/{name}")


@needs_boxes
def test_a_secret_is_hidden_where_its_symlink_leads(inside, house, tmp_path):
    (tmp_path / "home/keys").mkdir()
    (house / ".gnupg").symlink_to(house / "keys")
    (house / "keys/private").write_text(SECRET)
    assert SECRET not in inside.fails("cat ~/.gnupg/private")
    assert SECRET not in inside.fails("cat ~/keys/private")


@needs_boxes
def test_what_config_names_is_added(box, house):
    (house / "mine").mkdir()
    private = box.workspace / "private"
    private.mkdir()
    (private / "key").write_text(SECRET)
    box = replace(box, write=("~/mine",), hide=("~/notes.txt", str(private)))
    inside = Inside(box, house)
    inside.works("echo x > ~/mine/file")
    assert SECRET not in inside.fails("cat ~/notes.txt")
    assert SECRET not in inside.fails("cat private/key")


@needs_boxes
def test_an_agent_has_what_is_its_own_and_not_what_is_of_another(inside, house):
    (house.parent / "bin").mkdir()
    program = house.parent / "bin/claude-agent-acp"
    program.write_text("#!/bin/sh\ncat ~/.claude/.credentials.json; cat ~/.codex/auth.json\n")
    program.chmod(0o755)
    _, said = inside([str(program)])
    assert said.count(SECRET) == 1


@needs_boxes
def test_an_agent_cannot_change_what_a_persons_own_session_of_it_obeys(inside, house):
    (house / ".claude/settings.json").write_text("{}")
    program = house / ".claude/claude"
    program.write_text("#!/bin/sh\ncat ~/.claude/settings.json && echo x > ~/.claude/new\n$1\n")
    program.chmod(0o755)
    assert inside([str(program), "true"]) == (0, "{}")
    for attack in ("rm", "mv -f -t /tmp", "truncate -s 9"):
        inside.fails([str(program), f"{attack} {house}/.claude/settings.json"])
    assert (house / ".claude/settings.json").read_text() == "{}"


@needs_boxes
def test_temporary_files_are_its_own_and_stay_for_its_next_turn(inside, box, tmp_path):
    inside.works("echo mine > /tmp/mine; echo also > $TMPDIR/also; test ! -e /tmp/pytest-of-root/x")
    assert inside.works("cat /tmp/mine") == "mine"
    assert not Path("/tmp/mine").exists()
    assert (box.scratch / "tmp/mine").read_text() == "mine\n"


@needs_boxes
def test_it_sees_and_signals_no_process_outside(inside):
    with subprocess.Popen(["sleep", "60"], env={"PATH": PATH, "HIDDEN": SECRET}) as other:
        inside.fails(f"kill -0 {other.pid}")
        inside.fails(f"kill -9 {os.getpid()}")
        assert SECRET not in inside.fails("cat /proc/[0-9]*/environ | grep -a HIDDEN")
        assert len(inside.works("ls -d /proc/[0-9]*").split()) <= 4
        assert other.poll() is None
        other.kill()


@needs_boxes
def test_it_has_no_terminal_and_no_socket_of_the_system(inside):
    inside.fails("echo x > /dev/tty")
    assert inside.works("ls /dev/pts").split() == ["ptmx"]
    names = Path(os.path.realpath("/etc/resolv.conf")).parts[2:3]
    seen = set(inside.works("ls -A /run").split())
    assert seen <= {"current-system", "opengl-driver", "nscd", *names}
    inside.fails("mount -t tmpfs none /mnt")


CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).close()"


@needs_boxes
def test_the_network_is_there_as_it_is_asked_for(inside, box, house):
    with socket.create_server(("127.0.0.1", 0)) as server:
        argv = [sys.executable, "-c", CONNECT, str(server.getsockname()[1])]
        taken = threading.Thread(target=lambda: server.accept()[0].close())  # noqa: PLW0108 - later
        taken.start()
        inside.works(argv)
        taken.join()
        assert "refused" in Inside(replace(box, network=False), house).fails(argv)


@needs_boxes
def test_a_strict_one_has_no_home_but_the_agents_own(box, house):
    inside = Inside(replace(box, level=Level.STRICT), house)
    inside.works("test -d ~ && test ! -e ~/notes.txt && echo x > made && echo x > ~/scrap")
    assert not (house / "scrap").exists()
    (house / ".local/bin").mkdir(parents=True)
    program = house / ".local/bin/claude"
    program.write_text("#!/bin/sh\nls -A ~; echo new > ~/.claude/session\n")
    program.chmod(0o755)
    said = inside.works([str(program)]).split()
    assert ".claude" in said
    assert "notes.txt" not in said
    assert (house / ".claude/session").read_text() == "new\n"


@needs_boxes
def test_exit_codes_come_through_and_a_signal_reads_as_in_a_shell(inside):
    assert [inside(f"exit {code}")[0] for code in (0, 1, 126, 255)] == [0, 1, 126, 255]
    assert inside("kill -9 $$")[0] == 128 + signal.SIGKILL


@needs_boxes
def test_a_program_that_is_not_there_is_an_error_before_anything_starts(inside):
    with pytest.raises(FileNotFoundError):
        inside(["no-such-program-anywhere"])


@needs_boxes
def test_what_bwrap_refuses_is_not_taken_for_the_programs_failure(box, house):
    inside = Inside(replace(box, level=Level.STRICT), house)
    code, said = inside("echo never", cwd=house / ".cargo")
    assert sandbox.refusal(code, said).startswith("bwrap: ")
    assert sandbox.refusal(1, "the program failed") == ""


@needs_boxes
def test_one_talks_to_it_through_its_stdin(inside):
    async def go():
        process = await inside.start("read a; echo got $a; read b; echo then $b", talks=True)
        heard = []
        process.send(b"one\n")
        async for _, text in process.lines():
            heard.append(text)
            process.send(b"two\n")
        code = await process.wait()
        await process.stop()
        return code, heard

    assert asyncio.run(go()) == (0, ["got one", "then two"])


@needs_boxes
def test_it_is_asked_to_end_before_it_is_killed(inside):
    async def go():
        script = "trap 'echo saved > saved; exit 5' TERM; echo ready; while :; do sleep 0.02; done"
        process = await inside.start(script)
        async for _, text in process.lines():
            assert text == "ready"
            break
        await process.stop(grace=20)
        return await process.wait()

    assert asyncio.run(go()) == 5
    assert (inside.box.workspace / "saved").read_text() == "saved\n"


HIDER = "setsid env -i /bin/sh -c 'trap \"\" TERM HUP INT; echo up; exec sleep 77' & wait"


@needs_boxes
def test_the_mark_is_seen_from_outside_and_a_sweep_ends_all_in_it(inside):
    async def go():
        mark = new_mark()
        process = await inside.start(f"trap '' TERM; {HIDER}", mark)
        async for _, text in process.lines():
            assert text == "up"
            break
        # The warden on each side, the shell, and what hides from it.
        found = sweep.find({mark.token})
        await process.stop(grace=0)
        return len(found), sweep.find({mark.token}), [pid for pid in found if _lives(pid)]

    count, left, alive = asyncio.run(go())
    assert count == 4
    assert (left, alive) == (set(), [])


@needs_boxes
def test_killing_what_holds_it_leaves_nothing(inside):
    async def go():
        mark = new_mark()
        process = await inside.start(HIDER, mark)
        async for _, text in process.lines():
            assert text == "up"
            break
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        until(lambda: not sweep.find({mark.token}))
        await process.stop()

    asyncio.run(go())


@needs_boxes
@pytest.mark.slow
def test_it_ends_with_the_engine(box, house):
    mark = new_mark()
    engine = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        from smithers.process import child
        from smithers.process.marks import Mark
        from smithers.process.sandbox import Box, Level
        async def go():
            box = Box(Level.WORKSPACE, Path({str(box.workspace)!r}), Path({str(box.scratch)!r}))
            mark = Mark("run", "step", 1, {mark.token})
            process = await child.start(
                ["/bin/sh", "-c", {HIDER!r}], cwd=box.workspace,
                env={{"PATH": {PATH!r}, "HOME": {str(house)!r}}}, mark=mark, box=box,
            )
            async for _, text in process.lines():
                print(text, flush=True)
        asyncio.run(go())
        """
    )
    argv = [sys.executable, "-c", engine]
    env = {"PATH": PATH, "PYTHONPATH": str(CORE)}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
    until(lambda: not sweep.find({mark.token}))


def test_why_there_is_none_is_said_in_words(monkeypatch, tmp_path):
    def ask(**set_to):
        for name, value in set_to.items():
            monkeypatch.setattr(f"smithers.process.sandbox.{name}", value)
        return sandbox.unavailable.__wrapped__()

    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1\n")
    fake.chmod(0o755)
    if sys.platform == "linux":
        said = ask(_PROGRAM=str(fake))
        assert said == (
            "this system does not let bwrap make one: setting up uid map: Permission denied"
        )
        assert "not installed" in ask(_PROGRAM="no-such-bwrap")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert sandbox.unavailable.__wrapped__() == "bubblewrap needs Linux"


@needs_boxes
def test_a_box_can_be_made_inside_or_else_who_makes_one_runs_outside(inside, box, monkeypatch):
    nested = "bwrap --unshare-user --unshare-pid --unshare-net --ro-bind / / --proc /proc"
    codex = box.workspace / "codex"
    codex.write_text(f"#!/bin/sh\n{nested} --dev /dev sh -c 'echo done'\n")
    codex.chmod(0o755)
    works = inside([str(codex)])
    assert (works == (0, "done")) == sandbox.nests()
    assert sandbox.around(box, own=False) is box
    monkeypatch.setattr(sandbox, "nests", lambda: False)
    assert sandbox.around(box, own=True) is None
    with pytest.raises(ConfigError, match="strict"):
        sandbox.around(replace(box, level=Level.STRICT), own=True)
    monkeypatch.setattr(sandbox, "nests", lambda: True)
    assert sandbox.around(box, own=True) is box


@needs_boxes
@pytest.mark.skipif(not sandbox._locks(), reason="bwrap before 0.8 cannot forbid it")
def test_nobody_inside_can_take_a_mount_away_in_a_namespace_of_its_own(inside):
    assert inside("unshare --user --map-root-user --mount true")[0] != 0


def test_the_strictest_of_several_levels_counts():
    assert sandbox.strictest("", "off") == "off"
    assert sandbox.strictest("workspace", "off") == "workspace"
    assert sandbox.strictest("off", "strict", "workspace") == "strict"
    assert sandbox.strictest("", "") == ""


def test_the_folders_that_a_program_needs_are_found_link_by_link(tmp_path):
    package = tmp_path / "a/b/node_modules/tool"
    package.mkdir(parents=True)
    (package / "cli.js").write_text("")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").symlink_to("../a/b/node_modules/tool/cli.js")
    assert list(home.roots(tmp_path / "bin/tool")) == [tmp_path, tmp_path / "a/b/node_modules"]
    assert list(home.roots(Path("/home/ada/.local/bin/x"))) == [Path("/home/ada/.local/bin")]
    assert list(home.roots(Path("/home/ada/bin/x"))) == [Path("/home/ada/bin")]


def test_an_agents_own_folders_are_known_by_its_program(tmp_path):
    house = home.House(tmp_path, {"CODEX_HOME": "/elsewhere"})
    assert house.state(["/usr/bin/claude", "-p", "codex"])[0] == tmp_path / ".claude"
    assert house.state(["npx", "@zed/codex-acp"]) == [Path("/elsewhere")]
    assert house.state(["pip", "claudette", "--pi"]) == []
    assert house.state(["npx", "-y", "@x/claude-agent-acp"])[0] == tmp_path / ".claude"
    assert house.state(["env", "-i", "A=1", "aider", "--yes"]) == [tmp_path / ".aider"]
    assert house.state(["npx", "-y", "mine", "--model", "claude"]) == []
    assert house.state(["mine", "--model", "claude"]) == []
    assert Path("/elsewhere") in house.secrets(["claude"])
    assert tmp_path / ".claude" not in house.secrets(["claude"])


def test_what_lies_where_xdg_says_is_found_there(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    env = {"XDG_CONFIG_HOME": "/xdg/c", "XDG_DATA_HOME": "/xdg/d", "XDG_CACHE_HOME": "/xdg/k"}
    house = home.House(tmp_path, env)
    state = [Path("/xdg/c/opencode"), Path("/xdg/d/opencode"), tmp_path / ".local/state/opencode"]
    assert house.state(["opencode"]) == [*state, tmp_path / ".opencode"]
    assert house.to_make(["opencode"])[-3:] == state
    assert {Path("/xdg/c/gh"), tmp_path / ".config/gh"} <= set(house.secrets(["opencode"]))
    assert Path("/xdg/c/opencode") in house.secrets(["claude"])
    assert Path("/xdg/k") in house.caches()
    monkeypatch.setenv("XDG_CONFIG_HOME", "/persons")
    assert Path("/persons/gh") in home.House(tmp_path, {}).secrets([])


def _lives(pid: int) -> bool:
    entry = table.read(pid)
    return entry is not None and not entry.dead


def test_a_child_without_a_box_is_started_as_before(tmp_path):
    async def go():
        process = await child.start(
            ["/bin/sh", "-c", "kill -9 $$"], cwd=tmp_path, env={"PATH": PATH}, mark=new_mark()
        )
        return await process.wait()

    assert asyncio.run(go()) == -9
