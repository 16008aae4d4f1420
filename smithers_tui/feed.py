"""The only reader of the service: one thread that owns a directory, answers and looks for news.

Questions are values that know how to answer themselves. A watched question is asked again whenever
the database has moved, or each second if it can change without a write (a dead engine); its answer
is posted only if it differs from the last.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from textual.message import Message
from textual.message_pump import MessagePump

from smithers.clock import Clock
from smithers.errors import SmithersError, StoreError, StoreGone
from smithers.model.run import RunStatus
from smithers.service import reading, safe
from smithers.service.reading import Directory
from smithers.service.views import Safe
from smithers_tui.messages import (
    DiffRead,
    FramesRead,
    GateRead,
    InboxRead,
    LightChanged,
    LogGrew,
    LogOf,
    LogRead,
    LostRead,
    OutputRead,
    RunRead,
    RunsRead,
    SummaryRead,
    TailRead,
    Unanswered,
)

POLL = 0.2
"""Seconds between looks for news."""
LIVENESS = 0.7
"""Seconds after which everything watched is asked again, news or not: a death is seen in one."""


class Question(Protocol):
    """Something to ask of the directory. Frozen, so that equal questions are the same question."""

    ages: ClassVar[bool]
    """Its answer can change without a write, as when an engine dies: asked again each second."""
    grows: ClassVar[bool]
    """Its answer moves with files and not with the database: asked at each look."""

    def answer(self, db: Directory) -> Message: ...


@dataclass(frozen=True, slots=True)
class AskSummary:
    ages: ClassVar[bool] = True
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        return SummaryRead(reading.summary(db))


@dataclass(frozen=True, slots=True)
class AskRuns:
    before: int | None = None
    limit: int = 100
    status: tuple[RunStatus, ...] = ()
    ages: ClassVar[bool] = True
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        rows = reading.runs(db, status=self.status, before=self.before, limit=self.limit)
        return RunsRead(tuple(rows), self.before, self.limit)


@dataclass(frozen=True, slots=True)
class AskLost:
    ages: ClassVar[bool] = True
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        return LostRead(tuple(reading.runs(db, status=(RunStatus.INTERRUPTED,), limit=9)))


@dataclass(frozen=True, slots=True)
class AskRun:
    run: str
    ages: ClassVar[bool] = True
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        return RunRead(reading.run(db, self.run))


@dataclass(frozen=True, slots=True)
class AskInbox:
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        return InboxRead(tuple(reading.inbox(db)))


@dataclass(frozen=True, slots=True)
class AskGate:
    run: str
    gate: str
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        return GateRead(reading.gate(db, self.run, self.gate))


@dataclass(frozen=True, slots=True)
class AskFrames:
    run: str
    after: int
    limit: int
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        frames = reading.frames(db, self.run, after=self.after, limit=self.limit)
        return FramesRead(self.run, self.after, tuple(frames))


@dataclass(frozen=True, slots=True)
class AskLogLength:
    log: LogOf
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = True

    def answer(self, db: Directory) -> Message:
        at = self.log
        return LogGrew(at, reading.log_length(db, at.run, at.step, at.attempt))


@dataclass(frozen=True, slots=True)
class AskLog:
    log: LogOf
    after: int
    limit: int
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        at = self.log
        lines = reading.log(db, at.run, at.step, at.attempt, after=self.after, limit=self.limit)
        return LogRead(at, self.after, tuple(lines))


@dataclass(frozen=True, slots=True)
class AskTail:
    log: LogOf
    lines: int
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = True

    def answer(self, db: Directory) -> Message:
        at = self.log
        length = reading.log_length(db, at.run, at.step, at.attempt)
        after = max(0, length - self.lines)
        lines = reading.log(db, at.run, at.step, at.attempt, after=after, limit=self.lines)
        return TailRead(at, tuple(lines))


@dataclass(frozen=True, slots=True)
class AskDiff:
    run: str
    step: str | None = None
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        return DiffRead(self.run, self.step, reading.diff(db, self.run, self.step))


@dataclass(frozen=True, slots=True)
class AskOutput:
    run: str
    step: str
    ages: ClassVar[bool] = False
    grows: ClassVar[bool] = False

    def answer(self, db: Directory) -> Message:
        value = reading.output(db, self.run, self.step)
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        return OutputRead(self.run, self.step, tuple(map(Safe, safe.clean(text).split("\n"))))


Key = tuple[MessagePump, str]


@dataclass(frozen=True, slots=True)
class _Job:
    """Something for the thread: ask once, or from now on under a name; no question ends a watch."""

    target: MessagePump
    question: Question | None
    name: str = ""


class Feed:
    """Questions in, messages out. `watch`, `ask` and `forget` may be called from any thread."""

    def __init__(self, root: Path, clock: Clock, light: Callable[[LightChanged], object]) -> None:
        self._root = root
        self._clock = clock
        self._light = light
        self._jobs: queue.Queue[_Job] = queue.Queue()
        self._stopped = threading.Event()
        self._watched: dict[Key, Question] = {}
        self._said: dict[Key, Message] = {}
        self._live: bool | None = None
        self._lived = clock.now()
        self._gone = Safe("")
        """How the database was taken away, until there is one again."""
        self._looked = self._asked = 0.0

    def watch(self, target: MessagePump, name: str, question: Question | None) -> None:
        """Answer now and at each change, in place of what was watched under this name."""
        self._jobs.put(_Job(target, question, name))

    def ask(self, target: MessagePump, question: Question) -> None:
        """Answer once."""
        self._jobs.put(_Job(target, question))

    def forget(self, target: MessagePump) -> None:
        """End all that this target watches."""
        self._jobs.put(_Job(target, None))

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Body of the thread. A directory that cannot be read is opened again each second."""
        while not self._stopped.is_set():
            try:
                with reading.open_directory(self._root) as db:
                    self._serve(db)
            except (SmithersError, OSError) as error:
                reason = self._reason(error)
                if isinstance(error, StoreGone):
                    self._gone = reason
                self._show(live=False, reason=self._gone or reason)
                self._stopped.wait(LIVENESS)

    def _reason(self, error: Exception) -> Safe:
        """Short: with files named as from the project's folder, and what to do where it is cut."""
        what = error.what if isinstance(error, SmithersError) else str(error)
        hint = f"; next: {error.next}" if isinstance(error, SmithersError) and error.next else ""
        return safe.line(f"{what}{hint}".replace(f"{self._root}/", ""))

    def _serve(self, db: Directory) -> None:
        reading.changed(db)
        self._said.clear()
        self._look(db, everything=True)
        while not self._stopped.is_set():
            due = self._looked + POLL - self._clock.monotonic()
            try:
                job = self._jobs.get(timeout=due) if due > 0 else self._jobs.get_nowait()
            except queue.Empty:
                self._look(db, everything=reading.changed(db))
            else:
                self._take(db, job)

    def _take(self, db: Directory, job: _Job) -> None:
        key = (job.target, job.name)
        if job.question is None:
            gone = [
                each
                for each in self._watched
                if each[0] is job.target and job.name in {"", each[1]}
            ]
            for each in gone:
                self._watched.pop(each, None)
                self._said.pop(each, None)
        elif job.name:
            self._watched[key] = job.question
            self._said.pop(key, None)
            self._answer(db, key, job.question)
        else:
            job.target.post_message(self._ask(db, job.question))

    def _look(self, db: Directory, *, everything: bool) -> None:
        self._looked = self._clock.monotonic()
        late = everything or self._looked - self._asked >= LIVENESS
        if late:
            self._asked = self._looked
        for key, question in list(self._watched.items()):
            if everything or question.grows or (late and question.ages):
                self._answer(db, key, question)
        self._show(live=True, reason=Safe(""))

    def _answer(self, db: Directory, key: Key, question: Question) -> None:
        message = self._ask(db, question)
        if self._said.get(key) != message:
            self._said[key] = message
            key[0].post_message(message)

    def _ask(self, db: Directory, question: Question) -> Message:
        try:
            return question.answer(db)
        except StoreError:
            raise
        except SmithersError as error:
            return Unanswered(safe.line(str(error)))

    def _show(self, *, live: bool, reason: Safe) -> None:
        if live:
            self._lived = self._clock.now()
        if live != self._live or not live:
            self._live = live
            self._light(LightChanged(live, self._lived, reason, anew=live and bool(self._gone)))
            if live:
                self._gone = Safe("")
