"""Codex, by `codex exec`."""

from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Limit, Subject
from tests.models import FakeModel

_CONFIG = """\
model = "gpt-5-codex"
model_provider = "tests"

[model_providers.tests]
name = "Tests"
base_url = "{url}/v1"
env_key = "TESTS_KEY"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1
"""


def environ(home: Path, model: FakeModel) -> dict[str, str]:
    """Write Codex's config; returns what points Codex at it."""
    folder = home / ".codex"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(_CONFIG.format(url=model.url))
    # It keeps its helpers out of a home that lies in the folder for temporary files.
    temporary = home / "tmp"
    temporary.mkdir(exist_ok=True)
    return {"CODEX_HOME": str(folder), "TESTS_KEY": "none", "TMPDIR": str(temporary)}


def _point(home: Path, model: FakeModel) -> AgentSpec:
    return AgentSpec("codex", env=environ(home, model))


_ASKS = Limit("`codex exec` asks nobody; `acp:codex-acp` does")

SUBJECT = Subject(
    "codex",
    programs=("codex",),
    point=_point,
    memory=".codex/sessions/**/*",
    always=True,
    package="codex",
    limits={"denied": _ASKS, "asks": _ASKS},
)
