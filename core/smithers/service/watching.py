"""The supervisor, as doors see it: keep watch, or learn whether somebody does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

from smithers.service.locate import state_dir
from smithers.service.safe import clean, line
from smithers.service.views import Safe
from smithers.supervise import supervisor


def watch(root: Path, tell: Callable[[Safe, Safe, Safe], None]) -> None:
    """Bring back the runs of `root` until SIGINT or SIGTERM. Raises Refused while another does.

    `tell` hears of each: the run, `started`, `asked` or `failed`, and about it in words.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    supervisor.watch(
        state_dir(root),
        lambda run, did, text: tell(line(run), line(did), clean(text)),
        stopped,
    )


def watcher(root: Path) -> int | None:
    """Pid of the supervisor that is at work in `root`, 0 if it cannot be told, None without one."""
    return supervisor.present(state_dir(root))
