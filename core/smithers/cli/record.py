"""What happened: `logs`, `events`, `diff`, `output`; and waiting for more of it."""

from __future__ import annotations

import json
import re
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from smithers.cli import forms, printing, where
from smithers.cli.screen import screen_width
from smithers.clock import SYSTEM, iso
from smithers.errors import SmithersError, UsageError
from smithers.model.run import RunStatus
from smithers.model.step import StepStatus
from smithers.service import reading, safe, transcript
from smithers.service.views import (
    AttemptView,
    Change,
    DiffView,
    FrameView,
    LogLine,
    RunRow,
    RunView,
)

POLL = 0.1
LOOK_ANYWAY = 0.5
"""Seconds after which to look though nothing was written: deaths write nothing."""
_LOG_POLL = 0.15
_RAW_LIMIT = 1 << 17
"""Characters of a line as it was received: more than is kept of one."""
_PAGE = 1000
_MOST_CHANGES = 6
_TRIES = 3
_TRY_SECONDS = 2.0
_TINTS = {"×": "×", "?": "!", "→": "●", "›": ""}
"""Of labels, by their signs, in whose colour; all others are dim."""
_QUIET = {StepStatus.PENDING, StepStatus.READY, StepStatus.CANCELLED}
_ASKED = re.compile(r"run (paused|cancelled|resumed)\b.*")
_WORDS = {StepStatus.RUNNING: "started", StepStatus.RETRYING: "retries"}


class Keeper:
    """Starts an engine for a run that has work and none, and sees when that does not help.

    `tell` is given the row of a run whose engine has died, and what is done about it.
    """

    def __init__(
        self, root: Path, run: str, tell: Callable[[RunRow, str], None] | None = None
    ) -> None:
        self._root = root
        self._run = run
        self._tell = tell or _note_interrupted
        self._lost = False
        self._frame = -1
        self._tries = 0
        self._next = 0.0

    def see(self, row: RunRow) -> bool:
        """Say once that the engine is gone, and bring it back. Whether the run is in good hands."""
        before, self._lost = self._lost, row.status is RunStatus.INTERRUPTED
        if not self._lost:
            return True
        from smithers.service import control  # noqa: PLC0415

        what_next = f"next: smithers resume {row.id}"
        try:
            hope = control.brings_back(self._root)
        except SmithersError as error:
            hope, what_next = False, f"not brought back: {where.clean(str(error))}"
        if not before:
            self._tell(row, "it is brought back" if hope else what_next)
        return hope and self.revive(row.frame)

    def revive(self, frame: int) -> bool:
        """Whether there is hope: a try is due or under way, or a new frame came since the last."""
        now = time.monotonic()
        if frame != self._frame:
            self._frame, self._tries = frame, 0
        if now < self._next:
            return True
        if self._tries == _TRIES:
            return False
        from smithers.service import control  # noqa: PLC0415

        self._next = now + _TRY_SECONDS
        try:
            hope = control.ensure_engine(self._root, self._run)
        except SmithersError as error:
            hope = False
            printing.note(f"no engine: {where.clean(str(error))}")
        # Engines that come up and die are counted where they claim, and end at a gate.
        self._tries += not hope
        return True


def next_change(db: reading.Directory, longest: float = LOOK_ANYWAY) -> None:
    """Return at the next commit, or after so many seconds."""
    end = time.monotonic() + longest
    while (left := end - time.monotonic()) > 0 and not reading.changed(db):
        time.sleep(min(POLL, left))


def logs(args: Namespace) -> int:
    """Lines of all attempts in order, or of those of a step; with -f, of those still to come."""
    if args.attempt is not None and args.step is None:
        raise UsageError(
            "--attempt needs a STEP", next=f"smithers logs {args.run} STEP --attempt 1"
        )
    here, db, run = where.open_run(args.run)
    printer = _LogPrinter(db, run, args)
    keeper = Keeper(here, run)
    view = reading.run(db, run)
    printer.begin(view)
    while args.follow and not view.row.status.ended:
        next_change(db, _LOG_POLL)
        view = reading.run(db, run)
        printer.print_new(view)
        keeper.see(view.row)
    printer.end()
    return 0


