"""pi, in its JSON mode."""

import json
from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Limit, Subject
from tests.models import FakeModel


def _point(home: Path, model: FakeModel) -> AgentSpec:
    folder = home / ".pi" / "agent"
    folder.mkdir(parents=True, exist_ok=True)
    cost = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    any_model = {
        "id": "any",
        "name": "any",
        "reasoning": False,
        "input": ["text"],
        "cost": cost,
        "contextWindow": 2_000_000,
        "maxTokens": 8000,
    }
    provider = {
        "baseUrl": f"{model.url}/v1",
        "api": "openai-completions",
        "apiKey": "TESTS_KEY",
        "models": [any_model],
    }
    (folder / "models.json").write_text(json.dumps({"providers": {"tests": provider}}))
    env = {
        "PI_CODING_AGENT_DIR": str(folder),
        "PI_OFFLINE": "1",
        "PI_SKIP_VERSION_CHECK": "1",
        "TESTS_KEY": "none",
    }
    return AgentSpec("pi", model="tests/any", env=env)


_ASKS = Limit("pi has no permissions: it asks nobody")

SUBJECT = Subject(
    "pi",
    programs=("pi",),
    point=_point,
    memory=".pi/agent/sessions/**/*",
    package="pi",
    limits={"denied": _ASKS, "asks": _ASKS},
)
