"""What an agent is given to show that it works: a file to write, and a few words about it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from smithers import Check, Context, Sequence, Task, workflow

PROMPT = """\
This is a trial of whether you work at all. Write a file `hello.txt` in the working directory with
exactly this one line, and change nothing else:

hello from smithers

Then answer with the path of the file and the number of lines in it."""


class Nothing(BaseModel):
    pass


class Written(BaseModel):
    file: str = Field(description="Path of the file, relative to the working directory")
    lines: int = Field(description="How many lines it has")


@workflow("agent-trial", summary="One small task for one agent")
def trial(_: Context[Nothing]) -> Sequence:
    """Its answer alone proves nothing: the check reads the file."""
    return Sequence(
        Task(
            "write",
            title="Write hello.txt, and say what is in it",
            agent="tester",
            output=Written,
            prompt=PROMPT,
            retries=0,
            timeout=300,
        ),
        Check("verify", "grep -qx 'hello from smithers' hello.txt", title="Read hello.txt"),
    )
