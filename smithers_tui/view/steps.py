"""A run's steps as a tree, its frames, its attempts, and the preview of all that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smithers.model.step import StepKind, StepStatus
from smithers.service.views import (
    AttemptView,
    FrameView,
    LogLine,
    RunView,
    Safe,
    StepView,
    Waiting,
)
from smithers_tui.view.line import BLANK, Line, Span, crop, cut, fit, own, say, spread, tail, wrap
from smithers_tui.view.logs import short as log_line
from smithers_tui.view.state import of_attempt, of_reason, of_run, of_step, of_step_status
from smithers_tui.view.times import clock, duration, money, tokens


@dataclass(frozen=True, slots=True)
class Branch:
    """A row of the tree: a step, or the heading of one turn of a loop."""

    depth: int
    label: Safe
    step: StepView | None
    last: bool = False


def tree(steps: Sequence[StepView]) -> list[Branch]:
    """Steps in plan order, each loop's turns under a heading of their own."""
    branches: list[Branch] = []
    opened: set[str] = set()
    for step in steps:
        if step.scope and step.scope.endswith("]") and step.scope not in opened:
            opened.add(step.scope)
            depth = 2 * step.scope.count("/") + 1
            turn = step.scope.rsplit("[", 1)[1].rstrip("]")
            branches.append(Branch(depth, own(f"turn {turn}"), None))
        branches.append(Branch(_depth(step), own(step.key.rsplit("/", 1)[-1]), step))
    return branches


def _depth(step: StepView) -> int:
    scope: str = step.scope
    if not scope:
        return 0
    return 2 * (scope.count("/") + 1)


def branch_line(branch: Branch, cells: int, now: int) -> Line:
    pad = "  " * branch.depth
    step = branch.step
    if step is None:
        return (say(f" {pad}"), Span(branch.label, "dim"))
    mark = of_step(step)
    soft = "faint" if step.status in {StepStatus.PENDING, StepStatus.SKIPPED} else ""
    left = (
        say(f" {pad}{mark.sign} ", mark.role),
        Span(branch.label, soft or "bold"),
        say(f"  {step.kind.value}", "faint"),
        say("  gone from the plan", "warn") if step.gone else say(""),
    )
    return spread(left, _step_facts(step, now), cells - 1)


def _step_facts(step: StepView, now: int) -> Line:
    """Word, tries and time, right-aligned."""
    spans: list[Span] = []
    tries = len(step.attempts)
    if tries > 1:
        spans.append(say(f"↻{tries - 1} ", "warn"))
    mark = of_step(step)
    if step.status is StepStatus.RETRYING and step.wake_at is not None:
        spans.append(say(f"retry in {duration(step.wake_at - now)}", "warn"))
    elif step.attempts and step.status not in {StepStatus.PENDING, StepStatus.READY}:
        if step.status is not StepStatus.SUCCEEDED:
            spans.append(say(f"{mark.word} ", mark.role))
        spans.append(say(f"{duration(spent(step, now)):>6}", "dim"))
    else:
        spans.append(say(mark.word, mark.role))
    return tuple(spans)


def spent(step: StepView, now: int) -> int:
    """Milliseconds of all attempts together."""
    return sum((each.finished_at or now) - each.started_at for each in step.attempts)


def frame_line(frame: FrameView, cells: int) -> Line:
    left = (
        say(f"{frame.n:>5} ", "faint"),
        say(f"{clock(frame.at)} ", "dim"),
        Span(frame.why, ""),
    )
    return crop(left, cells)


def frame_changes(frame: FrameView) -> Line:
    """`build[2]/code ● running  ship ! waiting`."""
    spans: list[Span] = []
    for change in frame.changes:
        mark = of_step_status(change.status)
        spans.append(Span(own(f"{mark.sign} {change.key} {mark.word}  "), mark.role))
    return tuple(spans)


def _who(cells: int) -> int:
    """Cells for agent and model: what the other columns of an attempt leave."""
    return max(10, min(24, cells - 61))


def attempt_head(cells: int) -> Line:
    words = (
        f"{'#':>3}  {'STATE':<15}{'AGENT':<{_who(cells)}} {'STARTED':<8}  {'TOOK':>6}  "
        f"{'EXIT':>4}  {'TOKENS':<8}{'COST':>7}"
    )
    return (say(words, "head"),)


def attempt_lines(attempt: AttemptView, cells: int, now: int) -> list[Line]:
    """The facts on one line, the error below it."""
    mark = of_attempt(attempt.status)
    who = own(f"{attempt.agent} {attempt.model}".strip() or "-")
    took = duration((attempt.finished_at or now) - attempt.started_at)
    used = attempt.usage
    counted = "/".join(filter(None, (tokens(used.input_tokens), tokens(used.output_tokens))))
    code = "" if attempt.exit_code is None else str(attempt.exit_code)
    facts: Line = (
        say(f"{attempt.n:>3}  "),
        say(fit(own(f"{mark.sign} {mark.word}"), 15), mark.role),
        Span(fit(who, _who(cells)), ""),
        say(f" {clock(attempt.started_at)}  {took:>6}  {code:>4}  {counted:<8}", "dim"),
        say(f"{money(used.cost_usd):>7}", "dim"),
    )
    lines = [crop(facts, cells)]
    if attempt.error:
        words = wrap(attempt.error, cells - 6, limit=3)
        lines.extend((say("     "), Span(row, "bad")) for row in words)
    return lines


