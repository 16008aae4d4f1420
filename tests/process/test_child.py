"""A child's lines, its end, and the end of everything that it began."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from smithers.clock import SYSTEM
from smithers.process import child, sweep, table
from smithers.process.child import Splitter
from smithers.process.marks import Mark


@pytest.fixture
def mark():
    mark = Mark("run", "step", 1, SYSTEM.token())
    yield mark
    sweep.sweep({mark.token})


ENV = {"PATH": os.environ["PATH"]}


async def begin(script, mark, tmp_path, **more):
    return await child.start(["/bin/sh", "-c", script], cwd=tmp_path, env=ENV, mark=mark, **more)


def play(script, mark, tmp_path, **more):
    """Everything that a shell script prints, and its exit code."""

    async def go():
        started = await begin(script, mark, tmp_path, **more)
        lines = [line async for line in started.lines()]
        return lines, await started.wait()

    return asyncio.run(go())


def alive(pid):
    entry = table.read(pid)
    return entry is not None and not entry.dead


def test_lines_come_with_their_stream_and_the_exit_code_is_told(mark, tmp_path):
    lines, code = play("echo one; echo two >&2; printf three; exit 7", mark, tmp_path)
    assert sorted(lines) == [("err", "two"), ("out", "one"), ("out", "three")]
    assert code == 7


def test_a_signal_is_a_negative_code(mark, tmp_path):
    assert play("kill -9 $$", mark, tmp_path) == ([], -9)


def test_the_child_sees_its_folder_its_environment_and_its_marks_and_no_more(mark, tmp_path):
    lines, _ = play("pwd; env", mark, tmp_path)
    said = {text for _, text in lines}
    assert str(tmp_path) in said
    assert {f"{k}={v}" for k, v in mark.environ().items()} <= said
    assert not any(text.startswith("HOME=") for text in said)


def test_standard_input_is_given_whole_or_empty(mark, tmp_path):
    text = "word\n" * 100_000
    assert play("wc -c", mark, tmp_path, stdin=text.encode())[0][0][1].strip() == "500000"
    assert play("wc -c", mark, tmp_path)[0][0][1].strip() == "0"


def test_the_child_has_no_terminal_and_a_session_of_its_own(mark, tmp_path):
    lines, _ = play("echo $$; (: </dev/tty) 2>/dev/null || echo none", mark, tmp_path)
    assert ("out", "none") in lines
    assert ("out", str(os.getsid(0))) not in lines


def test_the_end_is_that_of_the_process_though_a_grandchild_holds_its_output(mark, tmp_path):
    async def go():
        started = await begin("setsid sleep 100 & echo last; exit 3", mark, tmp_path)
        begun = time.monotonic()
        code = await started.wait()
        lines = [line async for line in started.lines()]
        return code, lines, time.monotonic() - begun

    code, lines, took = asyncio.run(go())
    assert (code, lines) == (3, [("out", "last")])
    assert took < 5


def test_lines_end_although_a_grandchild_writes_for_ever(mark, tmp_path):
    async def go():
        started = await begin("setsid yes & exit 0", mark, tmp_path)
        async for _ in started.lines():
            pass
        return await started.wait()

    assert asyncio.run(go()) == 0


@pytest.mark.slow
def test_a_line_of_200_megabytes_comes_in_pieces_and_takes_no_room(mark, tmp_path):
    async def go():
        started = await begin("head -c 200000000 /dev/zero | tr '\\0' x", mark, tmp_path)
        total = pieces = 0
        async for _, text in started.lines():
            total += len(text)
            pieces += 1
            assert len(text) <= child.LINE_LIMIT
        assert await started.wait() == 0
        return total, pieces

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert asyncio.run(go()) == (200_000_000, 763)
    unit = 1024 if sys.platform == "linux" else 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 50e6


def test_a_reader_that_leaves_closes_the_pipe_on_the_writer(mark, tmp_path):
    async def go():
        started = await begin("while :; do echo word; done", mark, tmp_path)
        lines = started.lines()
        assert await anext(lines) == ("out", "word")
        await lines.aclose()
        return await started.wait()

    assert asyncio.run(go()) == -signal.SIGPIPE


def test_what_is_not_utf8_survives_the_trip(mark, tmp_path):
    lines, _ = play(r"printf 'caf\303\251 \377\376\n'", mark, tmp_path)
    assert lines[0][1].encode("utf-8", "surrogateescape") == b"caf\xc3\xa9 \xff\xfe"
    assert lines[0][1].startswith("café ")


def test_stop_asks_politely_first(mark, tmp_path):
    async def go():
        started = await begin(
            "trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done", mark, tmp_path
        )
        assert await anext(started.lines()) == ("out", "up")
        await started.stop()
        return await started.wait()

    assert asyncio.run(go()) == 5


def test_stop_kills_what_does_not_listen(mark, tmp_path):
    async def go():
        started = await begin("trap '' TERM; echo up; while :; do sleep 0.02; done", mark, tmp_path)
        assert await anext(started.lines()) == ("out", "up")
        await started.stop(grace=0.05)
        return await started.wait()

    assert asyncio.run(go()) == -signal.SIGKILL


def test_stop_ends_leftovers_of_a_child_that_has_ended(mark, tmp_path):
    async def go():
        started = await begin("setsid sleep 100 & echo $!", mark, tmp_path)
        _, pid = await anext(started.lines())
        await started.wait()
        assert alive(int(pid))
        await started.stop()
        return int(pid)

    assert not alive(asyncio.run(go()))
    assert sweep.find({mark.token}) == set()


def test_cancelling_stop_skips_the_grace_and_not_the_killing(mark, tmp_path):
    async def go():
        started = await begin("trap '' TERM; echo up; while :; do sleep 0.02; done", mark, tmp_path)
        assert await anext(started.lines()) == ("out", "up")
        task = asyncio.create_task(started.stop(grace=100))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await started.wait()

    assert asyncio.run(go()) == -signal.SIGKILL


def test_a_command_that_is_not_there_raises_and_leaks_no_file(mark, tmp_path):
    async def go():
        await child.start(["/no/such/command"], cwd=tmp_path, env=ENV, mark=mark)

    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(FileNotFoundError):
        asyncio.run(go())
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_kernel_is_told_to_end_agents_before_the_engine(mark, tmp_path):
    lines, _ = play("cat /proc/self/oom_score_adj", mark, tmp_path)
    assert lines == [("out", "300")]


def feed(chunks, limit):
    splitter = Splitter("out", limit)
    return [text for chunk in chunks for _, text in splitter.feed(chunk)] + [
        t for _, t in splitter.rest()
    ]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\n", b"c"], ["ab", "c"]),
        ([b"\n\n"], ["", ""]),
        ([b""], []),
        ([b"12345678", b"9\n"], ["12345678", "9"]),
        ([b"1234567890123456789"], ["12345678", "90123456", "789"]),
        (["1234567é9".encode()], ["1234567", "é9"]),
        ([b"\x80" * 9], ["\udc80" * 8, "\udc80"]),
    ],
)
def test_lines_are_cut_at_line_ends_and_long_ones_between_characters(chunks, lines):
    assert feed(chunks, 8) == lines
