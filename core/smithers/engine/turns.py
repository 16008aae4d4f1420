"""The conversation of one attempt with its agent.

The task, then what came meanwhile, and at most two turns that repair its answer.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from smithers.agents.base import (
    AgentEvent,
    Answered,
    Asked,
    Failed,
    FailureKind,
    Turn,
    Verdict,
)
from smithers.agents.permissions import Policy, Question
from smithers.agents.registry import make, resolve
from smithers.author.prompt import Prompt
from smithers.author.steps import Task
from smithers.config import Config
from smithers.engine.border import Executor, Request
from smithers.engine.limits import OutOfTime, limits_of
from smithers.engine.log import AttemptLog
from smithers.engine.mail import Mailbox, in_between, with_task
from smithers.engine.workspace import Workspace
from smithers.model.run import Run
from smithers.model.step import JSON, Attempt, PlanStep, Usage
from smithers.process.marks import Mark
from smithers.process.sandbox import Box
from smithers.store.messages import Message

REPAIR_TURNS = 2
_SPACE = uuid.UUID("6f0c9f4e-6b0e-5f43-9d5c-2f0b8f6a7d11")


class AgentAsks(Exception):
    """The agent wants to do what no rule decides about: a person is to be asked."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.title)
        self.question = question


class TurnFailed(Exception):
    """The agent did not do it. Carries what the retry policy needs."""

    def __init__(self, failure: Failed) -> None:
        super().__init__(failure.message)
        self.message = failure.message
        self.exit_code = failure.exit_code
        self.retry_after = failure.retry_after
        self.rate_limited = failure.kind is FailureKind.RATE_LIMITED
        self.retryable = failure.kind.retryable


def session_of(run: str, attempt: Attempt) -> str:
    """The conversation's id, known before the agent starts so that a crash can find it again."""
    return str(uuid.uuid5(_SPACE, f"{run}/{attempt.key}.{attempt.n}.{attempt.token:012x}"))


