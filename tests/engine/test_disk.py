"""A disk that is full, and a run directory that goes away: said, and nothing lost that was told."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from smithers.engine import room, watch
from smithers.errors import StoreGone
from smithers.model.run import RunStatus
from smithers.service import locate, reading
from tests.engine import inside
from tests.running import Workshop, alive, hold, pids, until

pytestmark = pytest.mark.slow


@dataclass
class Disk:
    """A file system of 4 MB that holds the run directory and nothing else."""

    path: Path

    @property
    def filler(self) -> Path:
        return self.path / "filler"

    @property
    def reserve(self) -> Path:
        return locate.state_dir(self.path.parent) / room.RESERVE

    def fill(self, *, leave: int = 0) -> None:
        """Take all there is, but for so many bytes."""
        with self.filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1024))
        if leave:
            with self.filler.open("rb+") as file:
                file.truncate(max(0, self.filler.stat().st_size - leave))

    def free(self) -> None:
        self.filler.unlink()


@pytest.fixture
def disk(workshop: Workshop) -> Iterator[Disk]:
    path = workshop.root / locate.NAME
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield Disk(path)
    wrong = workshop.close()
    subprocess.run(["umount", "-l", str(path)], check=True)
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "AGAIN_SECONDS", 0.02)


def reason(workshop: Workshop) -> str:
    return workshop.view().row.status_reason


def test_on_a_full_disk_the_engine_says_so_loses_nothing_and_goes_on_by_itself(
    workshop: Workshop, disk: Disk
) -> None:
    flow = workshop.flow(
        f"""
        return Sequence(
            Check("first", {hold(workshop, "first")!r} + "; true"),
            Check("second", f"echo done >>{{OUT}}/second"),
        )
        """
    )
    workshop.up(flow)
    workshop.until_file("first.reached")
    assert disk.reserve.stat().st_size == 4 * 1024 * 1024 // 16
    engine = workshop.engine()
    disk.fill()
    workshop.touch("first.go")
    view = workshop.until(lambda view: view.row.status_reason.startswith("disk full"))
    workshop.until_step("first", "succeeded")
    assert view.row.status is RunStatus.RUNNING
    assert workshop.attempts() == {"first": ["succeeded"]}, "nothing new starts"
    assert not disk.reserve.exists(), "it made room for saying so"
    disk.free()
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert view.row.status_reason == ""
    assert workshop.lines("second") == ["done"]
    assert workshop.attempts() == {"first": ["succeeded"], "second": ["succeeded"]}
    assert workshop.lease()[0].owner.pid == engine
    said = [frame.why for frame in reading.frames(workshop.db, "r")]
    assert len([why for why in said if "disk full" in why]) == 1, said
    assert disk.reserve.exists(), "there is room for it again"


@pytest.mark.usefixtures("often")
def test_a_verdict_that_finds_no_room_is_kept_until_it_does(workshop: Workshop, disk: Disk) -> None:
    asked: list[str] = []
    inside.write_down(
        workshop,
        workshop.flow(
            f"""
            return Sequence(
                Check("first", {hold(workshop, "first")!r} + "; true"), Check("second", "true")
            )
            """
        ),
    )

    async def script(engine: asyncio.Task[None]) -> None:
        await inside.soon((workshop.out / "first.reached").exists, workshop)
        disk.reserve.unlink()
        disk.fill()
        workshop.touch("first.go")
        before = len(asked)
        await inside.soon(lambda: len(asked) > before + 2, workshop)
        assert workshop.attempts() == {"first": ["running"]}, "nothing that is not written is told"
        disk.free()

    assert inside.drive(workshop, script, crossing=asked.append) is None
    assert workshop.view().row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"first": ["succeeded"], "second": ["succeeded"]}


@pytest.mark.usefixtures("often")
def test_a_run_ends_on_a_full_disk_where_nothing_more_has_to_start(
    workshop: Workshop, disk: Disk
) -> None:
    inside.write_down(
        workshop, workshop.flow(f'return Check("only", {hold(workshop, "only")!r} + "; true")')
    )

    async def script(engine: asyncio.Task[None]) -> None:
        await inside.soon((workshop.out / "only.reached").exists, workshop)
        disk.fill()
        workshop.touch("only.go")

    assert inside.drive(workshop, script) is None
    assert workshop.view().row.status is RunStatus.SUCCEEDED


@pytest.mark.usefixtures("often")
def test_what_fails_on_a_full_disk_is_taken_up_again_and_charged_nothing(
    workshop: Workshop, disk: Disk
) -> None:
    code = {"step": "code", "attempt": 1, "do": [{"run": hold(workshop, "code")}]}
    code["do"].append({"fail": "auth"})
    flow = workshop.flow(
        f"""
        return Parallel(
            Check("probe", {hold(workshop, "probe")!r} + f"; dd if=/dev/zero of={disk.path}/x bs=64k count=2"),
            Task("code", agent="coder", prompt="go", output=Answer, retries=0),
        )
        """
    )
    again = {"step": "code", "attempt": 2, "do": [], "output": {"text": "done"}}
    inside.write_down(workshop, flow, code, again)

    async def script(engine: asyncio.Task[None]) -> None:
        for name in ("probe", "code"):
            await inside.soon((workshop.out / f"{name}.reached").exists, workshop)
        disk.fill()
        for name in ("probe", "code"):
            workshop.touch(f"{name}.go")
        tried = {"probe": ["interrupted"], "code": ["interrupted"]}
        await inside.soon(lambda: workshop.attempts() == tried, workshop)
        await inside.soon(lambda: reason(workshop).startswith("disk full"), workshop)
        disk.free()

    assert inside.drive(workshop, script) is None
    assert workshop.view().row.status is RunStatus.SUCCEEDED, workshop.tell()
    both = ["interrupted", "succeeded"]
    assert workshop.attempts() == {"probe": both, "code": both}
    first, second = workshop.facts().attempts["code"]
    assert not first.charged
    assert first.session == second.session, "its conversation goes on"


@pytest.mark.usefixtures("often")
def test_with_little_left_no_attempt_starts(workshop: Workshop, disk: Disk) -> None:
    inside.write_down(workshop, workshop.flow('return Check("only", "true")'))
    disk.fill(leave=180 * 1024)

    async def script(engine: asyncio.Task[None]) -> None:
        said = "disk full: nothing new starts with less than 204 KB free"
        await inside.soon(lambda: reason(workshop).startswith(said), workshop)
        assert workshop.attempts() == {}
        disk.free()

    assert inside.drive(workshop, script) is None
    assert workshop.view().row.status is RunStatus.SUCCEEDED


def test_of_a_large_disk_so_much_is_left() -> None:
    terabyte = 2**40
    assert room.share(terabyte, *room._KEPT_FREE) == 200 * 2**20
    assert room.share(terabyte, *room._RESERVE) == 4 * 2**20


def _delete(state: Path) -> None:
    for file in state.glob("smithers.db*"):
        file.unlink()


def _move(state: Path) -> None:
    (state / "smithers.db").rename(state / "elsewhere")


def _replace(state: Path) -> None:
    copy = state / "copy"
    copy.write_bytes(b"somebody's")
    copy.replace(state / "smithers.db")


@pytest.mark.parametrize("take_away", [_delete, _move, _replace, shutil.rmtree])
def test_an_engine_whose_database_is_taken_away_ends_its_attempts_and_leaves(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, take_away: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(watch, "RENEW_SECONDS", 0.05)
    inside.write_down(
        workshop, workshop.flow(f'return Check("work", {hold(workshop, "work")!r} + "; true")')
    )

    async def script(engine: asyncio.Task[None]) -> None:
        await inside.soon((workshop.out / "work.reached").exists, workshop)
        workshop.db.close()
        take_away(locate.state_dir(workshop.root))

    ended = inside.drive(workshop, script)
    assert isinstance(ended, StoreGone)
    assert "while it was open" in ended.what
    assert not any(alive(pid) for pid in pids(workshop, "work"))
    shutil.rmtree(workshop.root / locate.NAME)


def test_an_agent_that_cleans_the_checkout_of_everything_is_told_of_by_engine_and_follower(
    workshop: Workshop,
) -> None:
    cleans = {"run": "git clean -ffdxq"}
    held = {"run": hold(workshop, "code")}
    inside.write_down(
        workshop,
        workshop.flow('return Task("code", agent="coder", prompt="go", output=Answer)'),
        {"step": "code", "do": [held, cleans, {"run": "sleep 60"}], "output": {"text": "done"}},
    )
    state = locate.state_dir(workshop.root)
    engine, follower = (
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=workshop.root,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        for command in (
            ("smithers.supervise.main", str(state), "r", "1"),
            ("smithers.cli", "wait", "r"),
        )
    )
    workshop.until_file("code.reached")
    workshop.db.close()
    workshop.touch("code.go")
    said = "the database was deleted or moved while it was open"
    for process in (engine, follower):
        _, words = process.communicate(timeout=40)
        assert process.returncode == 1, words
        assert said in words
        assert "Traceback" not in words
    until(lambda: not any(alive(pid) for pid in pids(workshop, "code")))
    assert not locate.exists(workshop.root)
