"""A marked child of the event loop: its lines, its end, and the end of all that it began."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from smithers.process import identity, sandbox, spawn, table
from smithers.process.marks import Mark
from smithers.process.sweep import reap_adopted, sweep

LINE_LIMIT = 1 << 18  # bytes
_CHUNK = 1 << 16  # bytes
_REAP = 1.0  # seconds between two looks for dead orphans
_DRAIN = 0.5  # seconds after the end in which what is still in the pipes is read
_DRAIN_LIMIT = 1 << 20  # bytes: more than a pipe holds, less than a grandchild can write


class Child:
    """A running process. Its pipes fill up, and it stands still, while nobody reads `lines`."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        mark: Mark,
        pipes: Mapping[int, str],
        line_limit: int,
        talk: int | None,
        *,
        boxed: bool,
    ) -> None:
        self._boxed = boxed
        self._stdin = talk
        self._unsent = bytearray()
        self._hung_up = False
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._mark = mark
        self._pipes = {fd: Splitter(name, line_limit) for fd, name in pipes.items()}
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._news = asyncio.Event()
        self._watch_end()
        self._loop.call_later(_REAP, self._reap)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def lines(self) -> AsyncGenerator[tuple[str, str], None]:
        """Yield `("out" | "err", line)`; UTF-8, and what is not comes as surrogate escapes.

        A longer line comes in pieces. Ends with the process, at most a short while later: a
        grandchild may hold the pipes for as long as it likes.
        """
        late = 0
        deadline: float | None = None
        try:
            while self._pipes:
                if self._ended.done() and deadline is None:
                    deadline = self._loop.time() + _DRAIN
                ready = await self._readable(deadline)
                if not ready and deadline is not None and self._loop.time() >= deadline:
                    break
                for fd in ready:
                    if fd not in self._pipes:  # `stop` has closed it meanwhile
                        continue
                    data = os.read(fd, _CHUNK)
                    late += len(data) if deadline is not None else 0
                    for line in self._feed(fd, data):
                        yield line
                if late > _DRAIN_LIMIT:
                    break
            for splitter in self._pipes.values():
                for line in splitter.rest():
                    yield line
        finally:
            self._close()

    async def wait(self) -> int:
        """Exit code, negative for a signal: the end of the process, never of its pipes."""
        return await asyncio.shield(self._ended)

    def send(self, data: bytes) -> None:
        """Have it written to its stdin, as fast as it reads; lost where it reads no more."""
        self._unsent += data
        self._write()

    def hang_up(self) -> None:
        """Close its stdin, once all that was sent is written."""
        self._hung_up = True
        self._write()

    async def stop(self, *, polite: int = signal.SIGTERM, grace: float = 5.0) -> None:
        """Ask the process to end, and after `grace` seconds kill it; then kill all of its mark.

        Cancelling this skips the grace, never the killing. Also right for one that has ended.
        """
        try:
            if not self._ended.done():
                self._ask(polite)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.wait(), grace)
        finally:
            sweep({self._mark.token})
            self._collect()
            self._close()

    def _ask(self, polite: int) -> None:
        """Signal the program itself: bwrap would not pass it on, and end all at once."""
        inner = table.innermost(self._process.pid) if self._boxed else None
        if inner is None:
            self._process.send_signal(polite)
            return
        with identity.held(inner.pid) as handle:
            identity.send(inner.pid, inner.start_time, polite, handle)

    def _write(self) -> None:
        if self._stdin is None:
            return
        try:
            if self._unsent:
                del self._unsent[: os.write(self._stdin, self._unsent)]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more
            self._close_stdin()
            return
        if self._unsent:
            self._loop.add_writer(self._stdin, self._write)
            return
        self._loop.remove_writer(self._stdin)
        if self._hung_up:
            self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            self._loop.remove_writer(self._stdin)
            os.close(self._stdin)
            self._stdin = None

    def _feed(self, fd: int, data: bytes) -> list[tuple[str, str]]:
        if data:
            return self._pipes[fd].feed(data)
        os.close(fd)
        return self._pipes.pop(fd).rest()

    async def _readable(self, deadline: float | None) -> list[int]:
        """Pipes with something to read; none when the process has just ended or time is up."""
        ready: list[int] = []
        self._news.clear()
        for fd in self._pipes:
            self._loop.add_reader(fd, self._note, fd, ready)
        try:
            if deadline is None and self._ended.done():
                return ready
            left = None if deadline is None else max(0.0, deadline - self._loop.time())
            if left == 0.0:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), left)
        finally:
            for fd in self._pipes:
                self._loop.remove_reader(fd)
        return ready

    def _note(self, fd: int, ready: list[int]) -> None:
        if fd not in ready:
            ready.append(fd)
        self._news.set()

    def _watch_end(self) -> None:
        if sys.platform == "linux":
            with suppress(OSError):
                handle = os.pidfd_open(self._process.pid)
                self._loop.add_reader(handle, self._on_handle, handle)
                return
        threading.Thread(target=self._wait_in_thread, daemon=True).start()

    def _on_handle(self, handle: int) -> None:
        self._loop.remove_reader(handle)
        os.close(handle)
        self._collect()

    def _wait_in_thread(self) -> None:
        self._process.wait()
        with suppress(RuntimeError):  # the loop has ended first
            self._loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        """Take the exit code if it is there, and tell all who wait."""
        code = self._process.poll()
        if code is not None and not self._ended.done():
            spawn.forget(self._process)
            self._ended.set_result(code)
            self._news.set()

    def _reap(self) -> None:
        """Let no zombies gather while it runs, whatever it leaves to us."""
        if not self._ended.done():
            reap_adopted(())
            self._loop.call_later(_REAP, self._reap)

    def _close(self) -> None:
        for fd in self._pipes:
            self._loop.remove_reader(fd)
            os.close(fd)
        self._pipes.clear()
        self.hang_up()
        self._news.set()


