"""Every write, sync and lock of a process, in the order in which the kernel had them (ptrace)."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[2]
SUPPORTED = sys.platform == "linux" and platform.machine() == "x86_64"
WHY_NOT = "records the system calls of Linux on x86_64"

_SYSCALL, _SEIZE, _INTERRUPT, _SYSCALL_INFO = 24, 0x4206, 0x4207, 0x420E
_OPTIONS = 0x100001
"""Mark stops at system calls; end the child with its tracer."""
_ENTRY, _EXIT = 1, 2
_FD_CALLS = {1: "write", 18: "pwrite", 74: "sync", 75: "sync", 77: "truncate", 72: "fcntl"}
_FD_CALLS |= {73: "flock"}
_PATH_CALLS = {2: 0, 87: 0, 257: 1, 263: 1}
"""open, unlink, openat, unlinkat, and which argument is the path."""
_UNKNOWN = {20: "writev", 40: "sendfile", 76: "truncate", 82: "rename", 86: "link", 264: "renameat"}
_UNKNOWN |= {265: "linkat", 285: "fallocate", 296: "pwritev", 316: "renameat2", 326: "copy_range"}
"""Would change files in ways that are not recorded: met, they fail the recording."""


@dataclass(frozen=True, slots=True)
class Event:
    what: str
    """write, sync, truncate, create, unlink, flock, range, say (a write to standard output)."""
    name: str = ""
    """Of the file in the folder; empty for the folder itself."""
    offset: int = 0
    """Of a write; the new size; the operation of a flock; the first byte of a range."""
    data: bytes = b""
    """What was written or said; of a range `r`, `w` or nothing: how it is locked from now on."""


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, pid, address, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request:#x}: {os.strerror(number)}")


def record(folder: Path, module: str, *arguments: str) -> list[Event]:
    """What `python -m module arguments` does to files in `folder`, from when it has said ready.

    It says so in a line, and goes on when it is sent one.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=TOP) as child:
        assert child.stdin
        assert child.stdout
        try:
            assert child.stdout.readline() == b"ready\n"
            _ptrace(_SEIZE, child.pid, 0, _OPTIONS)
            _ptrace(_INTERRUPT, child.pid)
            child.stdin.write(b"go\n")
            child.stdin.flush()
            tracer = _Tracer(child.pid, folder)
            events = list(tracer.run())
            child.returncode = tracer.ended
        finally:
            if child.returncode is None:
                child.kill()
    assert child.returncode == 0, child.returncode
    return events


class _Tracer:
    def __init__(self, pid: int, folder: Path) -> None:
        self.pid = pid
        self.ended: int | None = None
        self._folder = str(folder.resolve())
        self._info = ctypes.create_string_buffer(88)
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        self._entered: tuple[int, tuple[int, ...], str] | None = None

    def run(self) -> Iterator[Event]:
        try:
            while True:
                _, status = os.waitpid(self.pid, 0)
                if not os.WIFSTOPPED(status):
                    self.ended = os.waitstatus_to_exitcode(status)
                    return
                number = os.WSTOPSIG(status)
                if number == signal.SIGTRAP | 0x80:
                    yield from self._stopped()
                    number = 0
                elif status >> 16:
                    number = 0
                _ptrace(_SYSCALL, self.pid, 0, number)
        finally:
            os.close(self._memory)

    def _stopped(self) -> Iterator[Event]:
        """At its entry a call is looked at, at its exit it is told of if it succeeded."""
        _ptrace_info(self.pid, self._info)
        if self._info.raw[0] == _ENTRY:
            number, *arguments = struct.unpack_from("<7Q", self._info, 24)
            self._entered = None
            if number in _FD_CALLS or number in _PATH_CALLS or number in _UNKNOWN:
                self._entered = (number, tuple(arguments), self._file(number, arguments))
        elif self._info.raw[0] == _EXIT and self._entered:
            (result,) = struct.unpack_from("<q", self._info, 24)
            number, known, name = self._entered
            self._entered = None
            if result >= 0:
                yield from self._tell(number, known, name, result)

    def _file(self, number: int, arguments: list[int]) -> str:
        """The path that a call is about, with a mark in front if it is not there yet."""
        if number in _PATH_CALLS:
            path = self._text(arguments[_PATH_CALLS[number]])
            return path if os.path.lexists(path) else f"?{path}"
        with suppress(OSError):
            return str(Path(f"/proc/{self.pid}/fd/{arguments[0]}").readlink())
        return ""

    def _tell(
        self, number: int, arguments: tuple[int, ...], path: str, result: int
    ) -> Iterator[Event]:
        if number == 1 and arguments[0] == 1:
            yield Event("say", data=self._bytes(arguments[1], result).strip())
            return
        name = self._inside(path.removeprefix("?"))
        if name is None or name.endswith("-shm"):
            return
        assert number not in _UNKNOWN, (_UNKNOWN[number], name)
        if number in _PATH_CALLS:
            flags = arguments[_PATH_CALLS[number] + 1]
            if number in {87, 263}:
                yield Event("unlink", name)
            elif path.startswith("?"):
                yield Event("create", name)
            else:
                assert not flags & os.O_TRUNC, name
        else:
            yield from self._tell_fd(_FD_CALLS[number], arguments, name, result)

    def _tell_fd(
        self, call: str, arguments: tuple[int, ...], name: str, result: int
    ) -> Iterator[Event]:
        _, second, third, fourth, *_ = arguments
        match call:
            case "pwrite":
                yield Event("write", name, fourth, self._bytes(second, result))
            case "write":
                position = Path(f"/proc/{self.pid}/fdinfo/{arguments[0]}").read_text().split()[1]
                yield Event("write", name, int(position) - result, self._bytes(second, result))
            case "sync":
                yield Event("sync", name)
            case "truncate":
                yield Event("truncate", name, second)
            case "flock":
                yield Event("flock", name, second & ~4)
            case "fcntl" if second in {6, 37, 38}:
                kind, _, start, _ = struct.unpack("<hhxxxxqq", self._bytes(third, 24))
                yield Event("range", name, start, (b"r", b"w", b"")[kind])

    def _inside(self, path: str) -> str | None:
        if path == self._folder:
            return ""
        folder, _, name = path.rpartition("/")
        return name if folder == self._folder else None

    def _bytes(self, address: int, count: int) -> bytes:
        return os.pread(self._memory, count, address)

    def _text(self, address: int) -> str:
        # A page at a time: the next one may not be there.
        text = b""
        while b"\0" not in text:
            text += os.pread(self._memory, 4096 - (address + len(text)) % 4096, address + len(text))
        return os.fsdecode(text.partition(b"\0")[0])


def _ptrace_info(pid: int, info: ctypes.Array[ctypes.c_char]) -> None:
    _ptrace(_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
