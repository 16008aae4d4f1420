"""Plan the milestones, let a person agree to them, then work through them one at a time.

The planner reads the project and writes the plan. Nothing is changed before a person has seen and
approved it. Each milestone is then built until the checks pass and a reviewer signs it off; the
next begins from there. At the end a person sees the whole diff. A run that is interrupted goes on
at the milestone it was at.
"""

from collections.abc import Callable

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
    "Migrate the dashboard, show me the milestone plan before you start, then work through it",
    "Move the service from Flask to Starlette in stages, I want to see the plan first",
    "Split the module up in milestones that I agree to, each reviewed before the next",
)


class Goal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: str = Field(min_length=3, description="What to migrate, from what to what")
    checks: str = Field("pytest -q", min_length=1, description="Command that must pass throughout")


class Milestone(BaseModel):
    title: str = Field(min_length=1, description="A few words")
    goal: str = Field(min_length=1, description="What is true afterwards that is not true now")
    done_when: str = Field(min_length=1, description="What a reviewer can observe or run to see it")


class Plan(BaseModel):
    """The way there, in steps that each leave a working project."""

    approach: str = Field(min_length=1, description="The idea, and why this order")
    milestones: list[Milestone] = Field(min_length=1, max_length=12)
    risks: str = Field("", description="What could go wrong, and where it would show")


class Change(BaseModel):
    """What the coder did, and how it knows that it works."""

    summary: str = Field(min_length=1, description="What changed, why, and the evidence")
    files: list[str] = Field(description="Paths of the files that changed")


class Verdict(BaseModel):
    """The reviewer's signature, or what is missing for it."""

    approved: bool = Field(description="True only if the milestone is reached as its plan says")
    feedback: str = Field(min_length=1, description="What must change, or what was verified")


@workflow(
    "migrate", summary="Plan milestones, show you the plan, then work through them", edits=True
)
def migrate(ctx: Context[Goal]) -> Sequence:
    planning = Task(
        "plan",
        agent="planner",
        output=Plan,
        title="Plan the milestones",
        prompt=Prompt("prompts/planner.md", goal=ctx.input.prompt, checks=ctx.input.checks),
    )
    plan = ctx.get(planning)
    if plan is None:
        return Sequence(planning)
    return Sequence(
        planning,
        Approval("start", "Work through these milestones?", show=as_text(plan)),
        *(milestone_loop(plan, number) for number in range(1, len(plan.milestones) + 1)),
        Approval("ship", "Merge the migration?", show="diff"),
    )


def milestone_loop(plan: Plan, number: int) -> Loop:
    return Loop(
        f"milestone-{number}",
        attempt_at(plan, number),
        until=lambda turn: turn["review", Verdict].approved,
        max_iterations=8,
        title=plan.milestones[number - 1].title,
    )


def attempt_at(plan: Plan, number: int) -> Callable[[Context[Goal]], Sequence]:
    """Make the body of one milestone's loop: change, check, review."""

    def attempt(turn: Context[Goal]) -> Sequence:
        about = {
            "goal": turn.input.prompt,
            "checks": turn.input.checks,
            "plan": as_text(plan),
            "number": number,
            "milestone": plan.milestones[number - 1].model_dump(),
        }
        tried = turn.previous("code", Change)
        found = turn.previous("checks", CheckResult)
        asked = last_review(turn)
        feedback = asked.feedback if asked else ""
        code = Task(
            "code",
            agent="coder",
            output=Change,
            title="Change the code",
            prompt=Prompt(
                "prompts/coder.md",
                **about,
                iteration=turn.iteration,
                tried=tried.summary if tried else "",
                red=bool(found and not found.passed),
                exit_code=found.exit_code if found else 0,
                output=found.tail if found else "",
                feedback=feedback,
            ),
        )
        claimed = turn.get(code)
        claims = claimed.summary if claimed else ""
        review = Task(
            "review",
            agent="reviewer",
            output=Verdict,
            title="Review the milestone",
            prompt=Prompt("prompts/reviewer.md", **about, claims=claims, feedback=feedback),
        )
        return Sequence(code, Check("checks", turn.input.checks, title="Run the checks"), review)

    return attempt


def last_review(turn: Context[Goal]) -> Verdict | None:
    """Find the last verdict before this iteration; a red check since then has not settled it."""
    verdicts = turn.all("review", Verdict)
    before = verdicts[:-1] if turn.get("review", Verdict) else verdicts
    return before[-1] if before else None


def as_text(plan: Plan) -> str:
    """Write the plan out as the gate shows it and as the prompts quote it."""
    lines = [plan.approach, ""]
    for number, milestone in enumerate(plan.milestones, 1):
        lines += [
            f"{number}. {milestone.title}",
            f"   Goal: {milestone.goal}",
            f"   Done when: {milestone.done_when}",
            "",
        ]
    if plan.risks:
        lines += [f"Risks: {plan.risks}", ""]
    return "\n".join(lines)
