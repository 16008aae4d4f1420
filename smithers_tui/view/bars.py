"""The line above every place and the two below it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from smithers.service.views import Safe
from smithers_tui.actions import Action
from smithers_tui.view.line import BLANK, Line, Span, crop, line_width, own, say, spread


def title(crumbs: Iterable[Safe], facts: Line, right: Line, cells: int) -> Line:
    """` smithers ▸ shop-api ▸ …` on the left, totals on the right."""
    spans: list[Span] = [say(" ")]
    names = list(crumbs)
    for n, name in enumerate(names):
        if n:
            spans.append(say(" ▸ ", "faint"))
        spans.append(Span(name, "brand" if n == 0 else "bold" if n == len(names) - 1 else ""))
    if facts:
        spans.append(say("   "))
        spans.extend(facts)
    return spread(tuple(spans), (*right, say(" ")) if right else BLANK, cells)


def light(*, live: bool, at: str) -> Line:
    """Whether what is shown is true now; never silently stale."""
    if live:
        return (say("● ", "ok"), say("live", "dim"))
    return (Span(own(f"× last known state {at}"), "bad"),)


def keys(
    actions: Iterable[Action], off: Collection[str], always: Iterable[Action], cells: int
) -> Line:
    """Keys with their labels, as many as fit; the last ones always."""
    end: list[Span] = []
    for action in always:
        end.extend(_key(action, dim=False))
    right = tuple(end)
    room = cells - line_width(right) - 1
    spans: list[Span] = [say(" ")]
    used = 1
    for action in actions:
        if not action.label:
            continue
        pair = _key(action, dim=action.id in off)
        size = line_width(pair)
        if used + size > room:
            break
        spans.extend(pair)
        used += size
    return spread(tuple(spans), right, cells)


def _key(action: Action, *, dim: bool) -> Line:
    if dim:
        return (say(f"{action.shown} {action.label}  ", "faint"),)
    return (say(action.shown, "key"), say(f" {action.label}  ", "dim"))


def said(what: Safe, role: str, cli: Safe, cells: int) -> Line:
    """What was done last, and the command that does the same."""
    left: Line = (say(" "), Span(what, role))
    right: Line = (say("$ ", "faint"), Span(cli, "cmd"), say(" ")) if cli else BLANK
    if line_width(left) + line_width(right) + 2 > cells:
        return crop((*left, say("  "), *right), cells)
    return spread(left, right, cells)
