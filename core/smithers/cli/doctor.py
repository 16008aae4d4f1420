"""`doctor`: what Smithers needs, whether it is there, and the command that cures it."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from smithers.cli import forms, printing, where
from smithers.errors import SmithersError
from smithers.process.run import run
from smithers.service import locate, reading

AGENTS = ("claude",)
_PYTHON = (3, 11)
_GIT = (2, 30)
_SQLITE = "import sqlite3; print(sqlite3.sqlite_version)"
_CLAUDE = "npm install -g @anthropic-ai/claude-code"
_SIGNS = {"ok": "✓", "warning": "!", "failed": "×"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. A `warning` takes something away, a `failed` stops runs."""

    name: str
    state: str
    detail: str
    cure: str = ""


def doctor(args: Namespace) -> int:
    """Look at everything that a run needs. Changes nothing."""
    root = locate.find_root(Path.cwd())
    findings = [_python(), _git(), _sqlite(), *_agents(), _directory(root), _database(root)]
    failed = any(each.state == "failed" for each in findings)
    if args.json:
        forms.emit({"ok": not failed, "checks": [_form(each) for each in findings]})
        return int(failed)
    for each in findings:
        sign = _SIGNS[each.state]
        printing.out(f"{printing.tint(f'{sign} {each.name:<14}', sign)} {each.detail}")
        if each.cure:
            printing.out(f"    next: {each.cure}")
    return int(failed)


def _form(finding: Finding) -> forms.Form:
    return {
        "name": finding.name,
        "state": finding.state,
        "detail": finding.detail,
        "next": finding.cure,
    }


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _PYTHON:
        return Finding("python", "failed", f"{version} is too old", "install Python 3.11 or newer")
    return Finding("python", "ok", f"{version}, {where.clean(sys.executable)}")


def _git() -> Finding:
    cure = "install git 2.30 or newer"
    try:
        answer = run(["git", "--version"], timeout=10).out.decode(errors="replace")
    except OSError:
        return Finding("git", "failed", "not found; without it runs work in place only", cure)
    words = answer.split()
    version = words[2] if len(words) > 2 else "?"
    if _numbers(version)[:2] < _GIT:
        return Finding("git", "warning", f"{where.clean(version)} is old", cure)
    return Finding("git", "ok", where.clean(version))


def _sqlite() -> Finding:
    """Asked in a process of its own: a Python without SQLite is a finding, not a crash."""
    done = run([sys.executable, "-c", _SQLITE], timeout=20)
    if done.code != 0:
        return Finding("sqlite", "failed", "this Python has no sqlite3", "install python3-sqlite3")
    version = done.out.decode().strip()
    if wal_reset_bug(_numbers(version)):
        return Finding("sqlite", "ok", f"{version}: has the WAL-reset bug; affected, guarded")
    return Finding("sqlite", "ok", version)


def wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether a version loses commits when a checkpoint meets one (sqlite.org/wal.html)."""
    fixed = (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )
    return version >= (3, 7) and not fixed


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


def installed_agents() -> dict[str, str]:
    """Agents on PATH, each with the path of its program."""
    found = {name: shutil.which(name) for name in AGENTS}
    return {name: where.clean(path) for name, path in found.items() if path}


def _agents() -> list[Finding]:
    found = installed_agents()
    if not found:
        detail = f"none of {', '.join(AGENTS)} is installed"
        return [Finding("agents", "warning", detail, f"{_CLAUDE}, or roles in config.toml")]
    return [Finding(f"agent {name}", "ok", path) for name, path in found.items()]


def _directory(root: Path) -> Finding:
    name = "run directory"
    if not locate.exists(root):
        return Finding(name, "warning", f"none in {where.shown(root)} yet", "smithers init")
    state = locate.state_dir(root)
    shown = where.shown(state)
    if not os.access(state, os.W_OK | os.X_OK):
        return Finding(name, "failed", f"{shown} cannot be written", f"chmod -R u+rwX {shown}")
    if state.stat().st_mode & 0o077:
        return Finding(name, "warning", f"{shown} is open to others", f"chmod 700 {shown}")
    return Finding(name, "ok", shown)


def _database(root: Path) -> Finding:
    name = "database"
    if not locate.exists(root):
        return Finding(name, "ok", "made with the run directory")
    try:
        with reading.open_directory(root) as db:
            summary = reading.summary(db)
    except SmithersError as error:
        return Finding(name, "failed", where.clean(error.what), error.next)
    return Finding(name, "ok", f"opens; {printing.plural(summary.total, 'run')}")
