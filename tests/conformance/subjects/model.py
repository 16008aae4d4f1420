"""A model without a CLI, on the wire that most speak; tests/agents/test_model_agent.py has the others."""

from pathlib import Path

from smithers.config import AgentSpec
from tests.conformance.subject import Subject
from tests.models import FakeModel

ENVIRON = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", ""),
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "/v1"),
    "openai-chat": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "/v1"),
    "google": ("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", ""),
}


def environ(provider: str, model: FakeModel) -> dict[str, str]:
    """What points the library of a provider at a model."""
    key, url, path = ENVIRON[provider]
    return {key: "sk-none", url: f"{model.url}{path}"}


def _point(_: Path, model: FakeModel) -> AgentSpec:
    return AgentSpec("model", model="openai-chat:any-model", env=environ("openai-chat", model))


SUBJECT = Subject(
    "model",
    programs=("python",),
    point=_point,
    memory="../project/.smithers/state/scratch/*/conversation-*/*.json",
)
