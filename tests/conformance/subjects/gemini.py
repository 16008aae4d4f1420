"""Gemini CLI, in its own stream."""

import json
from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Limit, Subject
from tests.models import FakeModel


def environ(home: Path, model: FakeModel) -> dict[str, str]:
    """Write Gemini's settings; returns what points Gemini at a model."""
    folder = home / ".gemini"
    folder.mkdir(exist_ok=True)
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    return {"GOOGLE_GEMINI_BASE_URL": model.url, "GEMINI_API_KEY": "none"}


def _point(home: Path, model: FakeModel) -> AgentSpec:
    return AgentSpec("gemini", model="gemini-2.5-pro", env=environ(home, model))


_ASKS = Limit("`gemini -p` asks nobody; `acp:gemini --acp` does")

SUBJECT = Subject(
    "gemini",
    programs=("gemini",),
    point=_point,
    memory=".gemini/tmp/**/*",
    quiet=15,
    package="gemini",
    limits={
        "denied": _ASKS,
        "asks": _ASKS,
        "dropped": Limit("tried again, but nothing tells: the half stands before the whole answer"),
    },
)
