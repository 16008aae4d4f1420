"""Build it until the checks pass and a reviewer signs off.

One iteration is: a coder changes the code, the checks run, a reviewer reads and tries the change. A
red check or a rejection is "not yet", and its exact words stand in the coder's next prompt. After
the reviewer's signature a person sees the whole diff and decides whether it is merged.
"""

from pydantic import BaseModel, ConfigDict, Field

from smithers import (
    Approval,
    Check,
    CheckResult,
    Context,
    Loop,
    Prompt,
    Sequence,
    Task,
    workflow,
)

SENTENCES = (
    (
        "Add rate limiting to the API and don't stop until it builds, validates and "
        "a reviewer signs off"
    ),
    "Fix issue 12 and don't come back before the tests pass and somebody has reviewed it",
    "Implement the export, get it reviewed, and show me the diff before anything is merged",
)


class Goal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=3, description="What to build, in plain words")
    checks: str = Field("pytest -q", min_length=1, description="Command that must pass")


class Change(BaseModel):
    """What the coder did, and how it knows that it works."""

    summary: str = Field(min_length=1, description="What changed, why, and the evidence")
    files: list[str] = Field(description="Paths of the files that changed")


class Verdict(BaseModel):
    """The reviewer's signature, or what is missing for it."""

    approved: bool = Field(description="True only if this can be merged as it is")
    feedback: str = Field(min_length=1, description="What must change, or what was verified")


@workflow(
    "implement", summary="Build it until the checks pass and a reviewer signs off", edits=True
)
def implement(ctx: Context[Goal]) -> Sequence:  # noqa: ARG001
    build = Loop(
        "build",
        attempt,
        until=lambda turn: turn["review", Verdict].approved,
        max_iterations=8,
    )
    return Sequence(build, Approval("ship", "Merge this change?", show="diff"))


def attempt(turn: Context[Goal]) -> Sequence:
    """One iteration: change, check, review."""
    goal, command = turn.input.prompt, turn.input.checks
    tried = turn.previous("code", Change)
    found = turn.previous("checks", CheckResult)
    asked = last_review(turn)
    code = Task(
        "code",
        agent="coder",
        output=Change,
        title="Change the code",
        prompt=Prompt(
            "prompts/coder.md",
            goal=goal,
            checks=command,
            iteration=turn.iteration,
            tried=tried.summary if tried else "",
            red=bool(found and not found.passed),
            exit_code=found.exit_code if found else 0,
            output=found.tail if found else "",
            feedback=asked.feedback if asked else "",
        ),
    )
    claimed = turn.get(code)
    review = Task(
        "review",
        agent="reviewer",
        output=Verdict,
        title="Review the change",
        prompt=Prompt(
            "prompts/reviewer.md",
            goal=goal,
            checks=command,
            claims=claimed.summary if claimed else "",
            feedback=asked.feedback if asked else "",
        ),
    )
    return Sequence(code, Check("checks", command, title="Run the checks"), review)


def last_review(turn: Context[Goal]) -> Verdict | None:
    """Find the last verdict before this iteration; a red check since then has not settled it."""
    verdicts = turn.all("review", Verdict)
    before = verdicts[:-1] if turn.get("review", Verdict) else verdicts
    return before[-1] if before else None
