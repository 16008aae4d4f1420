"""The messages of a conversation in a file, at every moment in a form that can be gone on from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

_LOST = "No result: the turn was interrupted. Look what is there before you do it again."


class Gone(Exception):
    """There is no such conversation, or its file is broken."""


class History:
    """A conversation. What a tool of the last response gave is in it as soon as it is there."""

    def __init__(self, path: Path) -> None:
        self.messages: list[ModelMessage] = []
        self._path = path
        self._returns: list[ToolReturnPart] = []
        """To calls of the last response, so far."""

    def load(self) -> None:
        """Take up what is in the file. Raises Gone."""
        try:
            self.messages = ModelMessagesTypeAdapter.validate_json(self._path.read_bytes())
        except (OSError, ValidationError) as error:
            raise Gone(str(self._path)) from error

    def prompt(self, text: str) -> None:
        """Say something to the model."""
        part = UserPromptPart(text)
        last = self.messages[-1] if self.messages else None
        if isinstance(last, ModelRequest):
            self.messages[-1] = ModelRequest([*last.parts, part])
        else:
            self.messages.append(ModelRequest([part]))
        self._save(self.messages)

    def respond(self, response: ModelResponse) -> None:
        """Keep what the model said; results of its calls follow."""
        self.messages.append(response)
        self._save(self._closed())

    def give(self, call: ToolCallPart, text: str, *, failed: bool) -> None:
        """Keep the result of one call."""
        part = ToolReturnPart(call.tool_name, text, call.tool_call_id)
        self._returns.append(replace(part, outcome="failed") if failed else part)
        self._save(self._closed())

    def close(self) -> None:
        """All calls of the last response have their result: the next request tells of them."""
        self.messages, self._returns = self._closed(), []

    def _closed(self) -> list[ModelMessage]:
        """The messages, with a result for each call: no provider takes a call without one."""
        last = self.messages[-1]
        calls = last.tool_calls if isinstance(last, ModelResponse) else []
        if not calls:
            return self.messages
        given = {part.tool_call_id for part in self._returns}
        lost: list[ModelRequestPart] = [
            ToolReturnPart(call.tool_name, _LOST, call.tool_call_id, outcome="interrupted")
            for call in calls
            if call.tool_call_id not in given
        ]
        return [*self.messages, ModelRequest([*self._returns, *lost])]

    def _save(self, messages: Sequence[ModelMessage]) -> None:
        draft = self._path.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123 - of a mode from its first byte
            file.write(ModelMessagesTypeAdapter.dump_json(list(messages)))
        draft.replace(self._path)
