"""The one place where a process is started, so that it is known which children are ours to reap."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from smithers.process import cgroup
from smithers.process.marks import Mark

lock = threading.Lock()
"""Held from fork until the pid is noted: nobody may reap a child that has no owner yet."""
started: set[int] = set()
"""Children whose exit code somebody here waits for."""

Stream = int | IO[bytes]

_AGENTS_DIE_FIRST = b"300"  # added badness: in need of memory the kernel spares the engine


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    mark: Mark | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, without a terminal. OSError if it cannot be."""
    home = None if mark is None else cgroup.home()
    with lock:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=None if mark is None else lambda: _prepare(mark, home),  # noqa: PLW1509
        )
        started.add(process.pid)
    return process


def forget(process: subprocess.Popen[bytes]) -> None:
    """Its exit code is known: the pid may be somebody else's from now on."""
    with lock:
        started.discard(process.pid)


def input_file(data: bytes) -> IO[bytes] | None:
    """Make an unnamed file of `data`, at its start; None, for /dev/null, if there is nothing."""
    if not data:
        return None
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(data)
    file.seek(0)
    return file


def _prepare(mark: Mark, home: Path | None) -> None:
    """Run in the child between fork and exec: only what needs no lock and no import."""
    mark.set_limit()
    if home is not None:
        cgroup.join(home, mark.token)
    with suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as file:  # noqa: PTH123
        file.write(_AGENTS_DIE_FIRST)
