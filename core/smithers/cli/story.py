"""A run told as it goes, for somebody who sees one for the first time; and its summary."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from smithers.cli import forms, printing, record, where
from smithers.model.step import AttemptStatus, StepKind, StepStatus, generic
from smithers.service import reading
from smithers.service.views import AttemptView, LogLine, RunView, StepView

_PAGE = 200
_END = "\n"
_SIGNS = {
    AttemptStatus.SUCCEEDED: "✓",
    AttemptStatus.FAILED: "×",
    AttemptStatus.INTERRUPTED: "~",
}


class Teller:
    """Says each attempt once as it begins, what its agent says, and how it ended."""

    def __init__(
        self,
        db: reading.Directory,
        run: str,
        say: Callable[[str], None],
        *,
        all_of_it: bool = False,
    ) -> None:
        """`all_of_it`: what its agents do as well, and what commands print."""
        self._db = db
        self._run = run
        self._say = say
        self._all_of_it = all_of_it
        self._read: dict[tuple[str, int], int] = {}
        self._ended: set[tuple[str, int]] = set()

    def tell(self, view: RunView) -> None:
        """Say what is new since the last time."""
        tries = [(step, attempt) for step in view.steps for attempt in step.attempts]
        for step, attempt in sorted(tries, key=lambda each: each[1].started_at):
            place = (step.key, attempt.n)
            if place in self._ended:
                continue
            if place not in self._read:
                self._read[place] = 0
                again = f", attempt {attempt.n}" if attempt.n > 1 else ""
                self._say(f"● {step.key}  {step.title}{again}")
            self._tell_words(step, attempt.n)
            if attempt.finished_at is not None:
                self._ended.add(place)
                self._say(_ending(step, attempt, self._said(step)))

    def _said(self, step: StepView) -> str:
        """What a reviewer decided: an attempt that succeeded can well say no."""
        if not _reviewed(step):
            return ""
        _, approved, words = _verdict(self._db, self._run, step)
        return ", and signed off" if approved else f", and said no: {words.split(_END)[0]}"

    def _tell_words(self, step: StepView, n: int) -> None:
        place = (step.key, n)
        while page := reading.log(
            self._db, self._run, step.key, n, after=self._read[place], limit=_PAGE
        ):
            self._read[place] = page[-1].n
            for line in page:
                if self._all_of_it:
                    self._tell_all(line)
                elif step.kind is StepKind.TASK and line.kind == "text":
                    for each in printing.wrapped(line.text, indent=4):
                        self._say(each)

    def _tell_all(self, line: LogLine) -> None:
        if line.kind != "prompt":  # known, and told again with each repair
            self._say(f"    {record.log_text(line, sys.stderr)}".rstrip())


def _ending(step: StepView, attempt: AttemptView, verdict: str) -> str:
    sign = _SIGNS.get(attempt.status, "⊘")
    time = printing.took(attempt.started_at, attempt.finished_at)
    error = attempt.error.split("\n")[-1]
    reason = f": {error}" if error else verdict
    line = f"{sign} {step.key} {attempt.status} after {time}{reason}"
    return "\n".join(printing.wrapped(line, hang=2))


@dataclass(frozen=True, slots=True)
class Happened:
    """The run in its numbers and turns."""

    iterations: int
    red: tuple[str, ...]
    """Checks that failed."""
    refused: tuple[tuple[str, str], ...]
    """Reviews that said no, each with its reason."""
    signed: tuple[str, ...]
    """Reviews that said yes."""
    interrupted: tuple[str, ...]
    """Steps of which an attempt died with its engine."""
    ended: str

    def form(self) -> forms.Form:
        return {
            "iterations": self.iterations,
            "red_checks": list(self.red),
            "rejections": [{"step": step, "feedback": words} for step, words in self.refused],
            "signed_off": list(self.signed),
            "interrupted": list(self.interrupted),
        }

    def lines(self) -> list[str]:
        lines = [
            f"What happened: {self.ended}, in {printing.plural(self.iterations, 'iteration')}."
        ]
        lines += [f"  × {key} was red; the next prompt held the failure" for key in self.red]
        for key, words in self.refused:
            lines += printing.wrapped(f"× {key} said no: {words}", indent=2, hang=2)
        lines += [f"  ✓ {key} signed off" for key in self.signed]
        lines += [f"  ~ {key} was interrupted, and tried again" for key in self.interrupted]
        return lines


def summarise(db: reading.Directory, view: RunView) -> Happened:
    """What a run of `implement` went through."""
    verdicts = [_verdict(db, view.row.id, step) for step in view.steps if _reviewed(step)]
    return Happened(
        iterations=max((step.iteration or 0 for step in view.steps), default=0),
        red=tuple(
            step.key
            for step in view.steps
            if step.kind is StepKind.CHECK and step.status is StepStatus.FAILED
        ),
        refused=tuple((key, words) for key, approved, words in verdicts if not approved),
        signed=tuple(key for key, approved, _ in verdicts if approved),
        interrupted=tuple(
            step.key
            for step in view.steps
            if any(each.status is AttemptStatus.INTERRUPTED for each in step.attempts)
        ),
        ended=f"the run {view.row.status}" if view.row.status.ended else f"it is {view.row.status}",
    )


def _reviewed(step: StepView) -> bool:
    return generic(step.key).endswith("review") and step.status is StepStatus.SUCCEEDED


def _verdict(db: reading.Directory, run: str, step: StepView) -> tuple[str, bool, str]:
    value = reading.output(db, run, step.key)
    if not isinstance(value, dict):
        return step.key, False, ""
    return step.key, value.get("approved") is True, where.clean(str(value.get("feedback", "")))
