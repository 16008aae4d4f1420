"""Claude Code: how it is started, and how its questions are answered."""

from __future__ import annotations

import json
from collections.abc import Sequence

from smithers.agents.base import Turn
from smithers.agents.cli import Shape
from smithers.agents.clis.claude_asking import ASKED, Asking
from smithers.agents.clis.claude_stream import Stream


def _argv(turn: Turn, model: str) -> Sequence[str]:
    argv = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    argv += ["--resume" if turn.resume else "--session-id", turn.session]
    # Each use of a tool is asked for on stdout, and answered on stdin.
    argv += ["--permission-mode", "default", "--permission-prompt-tool", "stdio"]
    if turn.policy.needs_asking:
        # Else it asks for nothing that the person's own settings allow, or that it takes for safe.
        argv += ["--settings", json.dumps({"permissions": {"ask": ASKED}})]
    if turn.schema is not None:
        argv += ["--json-schema", json.dumps(turn.schema)]
    if model:
        argv += ["--model", model]
    return argv


def _stdin(turn: Turn) -> str:
    # A prompt that begins with a slash would be taken for a command of the CLI.
    prompt = f"\n{turn.prompt}" if turn.prompt.lstrip().startswith("/") else turn.prompt
    content = [{"type": "text", "text": prompt.encode("utf-8", "replace").decode()}]
    return json.dumps({"type": "user", "message": {"role": "user", "content": content}}) + "\n"


SHAPE = Shape(
    kind="claude",
    command="claude",
    install="npm install -g @anthropic-ai/claude-code",
    argv=_argv,
    reader=lambda turn: Stream(Asking(turn.policy, turn.workspace), resumed=turn.resume),
    login=(
        "ANTHROPIC_",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_DISABLE_",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "DISABLE_",
        "IS_SANDBOX",
    ),
    signs=(
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "~/.claude/.credentials.json",
    ),
    env={"CLAUDE_CODE_MAX_RETRIES": "2"},
    stdin=_stdin,
    schema=True,
    prices=True,
    talks=True,
)
