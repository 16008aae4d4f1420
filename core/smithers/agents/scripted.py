"""Plays a script of real edits, commands and answers through the interface of an agent."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smithers.agents import environment
from smithers.agents.base import (
    AgentEvent,
    Answered,
    Asked,
    EventKind,
    Failed,
    FailureKind,
    Turn,
    Verdict,
)
from smithers.agents.lines import amount, used
from smithers.agents.lines import number as count
from smithers.agents.permissions import Question, Ruling, Tool
from smithers.agents.session import converse
from smithers.model.step import JSON, Usage, generic, iteration_of

_LOOK = 0.02  # seconds between two looks for a file that is waited for
_QUOTED = 400  # characters of the prompt in a failure
_FAILURES = {
    "error": FailureKind.ERROR,
    "rate_limit": FailureKind.RATE_LIMITED,
    "auth": FailureKind.AUTH,
    "config": FailureKind.CONFIG,
}
# Turns that are being played now, by the file that keeps those that were: steps side by side
# must not get the same one.
_playing: dict[Path, set[int]] = {}

Emit = Callable[[AgentEvent], None]
Part = Mapping[str, JSON]


class _Put(Exception):
    """The turn ends here, with a question for a person."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.title)
        self.question = question


class _Stop(Exception):
    """The turn ends here, badly."""

    def __init__(
        self, kind: FailureKind, message: str, *, wait: float | None = None, played: bool = False
    ) -> None:
        super().__init__(message)
        self.failed = Failed(kind, message, retry_after=wait)
        self.played = played


