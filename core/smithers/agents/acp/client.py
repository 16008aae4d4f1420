"""The connection to one process that speaks the Agent Client Protocol."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from acp.connection import Connection

from smithers.agents.acp.events import is_stray
from smithers.agents.lines import Event, table
from smithers.process.child import Child

LINE_LIMIT = 32 << 20
"""Bytes: a line is one message, and may hold a file before and after an edit."""
_ERROR_LINES = 20
_ERROR_WIDTH = 2000  # characters of each
_PARTING = 1.0  # seconds in which it may end by itself


class Link:
    """Requests to the process, and its lines, each of them first handed to `on_line`.

    `on_request` answers what it asks; RequestError from it is an answer too.
    """

    def __init__(
        self,
        child: Child,
        on_line: Callable[[str], None],
        on_request: Callable[[str, Event], Awaitable[Any]],
    ) -> None:
        self._child = child
        self._lines: AsyncGenerator[tuple[str, str], None] = child.lines()
        self._on_line = on_line
        self._on_request = on_request
        self._errors: deque[str] = deque(maxlen=_ERROR_LINES)
        self._connection = Connection(self._handle, self)

    @property
    def errors(self) -> str:
        """The last lines of its stderr."""
        return "\n".join(self._errors)

    async def ask(self, method: str, **params: Any) -> Event:
        """Its answer. RequestError if that is an error, ConnectionError if it has ended."""
        return table(await self._connection.send_request(method, params))

    async def tell(self, method: str, **params: Any) -> None:
        await self._connection.send_notification(method, params)

    async def part(self) -> int | None:
        """Let it end by itself, and save what it has; its exit code, or None if it stays."""
        self._child.hang_up()
        with suppress(TimeoutError):
            return await asyncio.wait_for(self._child.wait(), _PARTING)
        return None

    async def end(self) -> None:
        """End the connection, then the process with all that it began."""
        try:
            await self._connection.close()
            await self._lines.aclose()
        finally:
            await self._child.stop()

    async def send(self, message: dict[str, Any]) -> None:
        """Write a message (the connection calls this)."""
        self._child.send(json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """Read the next message, None at the end (the connection calls this)."""
        async for stream, text in self._lines:
            if stream == "err":
                self._errors.append(text[:_ERROR_WIDTH])
                continue
            self._on_line(text)
            if (message := _message(text)) is not None:
                return message
        return None

    async def close(self) -> None:
        """Write no more (the connection calls this)."""
        self._child.hang_up()

    async def _handle(self, method: str, params: Any, is_notification: bool) -> Any:  # noqa: FBT001
        return None if is_notification else await self._on_request(method, table(params))


def _message(text: str) -> dict[str, Any] | None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or is_stray(message):
        return None
    error = message.get("error")
    if error and not isinstance(error, dict):
        message["error"] = {"message": str(error)}
    return message
