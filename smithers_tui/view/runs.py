"""The list of runs: its columns, its merged pages, and what may be done to a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override

from smithers.model.run import RunStatus
from smithers.service.views import GateView, RunRow, Safe, Summary
from smithers_tui.view.line import BLANK, Line, Span, cut, fit, own, say
from smithers_tui.view.state import Mark, of_run, of_run_status
from smithers_tui.view.times import age, money

STATE = 13
"""Cells of the column for sign and word."""
ID = 14
STEP = 20
BAR = 6


@dataclass(frozen=True, slots=True)
class Columns:
    """What the row has room for, by the width of the pane."""

    title: int
    step: int
    recipe: int = 0
    bar: int = 0
    cost: int = 0

    @classmethod
    def of(cls, cells: int) -> Columns:
        # Left edge, state, id, age and the gaps between are always there.
        room = cells - (3 + STATE + 1 + ID + 1 + 1 + 5)
        cost = 8 if room >= 42 else 0
        bar = BAR + 1 if room >= 60 else 0
        recipe = 13 if room >= 76 else 0
        room -= cost + bar + recipe
        step = STEP if room >= 2 * STEP else max(10, room * 2 // 5)
        return cls(title=max(8, room - step), step=step, recipe=recipe, bar=bar, cost=cost)


def header(cells: int) -> Line:
    at = Columns.of(cells)
    words = (
        "  "
        + fit(own("STATE"), STATE + 1)
        + fit(own("RUN"), ID + 1)
        + fit(own("RECIPE"), at.recipe)
        + fit(own("TASK"), at.title + 1)
        + fit(own("STEP"), at.step + at.bar)
        + fit(own("AGE"), 5, right=True)
        + fit(own("COST"), at.cost, right=True)
    )
    return (say(words, "head"),)


def row(run: RunRow, cells: int, now: int) -> Line:
    at = Columns.of(cells)
    mark = of_run(run)
    ended = run.status.ended
    soft = "dim" if ended else ""
    spans = [
        say("  "),
        say(fit(own(f"{mark.sign} {mark.word}"), STATE + 1), mark.role),
        Span(fit(cut(run.id, ID), ID + 1), "dim" if ended else "id"),
    ]
    if at.recipe:
        spans.append(Span(fit(cut(run.recipe, at.recipe - 1), at.recipe), "dim"))
    title = run.title or run.recipe
    spans.append(Span(fit(cut(title, at.title), at.title + 1), soft))
    spans.append(Span(fit(cut(_step(run), at.step - 1), at.step), "dim"))
    if at.bar:
        spans.append(say(bar(run, BAR), mark.role))
        spans.append(say(" "))
    spans.append(say(fit(own(age(now - run.created_at)), 5, right=True), soft))
    if at.cost:
        spans.append(say(fit(own(money(run.usage.cost_usd)), at.cost, right=True), "dim"))
    return tuple(spans)


def _step(run: RunRow) -> Safe:
    done = f"{run.counts.done}/{run.counts.total}"
    return own(f"{done} {run.now}" if run.now else done)


_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(run: RunRow, cells: int) -> str:
    """Progress in eighths of a cell."""
    if not run.counts.total:
        return " " * cells
    eighths = run.counts.done * cells * 8 // run.counts.total
    full, part = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[part] if part else "")
    return text[:cells].ljust(cells, "░" if not run.status.ended else " ")


def totals(summary: Summary | None) -> Line:
    """`●3 running  !2 need you  ×1 failed  ✓212 done`."""
    if summary is None:
        return BLANK
    parts = (
        (Mark("!", "need you", "ask"), summary.need_you),
        (of_run_status(RunStatus.RUNNING), summary.running),
        (of_run_status(RunStatus.FAILED), summary.failed),
        (of_run_status(RunStatus.SUCCEEDED), summary.done),
    )
    spans: list[Span] = []
    for mark, count in parts:
        if spans:
            spans.append(say("  "))
        role = mark.role if count else "faint"
        spans.append(say(f"{mark.sign} {count:,} {mark.word}", role))
    return tuple(spans)


def short_totals(summary: Summary | None) -> Line:
    """`!2 ●3 ×1 ✓212`, for a narrow window."""
    if summary is None:
        return BLANK
    return (
        say(f"!{summary.need_you}", "ask" if summary.need_you else "faint"),
        say(f"  ●{summary.running}", "run" if summary.running else "faint"),
        say(f"  ×{summary.failed}", "bad" if summary.failed else "faint"),
        say(f"  ✓{summary.done:,}", "ok" if summary.done else "faint"),
    )


def needs(gates: Sequence[GateView], lost: Sequence[RunRow], cells: int, now: int) -> list[Line]:
    """The lines of the strip: gates first, the oldest on top, then runs without an engine."""
    lines = [_need_gate(gate, cells, now) for gate in gates]
    lines.extend(_need_lost(run, cells) for run in lost)
    return lines


def _need(sign: str, run: Safe, what: Safe, since: str, keys: str, cells: int) -> Line:
    right = f"{since:>5}   {keys}"
    room = cells - 14 - ID - 1 - len(right) - 2
    return (
        say(fit(own(sign), 14), "ask" if sign.startswith("!") else "warn"),
        Span(fit(cut(run, ID), ID + 1), "id"),
        Span(fit(what, room), ""),
        say("  " + right, "dim"),
    )


def _need_gate(gate: GateView, cells: int, now: int) -> Line:
    what = own(f"{gate.step}  {gate.title}") if gate.title else gate.step
    word = (
        "! approve" if gate.kind.value == "approval" else f"! {gate.kind.value.replace('_', ' ')}"
    )
    return _need(word, gate.run, what, age(now - gate.opened_at), "a look", cells)


def _need_lost(run: RunRow, cells: int) -> Line:
    what = own(f"{run.now or run.title}  its engine is gone")
    return _need("~ interrupted", run.id, what, "", "r resume", cells)


def merge(
    known: Sequence[RunRow], read: Sequence[RunRow], before: int | None, limit: int
) -> list[RunRow]:
    """The rows known, newest first without holes, with a page read anew laid over them.

    A page speaks for all from `before` down to its last row; if it is not full, to the end.
    """
    low = read[-1].seq if len(read) == limit else 0
    above = [row for row in known if before is not None and row.seq >= before]
    below = [row for row in known if row.seq < low]
    if not read:
        return above
    if known and not above and not below and low > known[0].seq:
        return list(read)
    if below and low > known[0].seq:
        # More new runs than a page holds: what is below would leave a hole.
        return list(read)
    return [*above, *read, *below]


_OVER = "it is over: "


def why_not(verb: str, run: RunRow) -> str:
    """Why a verb makes no sense for a run, or an empty string."""
    status = run.status
    if status.ended:
        hint = (
            f"; smithers retry {run.id} STEP tries a step again"
            if verb == "resume" and status is RunStatus.FAILED
            else ""
        )
        return f"{_OVER}{of_run_status(status).word}{hint}"
    if verb == "pause" and status is RunStatus.PAUSED:
        return "it is paused already: r resumes"
    if verb == "resume" and status not in {
        RunStatus.PAUSED,
        RunStatus.INTERRUPTED,
        RunStatus.QUEUED,
    }:
        return f"it is {of_run(run).word}: nothing to resume"
    if verb == "look" and not run.open_gates:
        return "it asks for nothing"
    return ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs a list shows: statuses are asked of the directory, words looked for in rows."""

    statuses: tuple[RunStatus, ...] = ()
    words: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Filter:
        """`failed`, `running paused`, `login`; `done` and `state:` are understood."""
        statuses: list[RunStatus] = []
        words: list[str] = []
        for token in text.lower().split():
            name = token.removeprefix("state:").removeprefix("status:")
            name = {"done": "succeeded", "approve": "waiting", "lost": "interrupted"}.get(
                name, name
            )
            if name in set(RunStatus):
                statuses.append(RunStatus(name))
            else:
                words.append(token)
        return cls(tuple(dict.fromkeys(statuses)), tuple(words))

    def fits(self, run: RunRow) -> bool:
        text = f"{run.id} {run.recipe} {run.title} {run.now} {run.status_reason}".lower()
        return all(word in text for word in self.words)

    @override
    def __str__(self) -> str:
        return " ".join([*(status.value for status in self.statuses), *self.words])
