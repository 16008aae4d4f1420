"""A workflow: a named, pure function from a context to a plan."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from smithers.author.base import Step
from smithers.author.context import Context
from smithers.errors import RenderError

_LEVELS = ("", "off", "workspace", "strict")
I = TypeVar("I", bound=BaseModel)  # noqa: E741


class Workflow(Generic[I]):
    """What `@workflow` makes of a function."""

    def __init__(
        self,
        function: Callable[[Context[I]], Step[Any]],
        *,
        name: str,
        summary: str,
        edits: bool,
        sandbox: str = "",
        input: type[I],
    ) -> None:
        self.function = function
        self.name = name
        self.summary = summary
        self.edits = edits
        """Its agents change files: the run gets a worktree of its own."""
        self.sandbox = sandbox
        """Level that its attempts need at least: `off`, `workspace`, `strict`; empty: no matter."""
        self.input = input
        self.digest = ""
        """sha256 of the file that it was loaded from; empty: it was made here."""

    def __call__(self, ctx: Context[I]) -> Step[Any]:
        return self.function(ctx)


def _input_model(function: Callable[..., Any]) -> type[BaseModel] | None:
    parameters = list(inspect.signature(function).parameters)
    if not parameters:
        return None
    try:
        hint = typing.get_type_hints(function).get(parameters[0])
    except NameError:
        return None
    found = typing.get_args(hint)
    if typing.get_origin(hint) is Context and isinstance(found[0], type):
        return found[0] if issubclass(found[0], BaseModel) else None
    return None


def workflow(
    name: str,
    *,
    summary: str,
    edits: bool = False,
    sandbox: Literal["", "off", "workspace", "strict"] = "",
    input: type[I] | None = None,
) -> Callable[[Callable[[Context[I]], Step[Any]]], Workflow[I]]:
    """Name a function as a workflow. Its input model is read from `ctx: Context[Model]`.

    Raises RenderError at import when that model cannot be found; `input=Model` names it outright.
    `sandbox` says how its attempts are confined where config does not say something stricter.
    """

    def decorate(function: Callable[[Context[I]], Step[Any]]) -> Workflow[I]:
        where = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
        model = input or _input_model(function)
        if model is None:
            raise RenderError(
                f"{where}: workflow {name!r} does not say what its input is",
                next=(
                    "annotate its parameter: def workflow(ctx: Context[MyInput]), or "
                    "pass input=MyInput"
                ),
            )
        if sandbox not in _LEVELS:
            raise RenderError(
                f"{where}: workflow {name!r} has no such sandbox: {sandbox!r}",
                next=f"choose one of: {', '.join(_LEVELS[1:])}",
            )
        return Workflow(
            function,
            name=name,
            summary=summary,
            edits=edits,
            sandbox=sandbox,
            input=typing.cast("type[I]", model),
        )

    return decorate
