"""Any program as an agent: an argv template, a prompt in, words or one JSON object out."""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smithers.agents import environment
from smithers.agents.answers import last_object
from smithers.agents.base import (
    AgentEvent,
    Answered,
    EventKind,
    Failed,
    FailureKind,
    Turn,
    Verdict,
)
from smithers.agents.session import converse
from smithers.model.step import JSON, Usage
from smithers.process.sandbox import OUT

_KEPT = 1 << 17  # characters of stdout in which the answer is looked for
_PROMPT_FILE = "{prompt_file}"
_MODEL = "{model}"


@dataclass(frozen=True, slots=True)
class CommandAgent:
    """Knows no conversations: each turn is the same argv with a prompt that says it all."""

    name: str
    template: str
    model: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.model or Path(_words(self.template)[0]).name

    @property
    def remembers(self) -> bool:
        return False

    async def play(self, turn: Turn, emit: Callable[[AgentEvent], None]) -> Verdict:
        """Run the command once: success is exit 0, its answer a file or its last JSON object."""
        if turn.policy.needs_asking:
            what = f"[permissions] has something to ask or deny, and {self.name} asks nobody"
            return Failed(FailureKind.CONFIG, f"{what}: use an agent that asks in its place")
        said = _Tail(_KEPT)

        def on_line(source: str, text: str) -> None:
            if source == "out":
                said.add(text)
            emit(AgentEvent(EventKind.TEXT if source == "out" else EventKind.NOTICE, text))

        try:
            answer = _write_files(turn)
            argv = self.argv(turn)
            code, errors = await converse(
                argv,
                cwd=turn.workspace,
                env=environment.build(turn.mark, {**self.env, **_variables(turn)}),
                mark=turn.mark,
                stdin="" if _PROMPT_FILE in self.template else turn.prompt,
                on_line=on_line,
                box=turn.box,
            )
        except OSError as error:
            return Failed(FailureKind.CONFIG, f"{self.name} cannot be started: {error}")
        if code != 0:
            message = f"{argv[0]} exited with {code}: {errors or said.text()[-400:]}"
            return Failed(FailureKind.ERROR, message, exit_code=code)
        text = said.text()
        value = None if turn.schema is None else _answer(answer, text)
        return Answered(text.strip(), value, Usage(), turn.session)

    def argv(self, turn: Turn) -> list[str]:
        """Fill the template word by word, so that nothing in a value is taken for shell."""
        values = {
            _PROMPT_FILE: str(_prompt_file(turn)),
            _MODEL: turn.model or self.model,
        }
        words = [*_words(self.template), *self.args]
        for place, value in values.items():
            words = [word.replace(place, value) for word in words]
        return words


class _Tail:
    """The last lines of a long output."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[str] = deque()
        self._size = 0

    def add(self, line: str) -> None:
        self._lines.append(line[-self._limit :])
        self._size += len(self._lines[-1]) + 1
        while self._size > self._limit and len(self._lines) > 1:
            self._size -= len(self._lines.popleft()) + 1

    def text(self) -> str:
        return "\n".join(self._lines)


def _words(template: str) -> list[str]:
    return shlex.split(template)


def _prompt_file(turn: Turn) -> Path:
    return turn.scratch / "prompt.md"


def _answer_file(turn: Turn) -> Path:
    return turn.scratch / OUT / "output.json"


def _variables(turn: Turn) -> dict[str, str]:
    if turn.schema is None:
        return {}
    return {
        "SMITHERS_SCHEMA": str(turn.scratch / "schema.json"),
        "SMITHERS_OUTPUT": str(_answer_file(turn)),
    }


def _write_files(turn: Turn) -> Path:
    """Write prompt and schema, and take away an earlier turn's answer; returns where it will be."""
    answer = _answer_file(turn)
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.unlink(missing_ok=True)
    _prompt_file(turn).write_text(turn.prompt, encoding="utf-8", errors="surrogateescape")
    if turn.schema is not None:
        schema = json.dumps(turn.schema, indent=2)
        (turn.scratch / "schema.json").write_text(schema, encoding="utf-8")
    return answer


def _answer(file: Path, text: str) -> JSON:
    """Read the answer: from its file if there is one, good or bad, else from the words."""
    try:
        content = _content(file)
    except FileNotFoundError:
        return last_object(text)
    except (OSError, UnicodeDecodeError):
        return None
    try:
        value: JSON = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value


def _content(file: Path) -> str:
    """What is in a plain file: no symlink, that could lead where the agent cannot read, no pipe."""
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, encoding="utf-8") as opened:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{file} is no plain file")
        return opened.read()
