"""`doctor`: what Smithers needs, whether it is there, and the command that cures it."""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from smithers.cli import forms, printing, where
from smithers.cli.skill import install
from smithers.config import BUILTIN
from smithers.process.run import run
from smithers.service import locate
from smithers.service.health.examine import cure, examine
from smithers.service.health.finding import Finding

AGENTS = BUILTIN
_PYTHON = (3, 11)
_GIT = (2, 30)
_SQLITE = "import sqlite3; print(sqlite3.sqlite_version)"
_CLAUDE = "npm install -g @anthropic-ai/claude-code"
_SIGNS = {"ok": "✓", "warning": "!", "failed": "×"}


def doctor(args: Namespace) -> int:
    """Look at everything that a run needs. Changes nothing, unless it is asked to cure."""
    root = locate.find_root(Path.cwd())
    actor = where.actor()
    cured = cure(root, actor=actor) if args.fix else []
    findings = [
        *_environment(),
        *examine(root, actor=actor, verify=args.verify),
        *_skill(root),
    ]
    failed = any(each.state == "failed" for each in (*findings, *cured))
    if args.json:
        forms.emit(
            {
                "ok": not failed,
                "checks": [_form(each) for each in findings],
                "fixed": [_form(each) for each in cured],
            }
        )
        return int(failed)
    for each in cured:
        word = "cured" if each.state == "ok" else "tried"
        printing.note(f"{word}: {each.name}: {each.detail}")
    for each in findings:
        sign = _SIGNS[each.state]
        printing.out(f"{printing.tint(f'{sign} {each.name:<14}', sign)} {each.detail}")
        if each.cure:
            printing.out(f"    next: {where.clean(each.cure)}")
    return int(failed)


def _environment() -> list[Finding]:
    return [_python(), _git(), _sqlite(), *_agents()]


def _form(finding: Finding) -> forms.Form:
    return {
        "name": finding.name,
        "state": finding.state,
        "detail": finding.detail,
        "next": finding.cure,
    }


def _found(
    name: str, state: Literal["ok", "warning", "failed"], detail: str, cure: str = ""
) -> Finding:
    return Finding(name, state, where.clean(detail), cure)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _PYTHON:
        return _found("python", "failed", f"{version} is too old", "install Python 3.11 or newer")
    return _found("python", "ok", f"{version}, {sys.executable}")


def _git() -> Finding:
    cure = "install git 2.30 or newer"
    try:
        answer = run(["git", "--version"], timeout=10).out.decode(errors="replace")
    except OSError:
        return _found("git", "failed", "not found; without it runs work in place only", cure)
    words = answer.split()
    version = words[2] if len(words) > 2 else "?"
    if _numbers(version)[:2] < _GIT:
        return _found("git", "warning", f"{version} is old", cure)
    return _found("git", "ok", version)


def _sqlite() -> Finding:
    """Asked in a process of its own: a Python without SQLite is a finding, not a crash."""
    done = run([sys.executable, "-c", _SQLITE], timeout=20)
    if done.code != 0:
        return _found("sqlite", "failed", "this Python has no sqlite3", "install python3-sqlite3")
    version = done.out.decode().strip()
    if wal_reset_bug(_numbers(version)):
        return _found("sqlite", "ok", f"{version}: has the WAL-reset bug; affected, guarded")
    return _found("sqlite", "ok", version)


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
        several = len(AGENTS) > 1
        detail = f"none of {', '.join(AGENTS)} is" if several else f"{AGENTS[0]} is not"
        return [
            _found(
                "agents", "warning", f"{detail} installed", f"{_CLAUDE}, or roles in config.toml"
            )
        ]
    return [_found(f"agent {name}", "ok", path) for name, path in found.items()]


def _skill(root: Path) -> Iterator[Finding]:
    """A skill that is not of this version tells agents of commands that are not there."""
    for folder, flag in ((root, ""), (Path.home(), " --user")):
        for path, text in install.plan(folder):
            if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") == text:
                continue
            by_hand = install.edited(path)
            how = "was edited by hand" if by_hand else "is of another version"
            cure = f"smithers skill install --yes{flag}{' --force' if by_hand else ''}"
            yield Finding("skill", "warning", where.clean(f"{path} {how}"), cure)