class _LogPrinter:
    """Knows how far each attempt's log has been printed."""

    def __init__(self, db: reading.Directory, run: str, args: Namespace) -> None:
        self._db = db
        self._run = run
        self._step: str | None = args.step
        self._attempt: int | None = args.attempt
        self._json: bool = args.json
        self._raw: bool = args.raw
        self._document: bool = args.json and not args.follow
        self._printed: dict[tuple[str, int], int] = {}
        self._complete: set[tuple[str, int]] = set()
        self._lines = 0

    def begin(self, view: RunView) -> None:
        _attempts(view, self._step, self._attempt)  # a mistake must not show in mid-document
        if self._document:
            sys.stdout.write(f'{{"run": {json.dumps(self._run)}, "lines": [')
        self.print_new(view)

    def end(self) -> None:
        if self._document:
            sys.stdout.write("]}\n")
        if self._lines == 0:
            printing.note(f"no log lines yet. next: smithers why {self._run}")

    def print_new(self, view: RunView) -> None:
        for key, attempt in _attempts(view, self._step, self._attempt):
            place = (key, attempt.n)
            if place in self._complete:
                continue
            for line in self._new(key, attempt.n):
                self._print(key, attempt.n, line)
            if attempt.finished_at is not None:
                self._complete.add(place)
        sys.stdout.flush()

    def _new(self, key: str, n: int) -> Iterator[LogLine]:
        after = self._printed.get((key, n), 0)
        while page := reading.log(
            self._db, self._run, key, n, after=after, limit=_PAGE, raw=self._raw
        ):
            yield from page
            after = self._printed[key, n] = page[-1].n

    def _print(self, key: str, n: int, line: LogLine) -> None:
        self._lines += 1
        if self._json:
            form = forms.log_line(key, n, line, raw=self._raw)
            comma = ", " if self._document and self._lines > 1 else ""
            end = "" if self._document else "\n"
            sys.stdout.write(f"{comma}{json.dumps(form)}{end}")
            return
        if self._raw:
            self._print_received(line.raw)
            return
        prefix = "" if self._step == key else f"{key}  "
        sys.stdout.write(f"{printing.clock_time(line.at)} {prefix}{log_text(line)}\n")

    def _print_received(self, raw: str | None) -> None:
        """As it was into a pipe, cleaned on a terminal; once where several lines came of it."""
        if raw is None:
            return
        if sys.stdout.isatty():
            printing.out(safe.clean(raw, strict=True, limit=_RAW_LIMIT))
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(_bytes(raw) + b"\n")


def _bytes(received: str) -> bytes:
    """As they were; of what is in no bytes, since an escape in JSON named it, that escape."""
    try:
        return received.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return received.encode("utf-8", "backslashreplace")


def log_text(line: LogLine, stream: TextIO | None = None) -> str:
    """A line of a log without its time: what it is, and its words."""
    label = transcript.label(line)
    tint = _TINTS.get(label.sign, "dim")
    return f"{printing.tint(label.text.ljust(transcript.WIDTH), tint, stream)} {line.text}"


def _attempts(
    view: RunView, name: str | None, number: int | None
) -> Sequence[tuple[str, AttemptView]]:
    """The attempts meant, in the order in which they began."""
    steps = view.steps if name is None else where.pick_steps(view, name)
    found = [(step.key, attempt) for step in steps for attempt in step.attempts]
    if number is not None:
        found = [(key, attempt) for key, attempt in found if attempt.n == number]
        if not found:
            raise UsageError(
                f"{steps[-1].key} has no attempt {number}", next=f"smithers inspect {view.row.id}"
            )
    return sorted(found, key=lambda each: each[1].started_at)


def events(args: Namespace) -> int:
    """The frames of a run; with -f, those still to come."""
    here, db, run = where.open_run(args.run)
    if args.json and not args.follow:
        forms.emit({"run": run, "events": [forms.frame(each) for each in _frames(db, run, 0)]})
        return 0

    keeper = Keeper(here, run, _frame_of_death if args.json else _line_of_death)
    after = 0
    while True:
        row = reading.run(db, run).row
        if args.json:
            for each in _frames(db, run, after):
                forms.emit(forms.frame(each))
                after = each.n
        else:
            after = print_frames(db, run, after, printing.out)
        if not args.follow or row.status.ended:
            return 0
        keeper.see(row)
        next_change(db)


