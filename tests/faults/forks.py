"""Work in processes of their own, whose answers come back through a pipe."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def in_process(work: Callable[[], T]) -> T:
    """What it returns, worked out in a process that is given up afterwards."""
    found: T = awaited(*begun(work))
    return found


def begun(work: Callable[[], T]) -> tuple[int, int]:
    """Its pid, and where its answer will come."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(pickle.dumps(work()))
    except BaseException:  # noqa: BLE001 - nothing may come back from a fork
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def awaited(pid: int, read: int) -> Any:
    """The answer. RuntimeError if there is none: what went wrong stands on stderr."""
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    if not data:
        raise RuntimeError("a process of the harness died")
    return pickle.loads(data)
