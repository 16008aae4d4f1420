"""What a project needs: `init`, `recipes`, `skill`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from smithers.cli import doctor, forms, printing, where
from smithers.cli.screen import screen_width
from smithers.cli.skill import install
from smithers.errors import UsageError
from smithers.service import locate, starting


def init(args: Namespace) -> int:
    """Make the run directory, say which agents there are, offer the skill."""
    root = locate.find_root(Path.cwd())
    there = locate.exists(root)
    locate.ensure(root)
    agents = doctor.installed_agents()
    written: list[Path] = []
    if args.yes or (can_ask() and not args.json):
        written = _install(root, yes=args.yes, force=False)
    if args.json:
        forms.emit(
            {
                "root": str(root),
                "created": not there,
                "agents": list(agents),
                "written": [str(path) for path in written],
            }
        )
        return 0
    printing.out(f"{'found' if there else 'made'} {where.shown(root / '.smithers')}")
    for name, path in agents.items():
        printing.out(f"agent {name}: {path}")
    if not agents:
        printing.out("no agent is installed. next: smithers agents")
    if not (args.yes or can_ask()):
        printing.note("the skill for agents was not installed: smithers skill install --yes")
    printing.note("next: smithers recipes")
    return 0


def can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def recipes(args: Namespace) -> int:
    """The recipes that can be started here, with the sentences that they answer to."""
    found = starting.recipes(where.root())
    if args.action == "show":
        if args.name is None:
            raise UsageError("which recipe?", next="smithers recipes show implement")
        names = [each.name for each in found]
        if args.name not in names:
            near = where.nearest(args.name, names)
            raise UsageError(
                f"there is no recipe {where.clean(args.name)}{near}", next="smithers recipes"
            )
        found = [each for each in found if each.name == args.name]
    if args.json:
        forms.emit({"recipes": [_recipe_form(each) for each in found]})
        return 0
    if args.action == "show":
        _show(found[0])
        return 0
    rows = [(each.name, where.clean(each.summary)) for each in found]
    for line in printing.table(rows, least=(8, 20), width=screen_width()):
        printing.out(line)
    printing.note("next: smithers recipes show NAME, smithers up NAME PROMPT")
    return 0


def _recipe_form(recipe: starting.RecipeInfo) -> forms.Form:
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "path": str(recipe.path),
        "sentences": list(recipe.sentences),
        "edits": recipe.edits,
    }


def _show(recipe: starting.RecipeInfo) -> None:
    printing.out(f"{where.clean(recipe.name)}: {where.clean(recipe.summary)}")
    place = "works in a git worktree of its own" if recipe.edits else "changes no files"
    printing.out(f"  {place}; {where.clean(str(recipe.path))}")
    for sentence in recipe.sentences:
        printing.out(f"  “{where.clean(sentence)}”")
    printing.note(f"next: smithers up {where.clean(recipe.name)} PROMPT")


def skill(args: Namespace) -> int:
    """Install the skill for Claude Code and for agents in general, or show its text."""
    root = Path.home() if args.user else locate.find_root(Path.cwd())
    if args.action == "show":
        text = install.plan(root)[0][1]
        if args.json:
            forms.emit({"text": text})
        else:
            printing.out(text.rstrip("\n"))
        return 0
    if not args.yes and (args.json or not can_ask()):
        raise UsageError(
            "writing files needs a yes, and there is no terminal to ask at",
            kept="nothing was written",
            next="smithers skill show, then smithers skill install --yes",
        )
    written = _install(root, yes=args.yes, force=args.force)
    if args.json:
        forms.emit({"written": [str(path) for path in written]})
    return 0


def _install(root: Path, *, yes: bool, force: bool) -> list[Path]:
    """Say what the skill would write, ask if need be, write it. Returns the files written."""
    plan = install.plan(root)
    lines = plan[0][1].count("\n")
    for path, text in plan:
        printing.note(f"  {_effect(path, text)} {where.shown(path)} ({lines} lines)")
    if not yes and not _agreed(plan[0][1]):
        printing.note("nothing was written")
        return []
    written = install.write(plan, force=force)
    printing.note(f"the skill is installed; {printing.plural(len(written), 'file')} written")
    return written


def _effect(path: Path, text: str) -> str:
    if not path.exists():
        return "writes"
    same = path.read_text(encoding="utf-8", errors="replace") == text
    return "keeps" if same else "replaces"


def _agreed(text: str) -> bool:
    while True:
        answer = printing.ask(
            "Install this skill for coding agents? [y]es [n]o [s]how it: "
        ).lower()
        if answer[:1] != "s":
            return answer[:1] == "y"
        for line in text.rstrip("\n").split("\n"):
            printing.note(f"  {line}")
