"""opencode, by `opencode run`."""

import json
from collections.abc import Mapping
from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Limit, Subject
from tests.models import FakeModel


def environ(
    home: Path, model: FakeModel, *, permission: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Write opencode's config; returns what keeps it from talking to anybody else."""
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True, exist_ok=True)
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Tests",
        "options": {"baseURL": f"{model.url}/v1", "apiKey": "none"},
        "models": {"any": {"name": "any"}},
    }
    config = {
        "provider": {"tests": provider},
        "model": "tests/any",
        "small_model": "tests/any",
        "autoupdate": False,
        "share": "disabled",
        **({"permission": dict(permission)} if permission else {}),
    }
    (folder / "opencode.json").write_text(json.dumps(config))
    return {
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "XDG_CONFIG_HOME": str(home / ".config"),
    }


def _point(home: Path, model: FakeModel) -> AgentSpec:
    return AgentSpec("opencode", env=environ(home, model))


_ASKS = Limit("`opencode run` asks nobody; `acp:opencode acp` does")

SUBJECT = Subject(
    "opencode",
    programs=("opencode",),
    point=_point,
    memory=".local/share/opencode/**/*",
    quiet=30,
    package="opencode",
    limits={
        "denied": _ASKS,
        "asks": _ASKS,
        "limited": Limit("it tells no reset: it is tried each minute"),
    },
)
