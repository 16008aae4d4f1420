"""The agents of a project, as they are shown."""

from __future__ import annotations

from pathlib import Path

from smithers.config import load
from smithers.engine import roster
from smithers.service.safe import line
from smithers.service.views import AgentView


def agents(root: Path) -> list[AgentView]:
    """Those that play a role first. Raises ConfigError."""
    return [_view(each) for each in roster.roster(root, load(root))]


def _view(member: roster.Member) -> AgentView:
    return AgentView(
        name=line(member.name),
        kind=line(member.kind),
        path=line(member.path),
        version=line(member.version, limit=40),
        logged_in=member.logged_in,
        model=line(member.model),
        roles=tuple(line(role) for role in member.roles),
        asks=member.can.asks,
        resumes=member.can.resumes,
        schema=member.can.schema,
        prices=member.can.prices,
        problem=line(member.problem),
        cure=line(member.cure),
    )
