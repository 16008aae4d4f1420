"""Claude Code."""

from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Subject
from tests.models import FakeModel


def environ(model: FakeModel) -> dict[str, str]:
    """What points Claude Code at a model, and keeps it from talking to anybody else."""
    return {
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "sk-ant-none",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
    }


def subscribed(model: FakeModel) -> dict[str, str]:
    """The same with a subscription in place of a key."""
    login = {"ANTHROPIC_API_KEY": "", "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-none"}
    return {**environ(model), **login}


def _point(_: Path, model: FakeModel) -> AgentSpec:
    return AgentSpec("claude", env=subscribed(model))


SUBJECT = Subject(
    "claude",
    programs=("claude",),
    point=_point,
    memory=".claude/projects/**/*",
    always=True,
    package="claude",
)
