"""One turn of a conversation: the model is asked, its tools are used, until it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import (
    InstructionPart,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from smithers.agents.answers import last_object
from smithers.agents.models import trouble
from smithers.agents.models.history import History
from smithers.agents.models.place import Place, Refused
from smithers.agents.models.request import Request
from smithers.agents.models.tools import TOOLS, Use
from smithers.agents.permissions import Question, Ruling
from smithers.model.step import JSON

Say = Callable[[Mapping[str, Any]], None]

ANSWER = "final_result"
_INSTRUCTIONS = """\
You are a coding agent. Do the task with your tools, check your work, then say what you did.
Nobody answers questions: decide yourself. Paths are relative to the workspace.
If there is a file AGENTS.md in the workspace, read it first and heed it.
Working directory: {workspace}"""
_GIVE = "\nWhen all is done, give your answer with the tool {answer}, alone."
_WHOLE = frozenset({"stop", "tool_call"})
_SETTINGS = ModelSettings(cache=True, max_retries=0)


class Asks(Exception):
    """A person has to be asked first. It was said, and the turn is at its end."""


class Talk:
    def __init__(self, request: Request, model: Model, place: Place, say: Say) -> None:
        self._request = request
        self._model = model
        self._place = place
        self._say = say
        self._history = History(request.conversation)
        self._parameters = _parameters(request)

    async def turn(self) -> tuple[str, JSON]:
        """Play it: its last words and its structured answer. Raises Gone, Asks, or what failed."""
        if self._request.resume:
            self._history.load()
        self._history.prompt(self._request.prompt)
        while True:
            response = await self._asked()
            self._tell(response)
            self._history.respond(response)
            answer: JSON = None
            for call in response.tool_calls:
                given = await self._use(call)
                answer = answer if given is None else given
            words = response.text or ""
            if answer is not None or not response.tool_calls:
                wanted = self._request.schema is not None
                return words, last_object(words) if wanted and answer is None else answer
            self._history.close()

    async def _asked(self) -> ModelResponse:
        """The whole response; trouble that may pass soon is waited for."""
        tries = 0
        while True:
            try:
                return await self._streamed()
            except Exception as error:
                wait = trouble.pause(error, tries)
                if wait is None:
                    raise
                said = trouble.failure(error).message
                self._say({"type": "retry", "text": f"{said}: again in {wait:g} s"})
                tries += 1
                await asyncio.sleep(wait)

    async def _streamed(self) -> ModelResponse:
        async with model_request_stream(
            self._model,
            self._history.messages,
            model_settings=_SETTINGS,
            model_request_parameters=self._parameters,
        ) as stream:
            async for _ in stream:
                pass
        response = stream.get()
        used = response.usage
        counts = {"input": used.input_tokens, "output": used.output_tokens}
        self._say({"type": "usage", **counts, "cached": used.cache_read_tokens})
        if response.finish_reason not in _WHOLE:
            raise trouble.CutOff(response.finish_reason)
        return response

    def _tell(self, response: ModelResponse) -> None:
        for part in response.parts:
            if isinstance(part, TextPart | ThinkingPart) and part.content:
                kind = "text" if isinstance(part, TextPart) else "thinking"
                self._say({"type": kind, "text": part.content})

    async def _use(self, call: ToolCallPart) -> JSON:
        """Use a tool, as far as it may be, and keep what came of it. Returns a final answer."""
        failed, answer = False, None
        try:
            given = _arguments(call)
            self._say({"type": "tool_call", "name": call.tool_name, "input": given})
            if call.tool_name == ANSWER and self._request.schema is not None:
                text, answer = "taken", given
            else:
                text = await self._allowed(call, _made(call.tool_name, given))
        except (Refused, UnicodeEncodeError, OSError, RecursionError) as refused:
            text, failed = str(refused), True
        text = text.replace("\0", "\ufffd")
        self._history.give(call, text, failed=failed)
        self._say({"type": "tool_result", "text": text, "failed": failed})
        return answer

    async def _allowed(self, call: ToolCallPart, use: Use) -> str:
        question = use.question(self._place)
        ruling, why = self._request.policy.rule(question)
        self._say({"type": "permission", **_told(question), "ruling": ruling, "why": why})
        if ruling is Ruling.DENY:
            raise Refused(f"Not allowed: {why}")
        if ruling is Ruling.ASK:
            waits = "Not done yet: a person is asked whether it may be. You will be told."
            self._history.give(call, waits, failed=True)
            raise Asks
        return await use.do(self._place)


def _parameters(request: Request) -> ModelRequestParameters:
    tools = [
        _definition(use.name, use.model_json_schema(), use.__doc__ or "") for use in TOOLS.values()
    ]
    said = _INSTRUCTIONS.format(workspace=request.workspace)
    answers = []
    if request.schema is not None:
        said += _GIVE.format(answer=ANSWER)
        answers = [_definition(ANSWER, dict(request.schema), "Give your final answer.")]
    return ModelRequestParameters(
        function_tools=tools,
        output_mode="tool" if answers else "text",
        output_tools=answers,
        allow_text_output=True,
        instruction_parts=[InstructionPart(content=said)],
    )


def _definition(name: str, schema: dict[str, Any], what: str) -> ToolDefinition:
    return ToolDefinition(name=name, parameters_json_schema=schema, description=what)


def _arguments(call: ToolCallPart) -> dict[str, JSON]:
    given: Any = call.args
    try:
        given = json.loads(given or "{}") if not isinstance(given, dict) else given
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Refused("the input is no JSON object")
    # A lone surrogate can stand neither in a file nor in a request.
    clean = json.dumps(given, ensure_ascii=False).encode("utf-8", "replace")
    found: dict[str, JSON] = json.loads(clean)
    return found


def _made(name: str, given: Mapping[str, JSON]) -> Use:
    if name not in TOOLS:
        raise Refused(f"there is no tool {name}; there are {', '.join(TOOLS)}")
    try:
        return TOOLS[name].model_validate(given)
    except ValidationError as error:
        flaws = (f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}" for flaw in error.errors())
        raise Refused("; ".join(flaws)) from None


def _told(question: Question) -> dict[str, str]:
    parts = {"tool": question.tool.value, "name": question.name}
    return {**parts, "subject": question.subject, "body": question.body}
