"""One place where runs live and die: a live folder, images of it, and engines that are forked into it."""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from smithers.engine import workspace as workspaces
from smithers.errors import SmithersError
from smithers.process import identity, table
from smithers.process.sweep import become_subreaper, sweep
from smithers.service import starting
from smithers.service.locate import state_dir
from smithers.store.database import NAME, open_reader
from smithers.supervise import main as engine_main
from smithers.supervise import spawn as spawning
from smithers.supervise.spawn import READY_SECONDS
from smithers.vcs.repository import discover
from tests.faults import kit, points
from tests.faults.board import ENGINE, STOP, Board
from tests.faults.flows import Flow
from tests.faults.images import Images
from tests.faults.points import replace

RUN = "r"
ACTOR = "person:tester"
HUNG = 100.0
"""Seconds after which a life is taken for one that will never end. A busy machine needs fewer."""


calm = False
"""No fault is to come: engines are driven in this very process, which costs a third."""
driving = threading.Event()
"""An engine is at work in this very process."""
_refused: list[str] = []
"""What it has said, if that was why it does not drive."""
busy = threading.RLock()
"""Held by a thread that has files open which are not that engine's."""


class Lost(Exception):
    """An engine, or a person's verb, that went on and on, or came to a bad end."""


def folder() -> Path:
    """Where it is quickest to write what nobody will read again."""
    shared = Path("/dev/shm")
    return Path(
        tempfile.mkdtemp(prefix="faults-", dir=shared if os.access(shared, os.W_OK) else None)
    )


def settle_environment(home: Path) -> None:
    """Nothing of whoever runs this reaches the product. Steps leave their marks outside: no sandbox."""
    path = os.environ["PATH"]
    settings = home / ".config/smithers/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('[sandbox]\nlevel = "off"\n')
    os.environ.clear()
    os.environ |= {
        "PATH": path,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


class World:
    """A worker's place. Its paths never change, so that what is kept of a run fits again."""

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True)
        self.live = base / "live"
        self.root = self.live / "project"
        self.out = self.live / "out"
        self.images = Images(self.live, base / "images")
        self.log = self.root / ".smithers/state/logs" / RUN / "engine.log"
        self._stopped: int | None = None
        self._on_stop: Callable[[int], object] = lambda _: None
        kit.settle(self.out)
        points.board = Board()
        points.acknowledged = self.out / "acknowledged"

    def prepare(self, flow: Flow) -> None:
        """Have the image of a run of this workflow that was written down and not begun."""
        if self.images.has(flow.name):
            return
        self.images.clear()
        self.root.mkdir(parents=True)
        self.out.mkdir()
        if flow.edits:
            self._repository()
        path = flow.write(self.out)
        request = starting.Request(
            str(path), input={}, run_id=RUN,
            agents={"coder": f"scripted:{self.out}/script.json"} if flow.turns else None,
        )  # fmt: skip
        code = self.aside(lambda: _written(self.root, request))
        if code:
            raise RuntimeError(f"{flow.name} cannot be started: exit {code}")
        self.images.save(flow.name)

    def _repository(self) -> None:
        def git(*args: str) -> None:
            subprocess.run(["git", *args], cwd=self.root, check=True, stdout=subprocess.DEVNULL)

        git("init", "-q", "-b", "main", "--template=")
        git("config", "user.name", "Tester")
        git("config", "user.email", "tester@localhost")
        (self.root / "README").write_text("read me\n")
        git("add", "-A")
        git("commit", "-q", "-m", "files")

    # -- processes --

    def aside(self, work: Callable[[], object], role: str = "") -> int:
        """Do something in a process of its own; its exit code, negative for a signal."""
        pid = os.fork()
        if pid == 0:
            points.role = role
            self._stopped = None
            _say_in(self.live / "said")
            _leave(work)
        return self.await_end(pid)

    def await_end(self, pid: int, watch: Callable[[], object] | None = None) -> int:
        """Exit code of a child of ours, watched now and then. Raises Lost, having killed it."""
        handle = os.pidfd_open(pid)
        try:
            if not self._await(handle, HUNG, watch):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise Lost(f"process {pid} did not end: {self.words()}")
        finally:
            os.close(handle)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _await(self, handle: int, seconds: float, watch: Callable[[], object] | None) -> bool:
        """Until there is something to read; what stops meanwhile is looked at and goes on."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if self._stopped is not None:
            poll.register(self._stopped, select.POLLIN)
        while time.monotonic() < deadline:
            found = {each for each, _ in poll.poll(2 if watch else seconds * 1000)}
            if self._stopped in found:
                self._look_at_stopped()
            elif handle in found:
                return True
            elif watch:
                watch()
        return False

    def _look_at_stopped(self) -> None:
        assert self._stopped is not None
        pid, engine, crossing = STOP.unpack(os.read(self._stopped, STOP.size))
        while (entry := table.read(pid)) is not None and entry.state != "T":
            os.sched_yield()
        if not (engine and points.board.verb):
            began = time.monotonic()
            self._on_stop(crossing)
            points.board.pause(time.monotonic() - began)
        os.kill(pid, signal.SIGCONT)

    @contextmanager
    def stopping(self, on_stop: Callable[[int], object]) -> Iterator[None]:
        """Have whatever crosses a point stop there, its number be told, and go on.

        Where a second process is at work none stops: what its death leaves is not files alone.
        """
        self._stopped, write = os.pipe()
        self._on_stop = on_stop
        points.board.stops = write
        word = spawning._first_word

        def first_word(handle: int) -> str:
            self._await(handle, READY_SECONDS, None)
            return word(handle)

        replace(spawning, "_first_word", first_word)
        try:
            yield
        finally:
            replace(spawning, "_first_word", word)
            points.board.stops = 0
            os.close(self._stopped)
            os.close(write)
            self._stopped = None

    def words(self) -> str:
        """The last ones of the engines and of who did something to the run."""
        logs = [path for path in (self.log, self.live / "said") if path.exists()]
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in logs)

    def clear_up(self) -> None:
        """End what a case has left that went wrong."""
        self.aside(self._sweep)

    def _sweep(self) -> None:
        reader = open_reader(state_dir(self.root))
        sweep({token for (token,) in reader.all("SELECT token FROM attempts")})
        reader.close()

    def reap(self) -> None:
        """Collect what came to us dead: what dead engines had started."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def _written(root: Path, request: starting.Request) -> None:
    replace(starting, "spawn", lambda *_: None)  # it is started when the case begins
    starting.start(root, request, actor=ACTOR)


