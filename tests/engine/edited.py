"""A run whose workflow is edited: driven in this process from stop to stop, with `why` in between."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smithers.cli.app import main
from smithers.clock import SYSTEM
from smithers.engine.border import Local
from smithers.engine.loop import Loop
from smithers.engine.takeover import take_over
from smithers.errors import SmithersError
from smithers.model.gate import Answer, Decision
from smithers.model.run import RunStatus
from smithers.process.identity import me
from smithers.service import starting
from smithers.service.locate import state_dir
from smithers.store import runs
from smithers.store.database import Store
from smithers.store.drive import Drive, claim
from tests.running import ACTOR, Turn, Workshop, until


def mark(step: str, more: str = "") -> str:
    """A check that leaves a line each time that it runs."""
    return f'Check("{step}", f"echo {step} >>{{OUT}}/marks{more}")'


@dataclass
class Edited:
    """`drive` is an engine in this process; what one leaves, the next one finds in the database."""

    shop: Workshop
    path: Path = field(default_factory=Path)
    kept: dict[str, Any] = field(default_factory=dict)
    """Outputs as they were recorded first."""

    # -- the workflow --

    def flow(self, body: str, *, models: str = "", edits: bool = False) -> None:
        self.path = Path(self.shop.flow(body, edits=edits))
        self.path.write_text(self.path.read_text().replace("OUT =", f"{models}\nOUT =", 1))

    def edit(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))

    # -- the run --

    def up(self, *turns: Turn, recipe: str = "", **given: Any) -> None:
        """Write the run's row, and drive it until it parks."""
        agents = {"coder": self.shop.script(*turns)} if turns else {}
        request = starting.Request(
            recipe or str(self.path), input=given, run_id="r", agents=agents, budget={}
        )
        starting._start(self.shop.root, request, ACTOR)
        self.drive()

    def drive(self, *, leave_at: str = "") -> None:
        """Until the run parks, or for as long as it takes a step to leave this file."""
        with contextlib.closing(Store(state_dir(self.shop.root))) as store:
            lease = claim(store, "r", me(), now=SYSTEM.now(), replaceable=lambda _: True)
            asyncio.run(self._engine(store, Drive(store, lease), leave_at))
        self._nothing_is_lost()

    async def _engine(self, store: Store, drive: Drive, leave_at: str) -> None:
        try:
            loop = Loop(
                store,
                drive,
                take_over(store, "r", SYSTEM),
                clock=SYSTEM,
                executor=Local(SYSTEM),
            )
        except SmithersError as error:
            drive.give_up(error.what, str(error), now=SYSTEM.now())
            return
        if not leave_at:
            await loop.run()
            return
        running = asyncio.create_task(loop.run())
        reached = (self.shop.out / leave_at).exists
        while not (reached() or running.done()):  # noqa: ASYNC110 - a file is no event
            await asyncio.sleep(0.005)
        loop.leave()
        await running

    def _nothing_is_lost(self) -> None:
        """What was recorded once is there, unchanged."""
        outputs = {key: each.value for key, each in self.shop.facts().outputs.items()}
        assert outputs == {**outputs, **self.kept}
        self.kept = outputs

    def decide(self, answer: Answer = Answer.APPROVE, key: str = "ship") -> None:
        """As a person does, without the engine that a person's command starts."""
        with contextlib.closing(Store(state_dir(self.shop.root))) as store:
            (gate,) = [g for g in runs.gates_of(store, "r") if g.key == key and g.decision is None]
            said = Decision(gate.id, answer, ACTOR, "terminal", "", gate.digest, SYSTEM.now())
            runs.decide(store, "r", said)

    def resume(self) -> None:
        """As the command does, likewise."""
        with contextlib.closing(Store(state_dir(self.shop.root))) as store:
            runs.intend(store, "r", runs.Intent.GO, actor=ACTOR, now=SYSTEM.now())
        self.drive()

    def ship(self) -> None:
        """Approve the gate at the end: the run succeeds."""
        self.decide()
        self.drive()
        self.ended()

    def ended(self, status: RunStatus = RunStatus.SUCCEEDED) -> None:
        assert self.status is status, self.shop.tell()

    # -- what it says --

    @property
    def status(self) -> RunStatus:
        return self.shop.view().row.status

    @property
    def states(self) -> dict[str, str]:
        return {each.key: each.status.value for each in self.shop.view().steps if not each.gone}

    @property
    def marks(self) -> list[str]:
        return self.shop.lines("marks")

    def why(self) -> str:
        """What the command says, on one line and without ages."""
        said, here = io.StringIO(), Path.cwd()
        os.chdir(self.shop.root)
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                main(["why", "r"])
        finally:
            os.chdir(here)
        return " ".join(re.sub(r" \(for \w+\)", "", said.getvalue()).split())


def until_marks(shop: Workshop, *marks: str) -> None:
    until(lambda: shop.lines("marks") == list(marks), tell=shop.tell)