@dataclass(frozen=True, slots=True)
class ScriptedAgent:
    """A file of turns.

    Which ones were played, and by which attempt, is kept beside the turns' scratch folders: a turn
    of an attempt that came to no verdict is played again, since what it said is in no record.
    """

    name: str
    script: Path
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return "scripted"

    @property
    def remembers(self) -> bool:
        return False

    async def play(self, turn: Turn, emit: Emit) -> Verdict:
        """Play the first turn of the script that fits and was not played to its end before."""
        kept = self._kept(turn)
        playing = _playing.setdefault(kept, set())
        number: int | None = None
        part: Part = {}
        try:
            number, part = self._choose(turn, _played(kept, turn.undone) | playing)
            playing.add(number)
            said = await self._act(part, turn, emit)
            _note(kept, number, turn.mark.token)
            return Answered(_last_words(said, part), part.get("output"), _usage(part), turn.session)
        except _Put as put:
            return Asked(put.question, _usage(part), turn.session)
        except _Stop as stop:
            if stop.played and number is not None:
                _note(kept, number, turn.mark.token)
            return stop.failed
        except OSError as error:
            return Failed(FailureKind.ERROR, str(error))
        finally:
            playing.discard(-1 if number is None else number)

    def _kept(self, turn: Turn) -> Path:
        digest = hashlib.sha256(os.fsencode(self.script)).hexdigest()[:16]
        return turn.scratch.parent / f"played-{digest}.json"

    def _choose(self, turn: Turn, taken: set[int]) -> tuple[int, Part]:
        quoted = turn.prompt[:_QUOTED]
        for number, part in enumerate(self._turns()):
            if number in taken or not _fits(part, turn):
                continue
            for text in _list(part.get("expect")):
                if str(text) not in turn.prompt:
                    what = f"turn {number} of {self.script} expects {text!r}"
                    raise _Stop(FailureKind.CONFIG, f"{what} in the prompt: {quoted}")
            return number, part
        where = f"{turn.mark.step}, attempt {turn.mark.attempt}"
        raise _Stop(
            FailureKind.CONFIG, f"{self.script} has no turn left for {where}; the prompt: {quoted}"
        )

    def _turns(self) -> list[Part]:
        try:
            script = json.loads(self.script.read_text(encoding="utf-8"))
            turns = script["turns"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise _Stop(
                FailureKind.CONFIG, f"{self.script} is no script of turns: {error}"
            ) from error
        return [part for part in _list(turns) if isinstance(part, dict)]

    async def _act(self, part: Part, turn: Turn, emit: Emit) -> str:
        said = ""
        for action in _list(part.get("do")):
            if not isinstance(action, dict):
                raise _Stop(FailureKind.CONFIG, f"no such action: {action!r}")
            match action:
                case {"say": text}:
                    said = str(text)
                    emit(AgentEvent(EventKind.TEXT, said))
                case {"run": command}:
                    await self._run(str(command), _list(action.get("ok", [0])), turn, emit)
                case {"sleep": seconds}:
                    await asyncio.sleep(float(str(seconds)))
                case {"wait_for": path}:
                    emit(AgentEvent(EventKind.NOTICE, f"wait for {path}"))
                    while not (turn.workspace / str(path)).exists():  # noqa: ASYNC110
                        await asyncio.sleep(_LOOK)
                case _:
                    _at_once(action, turn, emit)
        return said

    async def _run(self, command: str, ok: list[JSON], turn: Turn, emit: Emit) -> None:
        emit(AgentEvent(EventKind.TOOL_CALL, f"run {command}"))
        lines: list[str] = []
        code, _ = await converse(
            ["/bin/sh", "-c", command],
            cwd=turn.workspace,
            env=environment.build(turn.mark, self.env),
            mark=turn.mark,
            stdin="",
            on_line=lambda _, text: lines.append(text),
            box=turn.box,
        )
        text = "\n".join(lines)
        emit(AgentEvent(EventKind.TOOL_RESULT, f"exit {code}\n{text}".strip()))
        if code not in ok:
            raise _Stop(FailureKind.ERROR, f"{command!r} exited with {code}: {text[-_QUOTED:]}")


def _at_once(action: Part, turn: Turn, emit: Emit) -> None:
    """What takes no time."""
    match action:
        case {"use": dict(tokens)}:
            spent = _usage({"usage": tokens})
            emit(AgentEvent(EventKind.USAGE, used(spent), used=spent))
        case {"ask": subject}:
            _ask(Tool(str(action.get("tool", Tool.SHELL))), str(subject), turn, emit)
        case {"fail": kind}:
            _fail(str(kind), action)
        case _:
            _change_file(action, turn.workspace, emit)


def _ask(tool: Tool, subject: str, turn: Turn, emit: Emit) -> None:
    """Go on where it is allowed; fail where it is denied; else put it to a person."""
    question = Question(tool, tool, subject, subject)
    ruling, why = turn.policy.rule(question)
    emit(AgentEvent(EventKind.PERMISSION, f"{question.title}: {ruling} ({why})"))
    if ruling is Ruling.ASK:
        raise _Put(question)
    if ruling is Ruling.DENY:
        raise _Stop(FailureKind.ERROR, f"{question.title} is not allowed: {why}", played=True)


def _fail(kind: str, more: Part) -> None:
    if kind not in _FAILURES:
        raise _Stop(FailureKind.CONFIG, f"no such failure: {kind!r}")
    message = str(more.get("message") or f"scripted {kind}")
    wait = amount(more.get("retry_after"))
    raise _Stop(_FAILURES[kind], message, wait=wait, played=True)


def _change_file(action: Part, workspace: Path, emit: Emit) -> None:
    match action:
        case {"write": path, "text": text}:
            file, content = workspace / str(path), str(text)
        case {"edit": path, "old": old, "new": new}:
            file = workspace / str(path)
            content = _edited(file, str(old), str(new))
        case _:
            raise _Stop(FailureKind.CONFIG, f"no such action: {action!r}")
    emit(AgentEvent(EventKind.TOOL_CALL, f"{next(iter(action))} {path}"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    emit(AgentEvent(EventKind.TOOL_RESULT, "done"))


def _edited(file: Path, old: str, new: str) -> str:
    content = file.read_text(encoding="utf-8")
    # An earlier try at this turn may have come this far, in a workspace that was not reset.
    if new in content and (old in new or old not in content):
        return content
    if old in content:
        return content.replace(old, new, 1)
    raise _Stop(FailureKind.ERROR, f"{file.name} does not hold {old!r}")


def _fits(part: Part, turn: Turn) -> bool:
    key = turn.mark.step
    step, iteration, attempt = part.get("step"), part.get("iteration"), part.get("attempt")
    return (
        step in {None, key, generic(key)}
        and iteration in {None, iteration_of(key)}
        and attempt in {None, turn.mark.attempt}
    )


def _last_words(said: str, part: Part) -> str:
    output = part.get("output")
    return said or ("" if output is None else json.dumps(output, ensure_ascii=False))


def _usage(part: Part) -> Usage:
    usage = part.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    inputs, outputs, cost = (usage.get(k) for k in ("input_tokens", "output_tokens", "cost_usd"))
    return Usage(
        count(inputs) if isinstance(inputs, int) else None,
        count(outputs) if isinstance(outputs, int) else None,
        amount(cost),
    )


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []


def _load(kept: Path) -> dict[str, int]:
    try:
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _played(kept: Path, undone: frozenset[int]) -> set[int]:
    return {int(number) for number, token in _load(kept).items() if token not in undone}


def _note(kept: Path, number: int, token: int) -> None:
    """Write down that a turn was played; only at its end, so that a crash in it repeats it."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(".new")
    fresh.write_text(json.dumps({**_load(kept), str(number): token}), encoding="utf-8")
    fresh.replace(kept)
