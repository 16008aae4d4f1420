"""What the agent of one attempt is told from outside, and how it is put to it.

A conversation hears each message once. A conversation that begins, or that goes on after a crash
cut it off, hears with its task all that was left for the step: whether the turn that was cut off
had come to the agent nobody can know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from smithers.clock import Clock
from smithers.errors import StoreError, StoreGone
from smithers.model.step import Attempt
from smithers.process.identity import me
from smithers.store import messages
from smithers.store.database import Store
from smithers.store.messages import Message

T = TypeVar("T")

AGAIN_SECONDS = 0.2


class Mailbox:
    """The messages of one attempt's step."""

    def __init__(self, store: Store, run: str, attempt: Attempt, clock: Clock) -> None:
        self._store = store
        self._run = run
        self._attempt = attempt
        self._clock = clock

    async def opening(self) -> list[Message]:
        """All that was left for the step. Raises LeaseLost."""
        return await self._patiently(lambda: self._deliver(afresh=True))

    async def waiting(self) -> list[Message]:
        """What has come since. Raises LeaseLost."""
        return await self._patiently(lambda: self._deliver(afresh=False))

    async def waiting_or_shut(self) -> list[Message]:
        """The same; where nothing has come, nothing can any more. Raises LeaseLost."""
        while True:
            found = await self.waiting()
            if found:
                return found
            if await self._patiently(self._shut):
                return []

    def _deliver(self, *, afresh: bool) -> list[Message]:
        return messages.deliver(
            self._store, self._run, self._attempt, me(), now=self._clock.now(), afresh=afresh
        )

    def _shut(self) -> bool:
        return messages.shut(self._store, self._run, self._attempt, me(), now=self._clock.now())

    async def _patiently(self, ask: Callable[[], T]) -> T:
        while True:
            try:
                return ask()
            except StoreGone:
                raise
            except StoreError:
                # Others hold the writer, or the disk is full: an answer waits, and is not lost.
                await asyncio.sleep(AGAIN_SECONDS)


def with_task(task: str, told: Sequence[Message]) -> str:
    """The task, and after it what was said about it."""
    if not told:
        return task
    return (
        f"{task}\n\n# Messages about this task\n\n{_quoted(told)}\n\n"
        "Take them into account. Where a person's message and the task differ, the message counts."
    )


def in_between(told: Sequence[Message]) -> str:
    """What was said while the agent was at work, put to it before its answer is taken."""
    return (
        f"Before your answer is taken, there is this for you:\n\n{_quoted(told)}\n\n"
        "Do what follows from it for your task, then give your answer again, whole: "
        "it replaces the one before."
    )


def _quoted(told: Sequence[Message]) -> str:
    """Each line marked, so that no message can pass for the next one or for the task."""
    return "\n\n".join(
        f"Message from {_sender(each.actor)}:\n"
        + "\n".join(f"> {line}" for line in each.body.splitlines())
        for each in told
    )


def _sender(actor: str) -> str:
    kind, _, name = actor.partition(":")
    name = " ".join(name.split())
    if kind == "person":
        return f"{name}, a person whom you work for"
    return f"{name or kind}, an agent, which is not a person"
