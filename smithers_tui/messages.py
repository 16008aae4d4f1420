"""What the feed tells the screens: one frozen-by-habit dataclass an answer, compared by value."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from smithers.service.views import (
    DiffView,
    FrameView,
    GateView,
    LogLine,
    RunRow,
    RunView,
    Safe,
    Summary,
)


@dataclass
class SummaryRead(Message, bubble=False):
    summary: Summary


@dataclass
class RunsRead(Message, bubble=False):
    """Runs from `before` (excluded) down; fewer than `limit` means that these are the last."""

    rows: tuple[RunRow, ...]
    before: int | None
    limit: int


@dataclass
class LostRead(Message, bubble=False):
    """Runs that have work and no engine."""

    rows: tuple[RunRow, ...]


@dataclass
class RunRead(Message, bubble=False):
    run: RunView


@dataclass
class InboxRead(Message, bubble=False):
    gates: tuple[GateView, ...]


@dataclass
class GateRead(Message, bubble=False):
    gate: GateView


@dataclass
class FramesRead(Message, bubble=False):
    run: str
    after: int
    frames: tuple[FrameView, ...]


@dataclass(frozen=True, slots=True)
class LogOf:
    """Whose log: an attempt of a step of a run."""

    run: str
    step: str
    attempt: int


@dataclass
class LogGrew(Message, bubble=False):
    log: LogOf
    length: int


@dataclass
class LogRead(Message, bubble=False):
    log: LogOf
    after: int
    lines: tuple[LogLine, ...]


@dataclass
class TailRead(Message, bubble=False):
    """The last lines of a log, for a preview."""

    log: LogOf
    lines: tuple[LogLine, ...]


@dataclass
class DiffRead(Message, bubble=False):
    run: str
    step: str | None
    diff: DiffView


@dataclass
class OutputRead(Message, bubble=False):
    run: str
    step: str
    lines: tuple[Safe, ...]


@dataclass
class Unanswered(Message, bubble=False):
    """A question that has no answer: the run is gone, git said no, there is no output."""

    what: Safe


@dataclass
class LightChanged(Message, bubble=False):
    """Whether what is shown is true now. `reason` says why it may not be."""

    live: bool
    at: int
    reason: Safe


@dataclass
class VerbDone(Message, bubble=False):
    """A verb went through; `cli` is the command that does the same."""

    what: Safe
    cli: Safe


@dataclass
class VerbRefused(Message, bubble=False):
    what: Safe
    next: Safe
