"""Keep working on one thing, a small step at a time, until somebody says stop.

Each iteration starts a fresh conversation, takes one step that can be shown to help, and the checks
answer it. A red check is only "not yet". `smithers stop` ends the run well: the iteration under way
is finished, then the checks have the last word. Three iterations that change nothing open a gate.
"""

from pydantic import BaseModel, ConfigDict, Field

from smithers import Check, CheckResult, Context, Loop, Prompt, Sequence, Task, workflow

SENTENCES = (
    "Keep working on reducing our flaky tests and don't stop until I tell you to",
    "Go on improving the test coverage of the parser all night",
    "Work through the linter's warnings one by one until I say that's enough",
)


class Aim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=3, description="What to keep working on, in plain words")
    checks: str = Field("pytest -q", min_length=1, description="Command that must stay green")
    max_iterations: int = Field(1000, ge=1, description="Bound in case nobody says stop")


class Progress(BaseModel):
    """One step, and all that the next iteration will know of the ones before it."""

    summary: str = Field(min_length=1, description="What this step did, and the evidence")
    learned: str = Field(description="What every later iteration must know, carried forward whole")
    next: str = Field(description="The most valuable next step, or empty if you see none")


@workflow("ralph", summary="Keep working on it, step by step, until you say stop", edits=True)
def ralph(ctx: Context[Aim]) -> Sequence:
    keep = Loop(
        "keep",
        step,
        until=lambda _turn: False,
        max_iterations=ctx.input.max_iterations,
        on_exhausted="continue",
    )
    return Sequence(keep, Check("proof", ctx.input.checks, title="Is what is left green?"))


def step(turn: Context[Aim]) -> Sequence:
    """One iteration: one step, and what the checks say to it."""
    last = turn.previous("work", Progress)
    found = turn.previous("checks", CheckResult)
    work = Task(
        "work",
        agent="coder",
        output=Progress,
        title="Take one step",
        prompt=Prompt(
            "prompts/step.md",
            aim=turn.input.prompt,
            checks=turn.input.checks,
            iteration=turn.iteration,
            last=last.model_dump() if last else None,
            red=bool(found and not found.passed),
            exit_code=found.exit_code if found else 0,
            output=found.tail if found else "",
        ),
    )
    return Sequence(work, Check("checks", turn.input.checks, title="Run the checks"))
