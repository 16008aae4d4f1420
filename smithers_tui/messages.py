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


class News(Message, bubble=False):
    """Anything that the feed or a verb says."""


@dataclass
class SummaryRead(News):
    summary: Summary


@dataclass
class RunsRead(News):
    """Runs from `before` (excluded) down; fewer than `limit` means that these are the last."""

    rows: tuple[RunRow, ...]
    before: int | None
    limit: int


@dataclass
class LostRead(News):
    """Runs that have work and no engine."""

    rows: tuple[RunRow, ...]


@dataclass
class RunRead(News):
    run: RunView


@dataclass
class InboxRead(News):
    gates: tuple[GateView, ...]


@dataclass
class GateRead(News):
    gate: GateView


@dataclass
class FramesRead(News):
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
class LogGrew(News):
    log: LogOf
    length: int


@dataclass
class LogRead(News):
    log: LogOf
    after: int
    lines: tuple[LogLine, ...]


@dataclass
class TailRead(News):
    """The last lines of a log, for a preview."""

    log: LogOf
    lines: tuple[LogLine, ...]


@dataclass
class DiffRead(News):
    run: str
    step: str | None
    diff: DiffView


@dataclass
class OutputRead(News):
    run: str
    step: str
    lines: tuple[Safe, ...]


@dataclass
class Unanswered(News):
    """A question that has no answer: the run is gone, git said no, there is no output."""

    what: Safe


@dataclass
class LightChanged(News):
    """Whether what is shown is true now. `reason` says why it may not be."""

    live: bool
    at: int
    """When it last was."""
    reason: Safe
    anew: bool = False
    """Live after the database was taken away: what is there now may be another one."""


@dataclass
class VerbDone(News):
    """A verb went through; `cli` is the command that does the same."""

    what: Safe
    cli: Safe


@dataclass
class VerbRefused(News):
    what: Safe
    next: Safe
