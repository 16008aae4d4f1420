"""What every step is, and the two outputs that steps of our own have."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Generic, TypeVar

from pydantic import BaseModel

from smithers.errors import RenderError

T = TypeVar("T")
_HERE = "smithers.author."


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