def reason(waiting: Waiting) -> tuple[Span, Safe]:
    """Sign and words for one thing that a run waits for."""
    mark = of_reason(waiting.kind)
    words: str = waiting.text or mark.word
    if waiting.kind in {"failed", "timer", "blocked", "edited"} and waiting.step:
        words = f"{waiting.step}: {words}"
    elif waiting.kind in {"paused", "interrupted", "running"}:
        words = f"{mark.word}: {words}" if waiting.text else mark.word
    return say(f"{mark.sign} ", mark.role), own(words)


def waiting_lines(waiting: Sequence[Waiting], cells: int) -> list[Line]:
    """What the run waits for, and the command that clears it."""
    lines: list[Line] = []
    for each in waiting:
        sign, text = reason(each)
        words = wrap(text, cells - 2, limit=2)
        lines.append((sign, Span(words[0], "")))
        lines.extend((say("  "), Span(row, "")) for row in words[1:])
        if each.next:
            lines.append((say("  "), Span(cut(each.next, cells - 2), "cmd")))
    return lines


def preview(run: RunView, log: Sequence[LogLine], cells: int, rows: int, now: int) -> list[Line]:
    """All that helps to decide whether to open the run, in the rows there are."""
    head = _head(run, cells, now)
    asked = [each for each in run.waiting_on if each.kind != "running"]
    waiting = waiting_lines(asked[:2], cells)
    output = [log_line(each, cells) for each in log[-8:]]
    used = len(head) + len(waiting) + len(output) + 4
    steps = _steps(run, cells, max(3, rows - used), now)
    lines = [*head, rule(cells), *steps]
    if waiting:
        lines.extend([rule(cells), *waiting])
    if output:
        lines.extend([rule(cells), *output])
    return lines[:rows]


def rule(cells: int) -> Line:
    return (say("─" * cells, "rule"),)


def _head(run: RunView, cells: int, now: int) -> list[Line]:
    row = run.row
    mark = of_run(row)
    lines: list[Line] = [
        (Span(text, "bold"),) for text in wrap(row.title or row.recipe, cells, limit=2)
    ]
    state = (say(f"{mark.sign} {mark.word}", mark.role), Span(own(f"  {row.status_reason}"), "dim"))
    end = row.finished_at or now
    spent_so_far = duration(end - (row.started_at or row.created_at))
    cost = money(row.usage.cost_usd)
    lines.append(spread(state, (say(f"{cost}  {spent_so_far}".strip(), "dim"),), cells))
    lines.append(pair("recipe", row.recipe, cells))
    lines.append(pair("where", tail(run.workspace, cells - 8), cells))
    if run.branch:
        lines.append(pair("branch", run.branch, cells))
    if run.error:
        lines.extend((Span(text, "bad"),) for text in wrap(run.error, cells, limit=2))
    return lines


def pair(name: str, value: Safe, cells: int) -> Line:
    return (say(f"{name:<8}", "dim"), Span(cut(value, cells - 8), ""))


def _steps(run: RunView, cells: int, rows: int, now: int) -> list[Line]:
    """As many rows of the tree as fit, around the step where things happen."""
    branches = tree(run.steps)
    at = next(
        (n for n, each in enumerate(branches) if each.step and each.step.key == run.row.now), 0
    )
    first = max(0, min(at - rows // 2, len(branches) - rows))
    return [branch_line(each, cells, now) for each in branches[first : first + rows]]


def active(run: RunView) -> StepView | None:
    """The step to look at first: the one that runs, waits or failed; else the last that ran."""
    by_key = {step.key: step for step in run.steps}
    if run.row.now in by_key:
        return by_key[run.row.now]
    tried = [step for step in run.steps if step.attempts and step.kind is not StepKind.APPROVAL]
    return tried[-1] if tried else next(iter(run.steps), None)


def facts(run: RunView, cells: int, now: int) -> Line:
    """The line under the title of a run."""
    row = run.row
    parts: list[str] = [f"{row.counts.done}/{row.counts.total} steps"]
    if row.started_at:
        parts.append(duration((row.finished_at or now) - row.started_at))
    if row.usage.cost_usd is not None:
        parts.append(money(row.usage.cost_usd))
    if row.usage.output_tokens is not None and cells >= 100:
        parts.append(f"{tokens(row.usage.input_tokens)} in {tokens(row.usage.output_tokens)} out")
    if run.branch and cells >= 140:
        parts.append(run.branch)
    return crop((say(" " + "  ·  ".join(parts), "dim"),), cells) if parts else BLANK