async def start(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    mark: Mark,
    stdin: bytes | None = None,
    talks: bool = False,
    line_limit: int = LINE_LIMIT,
    box: sandbox.Box | None = None,
) -> Child:
    """Start `argv` marked, in a session of its own, without a terminal, in a box if there is one.

    `stdin` is read from a file, so that it can never block; with `talks` it is the first that is
    sent through a pipe that stays open. Raises OSError if it cannot start.
    """
    env = {**env, **mark.environ()}
    if box is not None:
        argv = sandbox.enclose(box, argv, cwd=cwd, env=env)
    with ExitStack() as ours, ExitStack() as theirs:
        out, err = _reading(ours, theirs), _reading(ours, theirs)
        talk = _writing(ours, theirs) if talks else None
        file = None if talks else spawn.input_file(stdin or b"")
        if file is not None:
            theirs.enter_context(file)
        process = spawn.spawn(
            argv,
            cwd=cwd,
            env=env,
            stdin=talk[1] if talk else file or subprocess.DEVNULL,
            stdout=out[1],
            stderr=err[1],
            mark=mark,
        )
        ours.pop_all()
    pipes = {out[0]: "out", err[0]: "err"}
    child = Child(process, mark, pipes, line_limit, talk and talk[0], boxed=box is not None)
    if talks and stdin:
        child.send(stdin)
    return child


def _reading(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """A pipe that we read from: our end and theirs."""
    read, write = os.pipe()
    ours.callback(os.close, read)
    theirs.callback(os.close, write)
    return read, write


def _writing(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    """A pipe that we write to, without ever waiting: our end and theirs."""
    read, write = os.pipe()
    ours.callback(os.close, write)
    theirs.callback(os.close, read)
    os.set_blocking(write, False)
    return write, read


class Splitter:
    """Cuts a stream of bytes into lines of text, and lines over the limit into pieces."""

    def __init__(self, name: str, limit: int = LINE_LIMIT) -> None:
        self._name = name
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        """Lines that `data` completes."""
        whole, end, last = data.rpartition(b"\n")
        found = []
        if end:
            self._parts.append(whole)
            found = self._take()
        self._parts.append(last)
        self._size += len(last)
        if self._size >= self._limit:
            found += self._pieces()
        return found

    def rest(self) -> list[tuple[str, str]]:
        """Return the last line, if the stream ended within one."""
        return self._take() if any(self._parts) else []

    def _take(self) -> list[tuple[str, str]]:
        """Lines of all that is there. Decoding them at once comes to the same, and is fast."""
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return [(self._name, line) for line in _text(data).split("\n")]

    def _pieces(self) -> list[tuple[str, str]]:
        data = b"".join(self._parts)
        found = []
        while len(data) >= self._limit:
            cut = _whole_characters(data, self._limit)
            found.append((self._name, _text(data[:cut])))
            data = data[cut:]
        self._parts = [data]
        self._size = len(data)
        return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _whole_characters(data: bytes, limit: int) -> int:
    """Find the largest cut up to `limit` that splits no UTF-8 character."""
    for cut in range(limit, max(0, limit - 4), -1):
        if cut == len(data) or data[cut] & 0xC0 != 0x80:
            return cut
    return limit
