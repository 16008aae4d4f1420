"""`smithers` alone and `smithers tui`: the app where there is a terminal, else a status."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from smithers.cli import forms, look, printing, where
from smithers.errors import SmithersError, UsageError
from smithers.service import locate, reading

_GROUP = "smithers.commands"
_START = "smithers init (a run directory here), smithers demo (see it work first)"


def home(args: Namespace) -> int:
    """The app on a terminal, else what the newest runs are doing."""
    here = locate.find_root(Path.cwd())
    if not locate.exists(here):
        return _nothing_here(here, as_json=args.json)
    if not args.json and on_screen():
        return open_app(here)
    return _status(here, as_json=args.json)


def tui(args: Namespace) -> int:
    """The app, at a run where one is named."""
    if not on_screen():
        raise UsageError("the app needs a terminal", next="smithers ps")
    if args.run is None:
        return open_app(where.root())
    here, _, run = where.open_run(args.run)
    return open_app(here, run)


def on_screen() -> bool:
    """Whether a full-screen app can be painted here."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def open_app(root: Path, run: str | None = None) -> int:
    """The app, found by entry point: the command line knows no screen."""
    found = entry_points(group=_GROUP, name="tui")
    if not found:
        raise SmithersError("the terminal app is not installed", next="smithers ps")
    start: Callable[..., int] = next(iter(found)).load()
    return start(root, screen="runs" if run is None else "run", run=run)


def _status(root: Path, *, as_json: bool) -> int:
    db = reading.open_directory(root)
    summary = reading.summary(db)
    runs = reading.runs(db, limit=10)
    if as_json:
        forms.emit(
            {
                "root": str(root),
                "summary": forms.summary(summary),
                "runs": [forms.row(run) for run in runs],
            }
        )
        return 0
    printing.out(
        f"{printing.plural(summary.total, 'run')}: {summary.running} running, "
        f"{summary.need_you} need you, {summary.failed} failed, {summary.done} done"
    )
    look.print_rows(runs)
    if summary.need_you:
        printing.note("next: smithers inbox")
    return 0


def _nothing_here(root: Path, *, as_json: bool) -> int:
    if as_json:
        forms.emit({"root": None, "summary": None, "runs": []})
    else:
        printing.out(f"no runs yet: there is no run directory in {where.shown(root)}")
        printing.note(f"next: {_START}")
    return 0
