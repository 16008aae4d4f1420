"""`agents`: which there are and what each one can do."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from smithers.cli import forms, printing, where
from smithers.cli.screen import screen_width
from smithers.errors import UsageError
from smithers.service.views import AgentView

_HEADS = ("AGENT", "VERSION", "LOGIN", "ASKS", "RESUMES", "SCHEMA", "COST", "MODEL", "ROLES")
_LEAST = (9, 7, 7, 4, 7, 6, 4, 5, 5)
_SIGNS = {True: "✓", False: "–", None: "?"}
_OF_OURS = ("command", "scripted", "model")
"""Kinds of which no program is asked who is logged in."""
_LOGINS = {True: "yes", False: "no", None: "unknown"}


def agents(args: Namespace) -> int:
    """List the agents, or try one."""
    if args.action == "test":
        from smithers.cli import trial  # noqa: PLC0415

        return trial.trial(args)
    if args.name is not None or args.keep:
        raise UsageError("only `test` takes an agent", next="smithers agents test NAME")
    from smithers.service import roster  # noqa: PLC0415  it loads all of them

    found = roster.agents(where.root())
    if args.json:
        forms.emit({"agents": [_form(each) for each in found]})
        return 0
    there = [each for each in found if not each.problem]
    _print_those_there(there)
    missing = [each for each in found if each.problem]
    for each in missing:
        name = "" if each.problem.startswith(each.name) else f"{each.name}: "
        printing.out(printing.tint(f"× {name}{each.problem}", "dim"))
        if each.cure:
            printing.out(f"    next: {each.cure}")
    _print_notes(there)
    return 0


def _print_those_there(found: Sequence[AgentView]) -> None:
    if not found:
        return
    rows = [_HEADS, *(_row(each) for each in found)]
    lines = printing.table(rows, least=_LEAST, width=screen_width() - 2)
    printing.out(f"  {lines[0]}")
    for line in lines[1:]:
        printing.out(f"{printing.tint('✓', '✓')} {line}")


def _row(agent: AgentView) -> tuple[str, ...]:
    can = (agent.asks, agent.resumes, agent.schema, agent.prices)
    own = agent.kind in _OF_OURS
    return (
        agent.name,
        agent.version or ("–" if own else "unknown"),
        "–" if own else _LOGINS[agent.logged_in],
        *(_SIGNS[each] for each in can),
        agent.model or "its own",
        ", ".join(agent.roles) or "–",
    )


def _print_notes(there: Sequence[AgentView]) -> None:
    """What plays a role that config does not name, and how to see more."""
    first = next((each.name for each in there if each.name == each.kind), "")
    if first:
        printing.note(f"roles that config.toml does not name are played by {first}")
        printing.note(f"next: smithers agents test {first}")
    elif not there:
        printing.note("no agent is installed")


def _form(agent: AgentView) -> forms.Form:
    return {
        "name": agent.name,
        "kind": agent.kind,
        "installed": not agent.problem,
        "path": agent.path or None,
        "version": agent.version or None,
        "logged_in": agent.logged_in,
        "model": agent.model or None,
        "roles": list(agent.roles),
        "asks": agent.asks,
        "resumes": agent.resumes,
        "schema": agent.schema,
        "cost": agent.prices,
        "problem": agent.problem or None,
        "next": agent.cure or None,
    }
