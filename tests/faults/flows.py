"""The base workflows: small, real, each with all that a person does to it until it has ended."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smithers.model.gate import Answer
from smithers.model.run import RunStatus

HEADER = """\
from smithers import Approval, Call, Check, Context, Loop, Parallel, Sequence, Task, workflow
from tests.faults.kit import *

@workflow("flow", summary="a base workflow", edits={edits})
def flow(ctx: Context[In]):
"""


@dataclass(frozen=True)
class Flow:
    """A workflow, and what a person does to it."""

    name: str
    body: str
    ends: RunStatus = RunStatus.SUCCEEDED
    edits: bool = False
    """In a repository, with a worktree of its own."""
    processes: bool = False
    """Its steps start processes: what one death leaves cannot be copied to look at it twice."""
    answer: Answer = Answer.APPROVE
    retry: str = ""
    """The failed step that a person has tried again, once what it lacks is there."""
    land: bool = False
    files: dict[str, str] = field(default_factory=dict)
    """What agents write: everything that the branch has beyond its base."""
    turns: tuple[dict[str, Any], ...] = ()
    supervised: bool = False
    """A supervisor brings it back, which counts deaths, and not a person, who is not counted."""
    waits: bool = False
    """For seconds, where nobody has shortened the time between two tries."""
    busy: bool = False
    """A person does something to it while an attempt runs."""

    def write(self, out: Path) -> Path:
        """The workflow as a file, and its agent's script beside it."""
        path = out / "flow.py"
        header = HEADER.format(edits=self.edits)
        path.write_text(header + textwrap.indent(textwrap.dedent(self.body).strip(), "    ") + "\n")
        if self.turns:
            # As many of each as engines may die just after one was played.
            turns = [turn for turn in self.turns for _ in range(turn.get("copies", 6))]
            text = json.dumps({"turns": turns}).replace("OUT", str(out))
            (out / "script.json").write_text(text)
        return path


FLOWS = {
    flow.name: flow
    for flow in (
        Flow(
            "sequence",
            'return Sequence(*(Call(f"s{n}", awork if n else work, n) for n in range(5)))',
        ),
        Flow(
            "parallel",
            """
            sides = Parallel(*(Call(f"p{n}", work if n % 2 else awork, n) for n in range(3)))
            return Sequence(sides, Call("z", awork, 2))
            """,
        ),
        Flow(
            "loop",
            """
            def body(turn):
                return Sequence(Call("a", awork, turn.iteration), Call("b", awork, turn.iteration))
            return Loop("l", body, until=lambda turn: turn["b"]["value"] == 2, max_iterations=5)
            """,
        ),
        Flow(
            "exhausted",
            """
            def body(turn):
                return Call("a", awork, turn.iteration)
            loop = Loop("l", body, until=lambda turn: False, max_iterations=4)
            return Sequence(loop, Call("z", awork, 1))
            """,
            ends=RunStatus.FAILED,
        ),
        Flow(
            "asks",
            """
            def body(turn):
                return Call("a", awork, turn.iteration)
            loop = Loop("l", body, until=lambda turn: False, max_iterations=2, on_exhausted="ask")
            return Sequence(loop, Call("z", awork, 1))
            """,
            answer=Answer.DENY,
            ends=RunStatus.FAILED,
        ),
        Flow(
            "revived",
            """
            sides = Parallel(Call("a", awork, 1), Call("b", work, 2))
            return Sequence(sides, Call("z", awork, 2))
            """,
            supervised=True,
        ),
        Flow(
            "gate",
            """
            return Sequence(
                Call("a", awork, 1), Approval("ship", "Ship it?"), Call("b", awork, 2)
            )
            """,
        ),
        Flow(
            "denied",
            """
            return Sequence(
                Parallel(Call("a", awork, 1), Call("b", awork, 2)),
                Approval("ship", "Ship it?"), Call("c", awork, 3),
            )
            """,
            answer=Answer.DENY,
            ends=RunStatus.FAILED,
        ),
        Flow(
            "invalid",
            """
            return Sequence(
                Task("code", agent="coder", prompt="Answer", output=Number), Call("z", awork, 1)
            )
            """,
            turns=(
                {"step": "code", "do": [{"say": "no JSON here"}], "copies": 1},
                {"step": "code", "output": {"value": 7}},
            ),
        ),
        Flow(
            "cancelled",
            'return Sequence(Call("a", awork, 1), Call("b", never_ends, "cancel"), Call("c", awork, 2))',
            ends=RunStatus.CANCELLED,
            busy=True,
        ),
        Flow(
            "paused",
            'return Sequence(Call("b", asks, "pause", 2), Call("c", awork, 3))',
            busy=True,
        ),
        Flow(
            "stopped",
            """
            def body(turn):
                return Sequence(Call("a", asks, "stop", 1), Call("b", awork, turn.iteration))
            loop = Loop("l", body, until=lambda turn: False, max_iterations=9)
            return Sequence(loop, Call("z", awork, 1, when=False))
            """,
            busy=True,
        ),
        Flow(
            "retried",
            """
            return Call("b", fails_until, "fixed")
            """,
            retry="b",
        ),
        Flow(
            "again",
            """
            red = f"{STEP}; test $(grep -c /b {OUT}/marks) -ge 2"
            return Sequence(Call("a", awork, 1), Check("b", red, retries=2), Call("c", awork, 2))
            """,
            waits=True,
            processes=True,
        ),
        Flow(
            "leftovers",
            """
            left = f"{STEP}; env -i /usr/bin/setsid /bin/sleep 300 >/dev/null 2>&1 &"
            return Sequence(Parallel(Check("a", left), Check("b", f"{STEP}; echo said")), Call("c", awork, 2))
            """,
            processes=True,
        ),
        Flow(
            "edits",
            """
            return Sequence(
                Task("code", agent="coder", prompt="Write it", output=Number),
                Check("verify", f"{STEP} && test $(cat lines) = once"),
            )
            """,
            edits=True,
            processes=True,
            files={"lines": "once\n"},
            turns=(
                {
                    "step": "code",
                    "do": [{"run": "echo once >>lines; echo $SMITHERS_ATTEMPT >>OUT/marks"}],
                    "output": {"value": 1},
                },
            ),
        ),
        Flow(
            "landed",
            'return Task("code", agent="coder", prompt="Write it", output=Number)',
            edits=True,
            processes=True,
            land=True,
            files={"value": "1\n"},
            turns=(
                {
                    "step": "code",
                    "do": [{"write": "value", "text": "1\n"}],
                    "output": {"value": 1},
                },
            ),
        ),
    )
}