def _frame_of_death(row: RunRow, _what_next: str) -> None:
    """A death is in no frame: it is told between them."""
    why = f"{row.status}: {row.status_reason}"
    told: forms.Form = {"frame": row.frame, "at": iso(SYSTEM.now()), "why": why, "changes": []}
    forms.emit({**told, "status": row.status.value})


def _line_of_death(row: RunRow, what_next: str) -> None:
    printing.out(_death(row, what_next))


def _note_interrupted(row: RunRow, what_next: str) -> None:
    printing.note(_death(row, what_next))


def _death(row: RunRow, what_next: str) -> str:
    sign, at = printing.RUN_SIGNS[row.status], printing.clock_time(SYSTEM.now())
    return f"{sign} {at} {row.id} {row.status}: {row.status_reason}. {what_next}"


def print_frames(db: reading.Directory, run: str, after: int, say: Callable[[str], None]) -> int:
    """Say each frame after one in a line. Returns the last one said."""
    for frame in _frames(db, run, after):
        say(frame_line(frame))
        after = frame.n
    return after


def _frames(db: reading.Directory, run: str, after: int) -> Iterator[FrameView]:
    while page := reading.frames(db, run, after=after, limit=_PAGE):
        yield from page
        after = page[-1].n


def frame_line(frame: FrameView) -> str:
    """`12 10:02:11 build[2]/checks failed → build[3]/code started`."""
    loud = _loud(frame)
    shown = [_change(change) for change in loud[:_MOST_CHANGES]]
    if len(loud) > _MOST_CHANGES:
        shown.append(f"{len(loud) - _MOST_CHANGES} more")
    asked = _ASKED.search(frame.why)
    if shown and asked:
        shown.append(asked[0])
    text = " → ".join(shown) or frame.why
    return f"{frame.n} {printing.clock_time(frame.at)} {text}"


def _loud(frame: FrameView) -> list[Change]:
    """What is worth a word: first what ended, from the inside out, then what that led to."""
    quiet = set(_QUIET)
    if any(change.status is StepStatus.FAILED for change in frame.changes):
        quiet.add(StepStatus.SKIPPED)
    loud = [change for change in frame.changes if change.status not in quiet]
    return sorted(loud, key=_place)


def _place(change: Change) -> tuple[bool, int]:
    depth = change.key.count("/")
    return (False, -depth) if change.status.ended else (True, depth)


def _change(change: Change) -> str:
    return f"{change.key} {_WORDS.get(change.status, change.status.value)}"


def diff(args: Namespace) -> int:
    """The patch between two named sides: as git wrote it into a pipe, cleaned on a terminal."""
    if args.attempt is not None and args.step is None:
        raise UsageError(
            "--attempt needs a STEP", next=f"smithers diff {args.run} STEP --attempt 1"
        )
    _, db, run = where.open_run(args.run)
    view = reading.diff(db, run, args.step, args.attempt)
    if args.json:
        forms.emit(forms.diff(run, view, patch=not args.stat))
        return 0
    sides = f"{view.left} → {view.right}" if view.left else ""
    printing.note(": ".join(part for part in (sides, view.note) if part))
    if args.stat:
        _print_stat(view)
    elif sys.stdout.isatty():
        for line in printing.coloured_patch(view.patch):
            printing.out(line)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(view.raw.encode("utf-8", "surrogateescape"))
    return 0


def _print_stat(view: DiffView) -> None:
    rows = [
        (each.status, each.path, "binary" if each.binary else f"+{each.added} -{each.removed}")
        for each in view.files
    ]
    for line in printing.table(rows, least=(1, 10, 6), width=screen_width()):
        printing.out(line)
    added, removed = (sum(each.added for each in view.files), sum(e.removed for e in view.files))
    printing.out(f"{printing.plural(len(view.files), 'file')}, +{added} -{removed}")


def output(args: Namespace) -> int:
    """The value of a step: words as they are, anything else as JSON."""
    _, db, run = where.open_run(args.run)
    value = reading.output(db, run, args.step)
    if args.json:
        forms.emit({"run": run, "step": _key(db, run, args.step), "output": value})
    elif isinstance(value, str):
        printing.out(where.clean(value))
    else:
        printing.out(forms.pretty(value))
    return 0


def _key(db: reading.Directory, run: str, name: str) -> str:
    """The step that a name stands for; an iteration, which is none, as it was given."""
    try:
        return reading.step_key(db, run, name)
    except UsageError:
        return name
