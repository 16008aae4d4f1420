"""What every step is, and the two outputs that steps of our own have."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from smithers.errors import RenderError

T = TypeVar("T")
_HERE = "smithers.author."
HELD = "held"
"""Name in a step's spec under which stands why it must not start, however ready it is."""


class CheckResult(BaseModel):
    """What a check found."""

    passed: bool
    exit_code: int
    """Of the command; negative for the signal that ended it."""
    tail: str
    """The last lines of what it printed, at most 8,000 characters."""


class Decided(BaseModel):
    """How a person, or who may stand in for one, answered an approval."""

    approved: bool
    actor: str
    note: str


class Unfit(RenderError):
    """A kept output that the model it is read with does not take any more."""

    def __init__(self, key: str, model: type[BaseModel], problem: str, *, at: str) -> None:
        super().__init__(
            f"{at}: the kept output of {key} no longer fits {model.__name__}: {problem}",
            kept="the output as it was recorded",
            next=f"give what is new in {model.__name__} a default, or put the model back",
        )
        self.key = key
        self.reason = f"the kept output of {key} no longer fits {model.__name__}: {problem}"


def problem_of(error: ValidationError) -> str:
    """The first thing that does not fit, with the field it is about: `files: Field required`."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{field}: {first['msg']}" if field else str(first["msg"])


def written_at() -> str:
    """`file:line` of the author's code that is being executed."""
    frame = inspect.currentframe()
    # By module and not by file: the methods that a dataclass generates have no file.
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_HERE):
        frame = frame.f_back
    if frame is None:
        return "?"
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The id that was probably meant, in words, or nothing."""
    near = difflib.get_close_matches(name, sorted(set(known) - {name}), 1)
    return f" (nearest: {near[0]!r})" if near else ""


class Step(Generic[T]):
    """Anything that can stand in a plan. `T` is the type of a leaf's output."""

    def named(self) -> str:
        """The id by which its output is found. Raises RenderError for a group, which has none."""
        raise RenderError(
            f"{written_at()}: {type(self).__name__} has no output",
            next="name one of the steps inside it",
        )

    def result(self) -> type[BaseModel] | None:
        """The model of its output; None: plain JSON."""
        return None
