"""The mark that a program cannot wash off: where there is one, what is in it, and its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smithers.clock import SYSTEM
from smithers.process import cgroup, spawn, sweep
from smithers.process.cgroup import Containment
from smithers.process.marks import Mark
from tests.process.leftovers import living, nasty, noted
from tests.running import until

V2 = b"41 31 0:38 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
HYBRID = (
    b"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    b"41 31 0:38 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n"
)
PART_OF_ONE = b"41 31 0:38 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
OWN = b"0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope\n"


@pytest.mark.parametrize(
    ("mounts", "own", "found"),
    [
        (V2, OWN, f"/sys/fs/cgroup{OWN.decode()[3:-1]}"),
        (V2, b"0::/\n", "/sys/fs/cgroup"),
        (HYBRID, b"8:pids:/x\n1:name=systemd:/y\n0::/z\n", "/sys/fs/cgroup/unified/z"),
        (HYBRID, b"8:pids:/x\n", None),
        (b"", OWN, None),
        (PART_OF_ONE, b"0::/\n", None),
    ],
)
def test_our_own_cgroup_is_found_where_version_2_is_mounted_whole(mounts, own, found):
    assert cgroup.locate(mounts, own) == (None if found is None else Path(found))


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        (b"0::/a.scope/smithers-00000000ffee\n", {0xFFEE}),
        (b"0::/smithers-00000000ffee (deleted)\n", {0xFFEE}),
        (b"0::/smithers-000000000001/inner/smithers-000000000002/x\n", {1, 2}),
        (b"8:pids:/y\n0::/user.slice\n", set()),
        (b"0::/smithers-1\n0::/my-smithers-000000000001\n0::/smithers-0000000000012\n", set()),
    ],
)
def test_each_attempt_around_a_process_is_read_from_its_path(path, tokens):
    assert cgroup.tokens_of_path(path) == tokens


def test_without_a_cgroup_that_we_may_divide_the_limit_is_what_holds(monkeypatch):
    monkeypatch.setattr(cgroup, "home", lambda: None)
    linux = sys.platform == "linux"
    assert cgroup.containment() is (Containment.LIMIT if linux else Containment.ENVIRONMENT)


@pytest.fixture
def home():
    found = cgroup.home() if sys.platform == "linux" else None
    if found is None:
        pytest.skip("no cgroup of version 2 that we may divide")
    assert cgroup.containment() is Containment.CGROUP
    return found


@pytest.fixture
def mark():
    mark = Mark("run", "step", 1, SYSTEM.token())
    yield mark
    sweep.sweep({mark.token})


def start(mark, tmp_path, tricks):
    """A nasty program that has ended; what it left is nobody's child of ours."""
    process = spawn.spawn(
        ["/bin/sh", "-c", nasty(tmp_path, "n", "0", tricks)],
        cwd=tmp_path,
        env={**os.environ, **mark.environ()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        mark=mark,
    )
    try:
        assert process.wait() == 0
    finally:
        spawn.forget(process)


def test_who_washed_off_both_other_marks_is_found_and_ended_and_the_cgroup_removed(
    home, mark, tmp_path
):
    start(mark, tmp_path, ["unlimited", "emptied", "chain"])
    own = home / f"smithers-{mark.token:012x}"
    assert own.is_dir()
    assert len(living(noted(tmp_path, "n"))) >= 2
    until(lambda: len(sweep.find({mark.token})) >= 2)
    assert sweep.sweep({mark.token}) == []
    assert living(noted(tmp_path, "n")) == []
    assert not own.exists()


def test_the_kernel_ends_all_in_it_at_once(home, mark, tmp_path):
    start(mark, tmp_path, ["unlimited", "chain", "bomb"])
    cgroup.kill(mark.token)
    until(lambda: not living(noted(tmp_path, "n")))
    assert sweep.find({mark.token}) == set()


def test_one_that_is_not_empty_is_never_removed_and_an_empty_one_at_the_next_start(
    home, mark, tmp_path
):
    start(mark, tmp_path, ["daemon"])
    lived_in, empty = home / f"smithers-{mark.token:012x}", home / "smithers-000000000000"
    empty.mkdir(exist_ok=True)
    cgroup.remove(mark.token)
    cgroup.home.cache_clear()
    assert cgroup.home() == home
    assert lived_in.is_dir()
    assert not empty.exists()


def test_where_none_can_be_made_the_program_starts_all_the_same(mark, tmp_path, monkeypatch):
    monkeypatch.setattr(cgroup, "home", lambda: tmp_path / "not" / "there")
    start(mark, tmp_path, ["emptied"])
    assert sweep.sweep({mark.token}) == []
    assert living(noted(tmp_path, "n")) == []