class Conversation:
    """One attempt's talk. `usage` and `session` say how it went, whatever happened."""

    def __init__(  # noqa: PLR0913 - a value object of the attempt
        self,
        *,
        run: Run,
        config: Config,
        workspace: Workspace,
        scratch: Path,
        box: Box | None,
        step: PlanStep,
        leaf: Task[Any],
        attempt: Attempt,
        undone: frozenset[int],
        mail: Mailbox,
        policy: Policy,
        answered: str,
        on_session: Callable[[str], None],
        on_usage: Callable[[Usage], None],
        log: AttemptLog,
        executor: Executor,
    ) -> None:
        self.spec = resolve(attempt.agent, config.agents)
        self.agent = make(attempt.agent, self.spec, root=Path(run.root))
        self.files = ""
        """Commit of the files as the next turn will find them; empty: of untracked ones."""
        self._ended = Usage()
        self.session = attempt.session or session_of(run.id, attempt)
        self.lost = False
        """The conversation to go on in was gone; `answer` may be asked once more, afresh."""
        self._resume = False
        self._run = run
        self._workspace = workspace
        self._scratch = scratch
        self._box = box
        self._step = step
        self._leaf = leaf
        self._attempt = attempt
        self._undone = undone
        self._mail = mail
        self._policy = policy
        self._answered = answered
        """What is said of the answer to what it asked at last."""
        self._on_session = on_session
        self._on_usage = on_usage
        self._so_far = Usage()
        """Of the turn that is under way."""
        self._log = log
        self._executor = executor
        self._timeout, self._stall = limits_of(step, config.limits)

    @property
    def usage(self) -> Usage:
        """Of all turns, the one that is under way included as far as it tells."""
        return self._ended + self._so_far

    def can_resume(self, earlier: Attempt) -> bool:
        """The same agent remembers what it was doing when its engine died."""
        return bool(
            self.agent.remembers and earlier.session and earlier.agent == self._attempt.agent
        )

    def take_up(self, earlier: Attempt) -> None:
        self.session = earlier.session
        self._resume = True

    async def answer(self, note: str) -> JSON:
        """The validated answer.

        Raises TurnFailed, AgentAsks, or OutOfTime. Sets `lost` and returns None, once.
        """
        task = self._text()
        repairs = 0
        prompt = self._opening(task, note, self._noted(await self._mail.opening()))
        self._scratch.mkdir(parents=True, exist_ok=True)
        verdict = await self._play(prompt)
        if self._resume and _unknown(verdict):
            self._forget()
            return None
        while True:
            if isinstance(verdict, Failed):
                raise TurnFailed(verdict)
            self.session = verdict.session or self.session
            if isinstance(verdict, Asked):
                raise AgentAsks(verdict.question)
            value, problem = self._validated(verdict)
            repairs += self._to_repair(problem, repairs)
            told = await self._told(problem)
            if not problem and not told:
                return value
            prompt = self._next(task, verdict, problem, told)
            self._resume = self.agent.remembers
            verdict = await self._play(prompt)

    def _to_repair(self, problem: str, repairs: int) -> bool:
        """Whether the answer needs repair. Raises TurnFailed when it has had its chances."""
        if not problem:
            return False
        self._log.write("engine", "notice", f"the answer does not fit: {problem}")
        if repairs == REPAIR_TURNS:
            what = f"the answer did not fit after {REPAIR_TURNS} repairs: {problem}"
            raise TurnFailed(Failed(FailureKind.ERROR, what))
        return True

    async def _told(self, problem: str) -> list[Message]:
        """What goes into the next turn; none may come any more if an answer is good as it is."""
        told = await (self._mail.waiting() if problem else self._mail.waiting_or_shut())
        return self._noted(told)

    def _noted(self, told: list[Message]) -> list[Message]:
        for each in told:
            self._log.write("engine", "message", f"{each.actor}: {each.body}")
        return told

    def _forget(self) -> None:
        self.lost = True
        self._resume = False
        self.session = session_of(self._run.id, self._attempt)
        self._log.write("engine", "notice", "the interrupted conversation is gone; starting afresh")

    async def _play(self, prompt: str) -> Verdict:
        self._workspace.allowed()
        self._log.write("engine", "prompt", prompt)
        model = self._leaf.output
        turn = Turn(
            prompt=prompt,
            workspace=self._workspace.path,
            scratch=self._scratch,
            mark=Mark(self._run.id, self._step.key, self._attempt.n, self._attempt.token),
            session=self.session,
            resume=self._resume,
            schema=model.model_json_schema() if model else None,
            policy=self._policy,
            undone=self._undone,
            box=self._box,
        )
        request = Request(
            agent=self._attempt.agent,
            spec=self.spec,
            root=Path(self._run.root),
            turn=turn,
            files=self.files,
            timeout=self._timeout,
            stall=self._stall,
        )
        outcome = await self._executor.play(request, self._heard)
        if outcome.files:
            await asyncio.to_thread(self._workspace.set_back, outcome.files)
            self.files = outcome.files
        if outcome.verdict is None:
            raise OutOfTime(outcome.limit)
        told = outcome.verdict.usage
        # One that failed may have no sum at its end: what it told on its way was used all the same.
        self._ended += self._so_far if told == Usage() else told
        self._so_far = Usage()
        return outcome.verdict

    def _heard(self, event: AgentEvent) -> None:
        if event.used is not None:
            self._so_far = event.used
            self._on_usage(self.usage)
        if event.session and event.session != self.session:
            self.session = event.session
            self._on_session(event.session)
        self._log.write("agent", event.kind.value, event.text, event.raw)

    def _text(self) -> str:
        prompt = self._leaf.prompt
        return prompt.text() if isinstance(prompt, Prompt) else prompt

    def _opening(self, task: str, note: str, told: list[Message]) -> str:
        task = with_task(task, told)
        if self._resume and self._answered:
            return f"{self._answered}\n\nThe task, once more:\n\n{task}"
        if self._resume:
            return (
                "You were interrupted in the middle of this task: the program that ran you ended. "
                "Processes that you had started are gone; the files are as you left them. "
                "Look at what is there, then finish the task.\n\n" + task
            )
        return "\n\n".join(part for part in (note, self._answered, task) if part)

    def _next(self, task: str, verdict: Answered, problem: str, told: list[Message]) -> str:
        asks = [in_between(told)] if told else []
        if problem:
            wanted = json.dumps(self._leaf.output.model_json_schema()) if self._leaf.output else ""
            asks.append(
                f"Your answer does not fit the schema: {problem}\n"
                f"Answer again, with nothing but JSON that fits this schema:\n{wanted}"
            )
        ask = "\n\n".join(asks)
        if self.agent.remembers:
            return ask
        given = verdict.text if verdict.value is None else json.dumps(verdict.value)
        return f"{task}\n\nYou have done this task; your answer was:\n{given}\n\n{ask}"

    def _validated(self, verdict: Answered) -> tuple[JSON, str]:
        model = self._leaf.output
        if model is None:
            return verdict.text, ""
        if verdict.value is None:
            return None, "there is no JSON in it"
        try:
            return _dumped(model.model_validate(verdict.value)), ""
        except ValidationError as error:
            return None, "; ".join(
                f"{'.'.join(str(part) for part in item['loc']) or 'answer'}: {item['msg']}"
                for item in error.errors()[:5]
            )


def _unknown(verdict: Verdict) -> bool:
    return isinstance(verdict, Failed) and verdict.kind is FailureKind.UNKNOWN_SESSION


def _dumped(value: BaseModel) -> JSON:
    dumped: JSON = value.model_dump(mode="json")
    return dumped
