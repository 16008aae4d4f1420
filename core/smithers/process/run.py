"""Short helper commands such as git, and processes that outlive us; both without an event loop."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smithers.process import spawn

_detached: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class Completed:
    """What a helper left."""

    code: int
    """Exit code, negative for a signal."""
    out: bytes
    err: bytes


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 60,
) -> Completed:
    """Run a helper to the end of its process; what it left in the background is not waited for.

    `timeout` in seconds: then its process group is killed and TimeoutError raised. OSError if it
    cannot start.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        file = spawn.input_file(stdin)
        try:
            process = spawn.spawn(
                argv,
                cwd=cwd,
                env=env,
                stdin=file or subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        finally:
            if file is not None:
                file.close()
        try:
            _await_end(process, timeout)
            code = process.wait(0)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{argv[0]} did not end within {timeout:g} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            spawn.forget(process)
        out.seek(0)
        err.seek(0)
        return Completed(code, out.read(), err.read())


def detach(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    ready_fd: int | None,
) -> int:
    """Start a process that outlives the caller, and return its pid. OSError if it cannot start.

    Its output is appended to `log`; of our open files it gets `ready_fd` alone, under its number.
    """
    _detached[:] = [process for process in _detached if process.poll() is None]
    with spawn.lock, log.open("ab") as output:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=() if ready_fd is None else (ready_fd,),
        )
    # Kept, so that it is reaped at a later call and not complained about as lost.
    _detached.append(process)
    return process.pid


def _await_end(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Sleep until the process has ended or time is up; `Popen.wait` alone would poll."""
    if sys.platform == "linux":
        try:
            handle = os.pidfd_open(process.pid)
        except OSError:
            pass
        else:
            try:
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                poll.poll(timeout * 1000)
                return
            finally:
                os.close(handle)
    process.wait(timeout)
