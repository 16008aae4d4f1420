"""Any agent that speaks the Agent Client Protocol, as a process of its own for each turn."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from smithers.agents import environment
from smithers.agents.acp.client import LINE_LIMIT
from smithers.agents.acp.conversation import Conversation
from smithers.agents.acp.known import known
from smithers.agents.base import AgentEvent, EventKind, Failed, FailureKind, Turn, Verdict
from smithers.errors import ConfigError
from smithers.process import child, sandbox


@dataclass(frozen=True, slots=True)
class AcpAgent:
    """The program of the user, with the user's own login."""

    name: str
    command: str
    model: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.model or PurePath(shlex.split(self.command)[0]).name

    @property
    def remembers(self) -> bool:
        return True

    async def play(self, turn: Turn, emit: Callable[[AgentEvent], None]) -> Verdict:
        """Play one turn in the conversation that `turn` names, or in a new one."""
        argv = [*shlex.split(self.command), *self.args]
        traits = known(argv)
        try:
            box = sandbox.around(turn.box, own=traits.own_sandbox)
        except ConfigError as error:
            return Failed(FailureKind.CONFIG, f"{self.name}: {error}")
        if box is not turn.box:
            emit(AgentEvent(EventKind.NOTICE, f"{self.name}: {sandbox.ONLY_ITS_OWN}"))
        try:
            process = await child.start(
                argv,
                cwd=turn.workspace,
                env=environment.build(turn.mark, {**traits.env, **self.env}, prefixes=traits.login),
                mark=turn.mark,
                talks=True,
                line_limit=LINE_LIMIT,
                box=box,
            )
        except OSError as error:
            return Failed(FailureKind.CONFIG, f"{argv[0]} cannot be started: {error}")
        return await Conversation(process, turn, turn.model or self.model, traits, emit).hold()
