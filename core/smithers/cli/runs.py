"""Verbs on runs: `up`, `resume`, `pause`, `stop`, `cancel`, `retry`, `message`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Literal

from smithers.cli import follow, forms, printing, where
from smithers.errors import UsageError
from smithers.model.run import RunStatus
from smithers.model.step import JSON
from smithers.service import control, locate, reading
from smithers.service.views import RunView

_EXAMPLE = """--input '{"prompt": "Add rate limiting"}'"""


def up(args: Namespace) -> int:
    """Start a run. In the foreground it is only followed: its engine is a process of its own."""
    root = locate.find_root(Path.cwd())
    run = control.up(
        root,
        args.recipe,
        prompt=args.prompt,
        input=_input(args.input),
        run_id=args.run_id,
        agents=dict(args.agent),
        workspace=_workspace(args),
        budget=_budget(args),
        actor=where.actor(),
    )
    view = reading.run(reading.open_directory(root), run)
    for remark in view.notes:
        printing.note(f"note: {remark}")
    if not args.detach:
        printing.note(f"run {run}: {view.row.recipe}, with {_cast(view)}")
        return follow.to_the_end(root, run, as_json=args.json)
    if args.json:
        forms.emit(forms.run(view))
    else:
        printing.out(run)
    return 0


def _cast(view: RunView) -> str:
    roles = [f"{role} = {agent}" for role, agent in view.agents.items()]
    return where.clean(", ".join(roles)) if roles else "the agents of config.toml"


def _input(text: str | None) -> dict[str, JSON] | None:
    """The object that `--input` gives: inline, from `@file`, or from standard input."""
    if text is None:
        return None
    try:
        value = json.loads(_read(text))
    except ValueError as error:
        raise UsageError(f"--input is no JSON: {error}", next=_EXAMPLE) from None
    if not isinstance(value, dict):
        raise UsageError("--input is no JSON object", next=_EXAMPLE)
    return value


def _read(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--input {text}: {error.strerror}", next=_EXAMPLE) from None


def _workspace(args: Namespace) -> Literal["worktree", "in-place"] | None:
    if args.in_place:
        return "in-place"
    return "worktree" if args.worktree else None


def _budget(args: Namespace) -> dict[str, float]:
    limits = {
        "minutes": args.budget_minutes,
        "tokens": args.budget_tokens,
        "usd": args.budget_usd,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def resume(args: Namespace) -> int:
    """Let a run go on; every step that finished stays finished."""
    root, db, run = where.open_run(args.run)
    frame = reading.run(db, run).row.frame
    control.resume(root, run, agents=dict(args.agent), actor=where.actor())
    return _gone_on(root, run, frame, "resumed", args)


def retry(args: Namespace) -> int:
    """Try a failed step once more, and go on from there."""
    root, db, run = where.open_run(args.run)
    view = reading.run(db, run)
    step = where.pick_steps(view, args.step)[-1].key
    control.retry(root, run, step, agents=dict(args.agent), actor=where.actor())
    return _gone_on(root, run, view.row.frame, f"{step} is tried again:", args)


def _gone_on(root: Path, run: str, frame: int, word: str, args: Namespace) -> int:
    if args.follow:
        return follow.to_the_end(root, run, as_json=args.json, after=frame)
    return _say(root, run, word, f"smithers wait {run}", as_json=args.json)


def pause(args: Namespace) -> int:
    """Nothing new starts; with --now what runs is stopped, and its step begins again at resume."""
    root, _, run = where.open_run(args.run)
    control.pause(root, run, now=args.now, actor=where.actor())
    if args.now:
        follow.settled(root, run, {RunStatus.PAUSED})
    word = "paused" if args.now else "what runs may finish, nothing new starts:"
    return _say(root, run, word, f"smithers resume {run}", as_json=args.json)


def stop(args: Namespace) -> int:
    """Open loops end after their present iteration; the run goes on to its end."""
    root, _, run = where.open_run(args.run)
    control.stop(root, run, actor=where.actor())
    word = "open loops end after this iteration:"
    return _say(root, run, word, f"smithers wait {run}", as_json=args.json)


def cancel(args: Namespace) -> int:
    """End a run for good, and its processes."""
    root, _, run = where.open_run(args.run)
    control.cancel(root, run, actor=where.actor())
    follow.settled(root, run, {RunStatus.CANCELLED})
    return _say(root, run, "cancelled", f"smithers inspect {run}", as_json=args.json)


def message(args: Namespace) -> int:
    """Leave words for the agent of a step, which it gets with its next turn."""
    root, db, run = where.open_run(args.run)
    step = where.pick_steps(reading.run(db, run), args.step)[-1].key
    sent = control.message(root, run, step, _words(args.text), actor=where.actor())
    if args.json:
        forms.emit({"run": run, "step": sent.step, **forms.message(sent)})
    else:
        hint = f"smithers logs {run} {step} -f"
        printing.note(f"message {sent.n} waits for the next turn of {step}. next: {hint}")
    return 0


def _words(text: str) -> str:
    """The text, or for `-` what standard input holds."""
    if text != "-":
        return text
    return sys.stdin.buffer.read(control.MESSAGE_BYTES + 1).decode("utf-8", "replace")


def _say(root: Path, run: str, word: str, hint: str, *, as_json: bool) -> int:
    if as_json:
        forms.emit(forms.run(reading.run(reading.open_directory(root), run)))
    else:
        printing.note(f"{word} {run}. next: {hint}")
    return 0