def _leave(work: Callable[[], object]) -> None:
    """Do it and end at once: nothing that is the parent's may be cleared up here."""
    code = 70
    try:
        done = work()
        code = done if isinstance(done, int) else 0
    except SmithersError as error:
        code = error.exit_code
        sys.stderr.write(f"{error}\n")
    except BaseException:  # noqa: BLE001 - nothing may come back from a fork
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say_in(path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _forked_engine(
    argv: list[str], *, cwd: Path, env: Mapping[str, str], log: Path, ready_fd: int | None
) -> int:
    """An engine as `detach` would start it, without the interpreter's start."""
    if calm:
        # Its own, as after a fork: it closes it.
        _drive_here([*argv[3:-1], str(os.dup(int(argv[-1])))])
        return os.getpid()
    log.touch()
    points.board.lives = True
    points.board.verb = False  # it only waits for a word from now on
    pid = os.fork()
    if pid:
        points.board.engine = pid
        return pid
    os.setsid()
    _say_in(log)
    os.chdir(cwd)
    points.role = ENGINE
    _leave(lambda: engine_main.main(argv[3:]))
    return 0


def _drive_here(argv: list[str]) -> None:
    """A whole life of an engine, and what the end of its process would do for it."""
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    try:
        code = engine_main.main(argv)
    except Exception as problem:
        raise Lost(f"an engine failed: {problem!r}") from problem
    finally:
        with busy:
            driving.clear()
            _close_but(before)
    if code and not _refused:  # of a refusal who asked for it is told
        raise Lost(f"an engine ended with {code}")


def _close_but(kept: set[str]) -> None:
    """What the end of an engine would close. Of databases the library keeps account itself."""
    for handle in set(os.listdir("/proc/self/fd")) - kept:  # noqa: PTH208
        with suppress(OSError):
            if NAME not in os.readlink(f"/proc/self/fd/{handle}"):  # noqa: PTH115
                os.close(int(handle))


def begin_serving() -> None:
    """Make this process one that cases are forked from: no database is open when it forks."""
    points.install()
    replace(spawning, "detach", _forked_engine)
    say = engine_main._say

    def said(handle: int, word: str) -> None:
        say(handle, word)
        _refused[:] = [word] if word.startswith("refused") else []
        if calm and not _refused:
            driving.set()

    replace(engine_main, "_say", said)
    find = discover
    # Where there is no repository git need not be asked each time.
    replace(workspaces, "discover", lambda path: find(path) if (path / ".git").exists() else None)
    gc.disable()
    signals = signal.valid_signals()
    replace(signal, "valid_signals", lambda: signals)  # asked by each event loop, and slow
    begin_serving_again()


def begin_serving_again() -> None:
    """The same in a child of such a process."""
    become_subreaper()
    if os.getsid(0) != os.getpid():
        os.setsid()
    warm: list[Any] = [identity.me(), identity._host(), identity._boot_id()]
    del warm
    gc.collect()
    gc.freeze()
