"""One turn with an agent of the Agent Client Protocol, from the greeting to the verdict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from acp import RequestError

from smithers.agents.acp.asking import Asking, Outcome
from smithers.agents.acp.client import Link
from smithers.agents.acp.events import Gathering, Updates
from smithers.agents.acp.failures import Unable, ended, gone, marked, refused
from smithers.agents.acp.known import UNKNOWN, Known
from smithers.agents.acp.session import choose, find, greet, set_model
from smithers.agents.answers import asked, last_object
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
from smithers.agents.lines import RAW_LIMIT, Event, table
from smithers.model.step import JSON
from smithers.process.child import Child

_WINDING_DOWN = 5.0  # seconds in which a turn that was cancelled may say what it has used
_DENIALS = 5  # how often it is told to go on after a denial that has ended its turn


class Conversation:
    """One turn, from the greeting to the verdict."""

    def __init__(
        self,
        process: Child,
        turn: Turn,
        model: str,
        traits: Known,
        emit: Callable[[AgentEvent], None],
    ) -> None:
        self._turn = turn
        self._model = model
        self._traits = traits
        self._session = turn.session
        self._events = Gathering(emit)
        self._updates = Updates(resumed=turn.resume, counts_all=traits.counts_all)
        self._asking = Asking(turn.policy, turn.workspace)
        self._begun = False
        """It was given the task."""
        self._limit: asyncio.Timeout | None = None
        self._link = Link(process, self._read, self._request)

    async def hold(self) -> Verdict:
        """Talk until the turn has ended; after that nothing of the process is left."""
        try:
            verdict = await self._talk()
            # One that stays is ended by us: then its exit code tells nothing.
            if (code := await self._link.part()) and isinstance(verdict, Answered):
                verdict = ended(code).verdict(self._updates.usage, code)
        except Unable as error:
            verdict = error.verdict(self._updates.usage)
        except RequestError as error:
            verdict = refused(error).verdict(self._updates.usage)
        except ConnectionError:
            code = await self._link.part()
            lost = gone(code, self._link.errors, begun=self._begun)
            verdict = lost.verdict(self._updates.usage, code)
        finally:
            await self._link.end()
            self._events.flush()
        if self._asking.put is not None:
            return Asked(self._asking.put, self._updates.usage, self._session)
        return verdict

    async def _talk(self) -> Verdict:
        hello = await greet(self._link)
        who = table(hello.get("agentInfo"))
        called = f"{who.get('title') or who.get('name') or 'agent'} {who.get('version') or ''}"
        self._note(called, json.dumps(hello))
        session = await self._open(table(hello.get("agentCapabilities")))
        await self._set_mode(session)
        await set_model(self._link, self._session, session, self._model)
        return await self._play()

    async def _open(self, can: Event) -> Event:
        """Begin the conversation, or find it again."""
        where: dict[str, JSON] = {"cwd": str(self._turn.workspace), "mcpServers": []}
        if not self._turn.resume:
            session = await self._link.ask("session/new", **where)
            self._session = str(session.get("sessionId") or "")
            told = f"conversation {self._session}"
            raw = json.dumps(session)[:RAW_LIMIT]
            self._events.take(AgentEvent(EventKind.NOTICE, told, raw, session=self._session))
            return session
        self._updates.replaying = True
        try:
            return await find(self._link, can, self._session, where)
        finally:
            self._updates.replaying = False

    async def _set_mode(self, session: Event) -> None:
        """See to it that it asks, where the rules need that."""
        wanted = self._traits.modes(self._turn.policy)
        if not wanted or await choose(self._link, self._session, session, "mode", wanted):
            return
        what = f"it offers none of the modes in which it asks: {', '.join(wanted)}"
        if self._traits is not UNKNOWN and self._turn.policy.needs_asking:
            raise Unable(FailureKind.CONFIG, what)
        self._note(f"{what}; whether it keeps to [permissions] is not known", json.dumps(session))

    async def _play(self) -> Verdict:
        """Prompt it; a denial that ends its turn is told to it, and the turn goes on."""
        text = _words(self._turn)
        result: Event = {}
        for _ in range(1 + _DENIALS):
            self._asking.denied = ""
            result = await self._prompt(text)
            self._updates.end(result)
            if not self._cut_short(result):
                break
            text = f"{self._asking.denied}. Go on without it, or say why you cannot."
        return self._verdict(result.get("stopReason"))

    async def _prompt(self, text: str) -> Event:
        content = [{"type": "text", "text": text}]
        self._begun = True
        try:
            async with asyncio.timeout(None) as self._limit:
                return await self._link.ask(
                    "session/prompt", sessionId=self._session, prompt=content
                )
        except TimeoutError:
            return {}
        finally:
            self._limit = None

    def _cut_short(self, result: Event) -> bool:
        if not self._asking.denied or self._asking.put is not None:
            return False
        reason = result.get("stopReason")
        return reason == "cancelled" or (reason == "end_turn" and not self._updates.spoke)

    def _verdict(self, reason: object) -> Verdict:
        updates = self._updates
        if updates.broken:
            raise marked(updates.error, updates.aside)
        if reason == "end_turn":
            value = None if self._turn.schema is None else last_object(updates.said)
            return Answered(updates.said.strip(), value, updates.usage, self._session)
        message = f"it stopped: {reason}. {updates.said[-400:]}".strip()
        return Failed(FailureKind.ERROR, message, updates.usage)

    def _read(self, line: str) -> None:
        for event in self._updates.feed(line):
            self._events.take(event, breaks=self._updates.begun)

    async def _request(self, method: str, params: Event) -> Outcome:
        """Answer what it asks: for leave, by the policy; for anything else, that we have it not."""
        raw = json.dumps({"method": method, "params": params})
        if method != "session/request_permission":
            self._note(f"refused: {method}", raw)
            raise RequestError.method_not_found(method)
        first = self._asking.put is None
        call = self._updates.call(table(params.get("toolCall")))
        outcome, said = self._asking.answer(call, params.get("options"))
        self._updates.spoke = False
        self._events.take(AgentEvent(EventKind.PERMISSION, said, raw[:RAW_LIMIT]))
        if first and self._asking.put is not None and self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + _WINDING_DOWN)
            await self._link.tell("session/cancel", sessionId=self._session)
        return outcome

    def _note(self, text: str, raw: str) -> None:
        self._events.take(AgentEvent(EventKind.NOTICE, text.strip(), raw[:RAW_LIMIT]))


def _words(turn: Turn) -> str:
    # What begins with a slash would be taken for a command of the agent.
    prompt = f"\n{asked(turn)}" if turn.prompt.lstrip().startswith("/") else asked(turn)
    return prompt.encode("utf-8", "replace").decode()
