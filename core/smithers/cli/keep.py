"""What keeps a run directory small, safe and shareable: `gc`, `export`, `view`, `backup`."""

from __future__ import annotations

import importlib
import os
import shlex
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from smithers.cli import forms, parser, printing, setup, sizes, where
from smithers.cli.screen import screen_width
from smithers.errors import Refused, UsageError
from smithers.service import backup as backups
from smithers.service import export as exports
from smithers.service import gc as collecting
from smithers.service import locate
from smithers.service.gc import Collected, Filter, Item

_LOOKS = ("inspect", "why", "events", "logs", "diff", "output")


def gc(args: Namespace) -> int:
    """Say what would go; with a yes, let it go."""
    root = where.root()
    wanted = Filter(
        older_than=args.older_than,
        larger_than=args.larger_than,
        status=args.status,
        including_unlanded=args.including_unlanded,
        strays=args.strays,
    )
    collecting.check_filter(wanted)
    if not args.yes and not args.dry_run and (args.json or not setup.can_ask()):
        raise UsageError(
            "removing runs needs a yes, and there is no terminal to ask at",
            kept="all runs",
            next="smithers gc --dry-run, then smithers gc --yes",
        )
    if not args.yes:
        planned = collecting.look(root, wanted)
        if args.dry_run or not planned.removed:
            return _told(planned, args, word="would free")
        _print(planned, word="would free")
        if printing.ask("Remove them? [y]es [n]o: ").lower()[:1] != "y":
            printing.note("nothing was removed")
            return 0
    return _told(collecting.collect(root, wanted, actor=where.actor()), args, word="freed")


def _told(found: Collected, args: Namespace, *, word: str) -> int:
    if args.json:
        forms.emit(
            {
                "dry_run": args.dry_run,
                "bytes": sum(each.bytes for each in found.removed),
                "removed": [_item(each) for each in found.removed],
                "kept": [{**_item(each), "reason": each.reason} for each in found.kept],
                "database_free_bytes": found.free_bytes,
            }
        )
    else:
        _print(found, word=word)
    return int(found.failed)


def _item(item: Item) -> forms.Form:
    return {
        "run": item.name,
        "title": item.title,
        "status": None if item.status is None else item.status.value,
        "ended_at": forms.time_or_null(item.ended_at),
        "bytes": item.bytes,
    }


def _print(found: Collected, *, word: str) -> None:
    size = sizes.words(sum(each.bytes for each in found.removed))
    printing.out(f"{word} {size} of {printing.plural(len(found.removed), 'run')}")
    _print_items(found.removed, lambda each: each.title)
    stay = [each for each in found.kept if each.fits]
    if stay:
        printing.out(f"keeps {printing.plural(len(stay), 'run')} that would go otherwise")
        _print_items(stay, lambda each: each.reason)
    others = len(found.kept) - len(stay)
    if others:
        printing.out(f"keeps {printing.plural(others, 'other')}: open, or not what was asked for")
    if found.free_bytes:
        printing.note(f"{sizes.words(found.free_bytes)} in the database are free for new runs")


def _print_items(items: Sequence[Item], last: Callable[[Item], str]) -> None:
    rows = [
        (
            each.name,
            each.status.value if each.status else "no run",
            printing.age(each.ended_at) if each.ended_at else "",
            sizes.words(each.bytes),
            last(each),
        )
        for each in items
    ]
    for text in printing.table(rows, least=(8, 6, 3, 6, 10), width=screen_width() - 2):
        printing.out(f"  {text}")


def export(args: Namespace) -> int:
    """One run as one file."""
    root, _, run = where.open_run(args.run)
    target = Path(args.file) if args.file else None
    done = exports.export(root, run, target, actor=where.actor())
    if args.json:
        forms.emit({"run": run, "file": str(done.path), "bytes": done.bytes})
    else:
        printing.out(f"{where.shown(done.path)}, {sizes.words(done.bytes)}")
        printing.note(f"next: smithers view {where.clean(shlex.quote(str(done.path)))}")
    return 0


def view(args: Namespace) -> int:
    """A looking command on an exported run, as if it were here."""
    words = [*args.words]
    if args.json and "--json" not in words:
        words.append("--json")
    if not words or words[0].startswith("-"):
        words.insert(0, "inspect")
    if words[0] not in _LOOKS:
        raise Refused(
            f"an exported run is only looked at: {where.clean(words[0])} is none of "
            f"{', '.join(_LOOKS)}",
            kept="the file as it is",
            next=f"smithers view {where.clean(shlex.quote(args.file))} inspect",
        )
    with exports.opened(Path(args.file)) as found:
        inner = parser.build().parse_args([words[0], found.run, *words[1:]])
        if getattr(inner, "follow", False):
            raise UsageError(
                "nothing follows in an exported run",
                next=f"smithers view {where.clean(shlex.quote(args.file))} {words[0]}",
            )
        printing.note(f"run {found.run} as it was at {found.exported_at}, to look at only")
        module, _, function = inner.handler.partition(":")
        handler: Callable[[Namespace], int] = getattr(
            importlib.import_module(f"smithers.cli.{module}"), function
        )
        with _standing_in(found.root):
            return handler(inner)


@contextmanager
def _standing_in(root: Path) -> Iterator[None]:
    """Let commands find this run directory and no other."""
    before = os.environ.get(locate.OVERRIDE)
    os.environ[locate.OVERRIDE] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ[locate.OVERRIDE]
        else:
            os.environ[locate.OVERRIDE] = before


def backup(args: Namespace) -> int:
    """A copy of the database that can take its place."""
    done = backups.backup(where.root(), Path(args.file) if args.file else None)
    runs = sum(done.runs.values())
    if args.json:
        forms.emit(
            {
                "file": str(done.path),
                "bytes": done.bytes,
                "runs": runs,
                "by_status": {status.value: count for status, count in done.runs.items()},
                "newest": done.newest or None,
            }
        )
        return 0
    printing.out(f"{where.shown(done.path)}, {sizes.words(done.bytes)}")
    newest = f", newest {where.clean(done.newest)}" if done.newest else ""
    printing.out(f"  {printing.plural(runs, 'run')}{newest}; sound")
    printing.note("logs, worktrees and snapshots are not in it: see docs/housekeeping.md")
    return 0
