"""Who brings runs back: `supervise`, and `service`, which keeps it running."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from smithers.cli import forms, printing, setup, where
from smithers.clock import SYSTEM, iso
from smithers.errors import UsageError
from smithers.service import reading, units, watching
from smithers.service.views import Safe

_SIGNS = {"started": "●", "asked": "!", "failed": "×"}


def supervise(args: Namespace) -> int:
    """Keep watch in the foreground, and say what was done, until it is stopped."""
    root = where.root()
    reading.open_directory(root).close()  # says so where there is nothing to watch

    def tell(run: Safe, did: Safe, text: Safe) -> None:
        now = SYSTEM.now()
        if args.json:
            forms.emit({"at": iso(now), "run": run, "did": did, "text": text})
        else:
            printing.note(f"{printing.clock_time(now)} {_SIGNS[did]} {run} {text}")

    if not args.json:
        printing.note(f"watching the runs of {where.shown(root)}; Ctrl-C ends it, and no run")
    watching.watch(root, tell)
    return 0


def service(args: Namespace) -> int:
    """Have systemd or launchd keep a supervisor of this run directory."""
    root = where.root()
    unit = units.unit(root)
    if args.print:
        if args.json:
            forms.emit({"name": unit.name, "path": where.shown(unit.path), "text": unit.text})
        else:
            printing.out(where.clean(unit.text.rstrip("\n")))
        return 0
    match args.action:
        case "install":
            return _install(root, unit, args)
        case "uninstall":
            return _uninstall(unit, as_json=args.json)
        case _:
            return _status(root, unit, as_json=args.json)


def _install(root: Path, unit: units.Unit, args: Namespace) -> int:
    reading.open_directory(root).close()
    before = units.written(unit)
    effect = "writes" if before is None else "keeps" if before == unit.text else "replaces"
    if not args.json:
        printing.note(f"{effect} {where.shown(unit.path)}:")
        for line in where.clean(unit.text.rstrip("\n")).split("\n"):
            printing.note(f"  {line}")
    if not _agreed(args):
        printing.note("nothing was written")
        return 0
    told = units.install(unit)
    linger = "" if units.lingers() else "loginctl enable-linger"
    if args.json:
        forms.emit({**_form(unit, installed=True), **_told(told), "linger": linger or None})
        return 0
    printing.note(f"installed {unit.name}{'; it runs' if told.done else ''}")
    _say_by_hand(told)
    if linger:
        printing.note(f"it runs while you are logged in. To have it always, next: {linger}")
    return 0


def _agreed(args: Namespace) -> bool:
    if args.yes:
        return True
    if args.json or not setup.can_ask():
        raise UsageError(
            "writing files needs a yes, and there is no terminal to ask at",
            kept="nothing was written",
            next="smithers service install --print, then smithers service install --yes",
        )
    return printing.ask("Write it, and start it? [y]es [n]o: ").lower()[:1] == "y"


def _uninstall(unit: units.Unit, *, as_json: bool) -> int:
    told = units.uninstall(unit)
    if as_json:
        forms.emit({**_form(unit, installed=False), **_told(told or units.Told(done=True))})
    elif told is None:
        printing.note(f"there is no {where.shown(unit.path)}")
    else:
        printing.note(f"removed {where.shown(unit.path)}; runs go on")
        _say_by_hand(told)
    return 0


def _status(root: Path, unit: units.Unit, *, as_json: bool) -> int:
    text = units.written(unit)
    pid = watching.watcher(root)
    managed = units.runs(unit) if text is not None else False
    if as_json:
        forms.emit(
            {
                **_form(unit, installed=text is not None),
                "current": text == unit.text,
                "runs": managed,
                "supervisor": pid,
            }
        )
        return 0
    if text is None:
        printing.out("not installed. next: smithers service install")
    else:
        old = "" if text == unit.text else "; not as it would be written now"
        printing.out(f"installed {where.shown(unit.path)}{old}")
        state = {True: "runs", False: "does not run", None: "systemd or launchd does not answer"}
        printing.out(f"  {unit.name}: {state[managed]}")
    printing.out("no supervisor is at work" if pid is None else f"supervisor: process {pid or '?'}")
    return 0


def _form(unit: units.Unit, *, installed: bool) -> forms.Form:
    return {"name": unit.name, "path": where.shown(unit.path), "installed": installed}


def _told(told: units.Told) -> forms.Form:
    return {"done": told.done, "by_hand": list(told.by_hand), "reason": told.reason or None}


def _say_by_hand(told: units.Told) -> None:
    if told.done:
        return
    printing.note(f"not told of it: {where.clean(told.reason)}. By hand, next:")
    for command in told.by_hand:
        printing.note(f"  {where.clean(command)}")
