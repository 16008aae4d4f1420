"""`usage`: tokens and money, added up."""

from __future__ import annotations

from argparse import Namespace

from smithers.cli import forms, printing, where
from smithers.cli.screen import screen_width
from smithers.model.step import JSON
from smithers.service import accounts, reading
from smithers.service.accounts import Account

_HEADS = ("", "ATTEMPTS", "IN", "CACHED", "OUT", "COST")


def usage(args: Namespace) -> int:
    """What agents have used, by what was asked for, and in all."""
    if args.run is None:
        db, run = reading.open_directory(where.root()), None
    else:
        _, db, run = where.open_run(args.run)
    found = accounts.accounts(db, args.by, run)
    everything = accounts.total(found)
    if args.json:
        each: list[JSON] = [_form(one) for one in found]
        forms.emit({"by": args.by, "rows": each, "total": _form(everything)})
        return 0
    if not found:
        printing.note("no agent has been at work yet")
        return 0
    rows = [_HEADS, *(_row(one) for one in (*found, everything))]
    least = tuple(max(len(row[column]) for row in rows) for column in range(1, len(_HEADS)))
    for line in printing.table(rows, least=(8, *least), width=screen_width()):
        printing.out(line.rstrip())
    return 0


def _row(one: Account) -> tuple[str, ...]:
    used = one.usage
    counts = (used.input_tokens, used.cached_tokens, used.output_tokens)
    tokens = ("unknown" if count is None else f"{count:,}" for count in counts)
    return (one.key, f"{one.attempts:,}", *tokens, _cost(one))


def _cost(one: Account) -> str:
    """What is known of it, and of how many attempts nothing is."""
    if one.usage.cost_usd is None:
        return "unknown"
    known = f"${one.usage.cost_usd:.2f}"
    return f"{known} + {one.unpriced} unknown" if one.unpriced else known


def _form(one: Account) -> forms.Form:
    return {
        "key": one.key,
        "attempts": one.attempts,
        **forms.usage(one.usage),
        "attempts_of_unknown_cost": one.unpriced,
    }
