"""What an approval shows: who asks, why, under which policy, and the exact bytes it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from smithers.model.gate import GateKind, Remember
from smithers.service.views import GateView, Safe
from smithers_tui.view.diffs import GUTTER, DiffLine, parse
from smithers_tui.view.diffs import row as diff_row
from smithers_tui.view.line import BLANK, Line, Span, chop, cut, fit, own, say, spread, width, wrap
from smithers_tui.view.times import age, clock

_POLICY = {
    "anyone": "anyone may decide, the driving agent too",
    "person": "a person must decide: here, or at a terminal",
    "signed": "needs a signature: smithers approve at a terminal",
}

_KINDS = {
    GateKind.APPROVAL: "approval",
    GateKind.NO_PROGRESS: "a loop that makes no progress",
    GateKind.EXHAUSTED: "a loop at its bound",
    GateKind.BUDGET: "a budget that is used up",
    GateKind.CRASHES: "engines that died at the same place",
    GateKind.PERMISSION: "an agent that asks for permission",
}

_SCOPES = {
    Remember.ONCE: ("once", "exactly what is shown, in the next attempt"),
    Remember.STEP: ("this step", "in all turns of this step"),
    Remember.RUN: ("this run", "in all steps of this run"),
    Remember.RECIPE: ("this recipe", "in all runs of this recipe, later ones too"),
}
_SAME = {
    "shell": "this very command",
    "edit": "any change to this file",
    "read": "reading this",
    "fetch": "this address",
}


@dataclass(frozen=True, slots=True)
class Key:
    """Which gate, and which content of it. Another content is another thing to look at."""

    run: str
    gate: str
    digest: str


def key(gate: GateView) -> Key:
    return Key(gate.run, gate.id, gate.digest)


def same(one: GateView, other: GateView) -> bool:
    """Whether both are of one gate, whatever its content is."""
    return (one.run, one.id) == (other.run, other.id)


def item(gate: GateView, cells: int, now: int) -> list[Line]:
    """Two rows of the list on the left."""
    if gate.decision is None:
        sign: Span = say(" ! ", "ask")
        since = age(now - gate.opened_at)
    else:
        good = gate.decision.answer == "approve"
        sign = say(" ✓ " if good else " × ", "ok" if good else "bad")
        since = "decided"
    title = gate.title or gate.step
    room = cells - 3 - len(since) - 2
    first: Line = (sign, Span(fit(title, room), "bold"), say(f" {since} ", "dim"))
    second: Line = (say("   "), Span(cut(own(f"{gate.run}  {gate.step}"), cells - 4), "dim"))
    return [first, second]


def facts(gate: GateView, cells: int, now: int) -> list[Line]:
    """Everything but the bytes."""
    kind = _KINDS[gate.kind]
    head: Line = (say("APPROVE?  ", "ask"), Span(gate.title or gate.step, "bold"))
    if gate.decision is not None:
        head = (say("DECIDED   ", "dim"), Span(gate.title or gate.step, "bold"))
    lines = [spread(head, (say(f"{kind} ", "dim"),), cells), BLANK]
    lines.extend(_named("run", own(f"{gate.run}  {gate.run_title}"), cells))
    since = f"{clock(gate.opened_at)}, waits {age(now - gate.opened_at)}"
    asked = f"step {gate.step} of {gate.recipe}, {since}"
    lines.extend(_named("asked by", own(asked), cells))
    if gate.why:
        lines.extend(_named("why", gate.why, cells, rows=3))
    lines.extend(_named("policy", own(_POLICY.get(gate.by, gate.by)), cells))
    if gate.hidden:
        word = "sign" if gate.hidden == 1 else "signs"
        text = own(f"{gate.hidden} hidden or unprintable {word} in it, shown as ⟨…⟩")
        lines.append((say(f"{'beware':<10}", "bad"), Span(text, "bad")))
    return lines


def _named(name: str, text: Safe, cells: int, rows: int = 2) -> list[Line]:
    words = wrap(text, cells - 11, limit=rows)
    lines: list[Line] = [(say(f"{name:<10}", "dim"), Span(words[0], ""))]
    lines.extend((say(" " * 10), Span(row, "")) for row in words[1:])
    return lines


def body(gate: GateView, cells: int) -> list[Line]:
    """The diff, or the text, broken at cells and never at words: every byte has its place."""
    if gate.patch:
        return [row for line in parse(gate.body) for row in _diff_rows(line, cells)]
    rows: list[Line] = []
    for text in gate.body.split("\n"):
        for number, piece in enumerate(chop(Safe(text), max(cells - 2, 8))):
            rows.append((say("↪ " if number else "  ", "faint"), Span(piece, "code")))
    return rows


def _diff_rows(line: DiffLine, cells: int) -> list[Line]:
    """A line of a diff in as many rows as it takes: nothing of it lies off the screen."""
    first, *more = chop(line.text, max(cells - GUTTER, 8))
    rows = [diff_row(replace(line, text=first), cells)]
    role = line.kind if line.kind in {"add", "del"} else ""
    for piece in more:
        fill = say(" " * max(0, cells - GUTTER - width(piece)), role)
        rows.append((say(f"{'↪':>{GUTTER - 1}} ", "faint"), Span(piece, role), fill))
    return rows


def body_title(gate: GateView) -> Safe:
    what = "exactly this diff" if gate.patch else "exactly this"
    if not gate.body:
        what = "nothing more is shown"
    digest = f" · sha256 {gate.digest[:8]}…{gate.digest[-4:]}" if len(gate.digest) > 16 else ""
    return own(f"{what}{digest}")


def asks_for_how_long(gate: GateView) -> bool:
    """An answer to it can hold for more than this once."""
    return gate.kind is GateKind.PERMISSION and gate.decision is None


def wider(scope: Remember) -> Remember:
    """The next scope in turn; after the widest the narrowest."""
    scopes = list(_SCOPES)
    return scopes[(scopes.index(scope) + 1) % len(scopes)]


def scope_word(scope: Remember) -> str:
    return _SCOPES[scope][0]


def scopes(gate: GateView, chosen: Remember, cells: int) -> list[Line]:
    """What an answer can be remembered for, the chosen one marked, and what that means."""
    row: list[Span] = [say("A", "key"), say("  holds for ", "dim")]
    for scope, (word, _) in _SCOPES.items():
        here = scope is chosen
        row += [say(f"[{word}]" if here else f" {word} ", "ask" if here else "dim"), say(" ")]
    same = _SAME.get(gate.tool, "the same use of this tool")
    what = "" if chosen is Remember.ONCE else f"{same}, "
    return [tuple(row), (Span(cut(own(f"   {what}{_SCOPES[chosen][1]}"), cells), "dim"),)]


def verdict(gate: GateView, now: int) -> Line:
    """Who decided, when it was somebody else or is over."""
    decision = gate.decision
    if decision is None:
        return BLANK
    good = decision.answer == "approve"
    word = "✓ approved" if good else "× denied"
    if decision.remember != Remember.ONCE:
        word += f" for {scope_word(Remember(decision.remember))}"
    ago = age(now - decision.decided_at)
    note = f" · “{decision.note}”" if decision.note else ""
    return (
        say(f"{word} ", "ok" if good else "bad"),
        Span(own(f"by {decision.actor} ({decision.established}) {ago} ago{note}"), ""),
    )


def place(gates: Sequence[GateView], at: Key | None) -> int:
    """Index of a gate in the list, whatever its content is by now; 0 if it is not there."""
    if at is None:
        return 0
    return next((n for n, each in enumerate(gates) if (each.run, each.id) == (at.run, at.gate)), 0)
