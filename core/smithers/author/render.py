"""One scope, rendered: the author's tree made into flat steps that a schedule can read."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from smithers.author.context import Context, Reads, Source
from smithers.author.prompt import Prompt
from smithers.author.steps import (
    Approval,
    Call,
    Check,
    Leaf,
    Loop,
    Parallel,
    Sequence,
    Step,
    Task,
)
from smithers.errors import RenderError, SmithersError
from smithers.model.step import JSON, PlanStep, StepKind, generic

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(slots=True)
class Rendered:
    """What one render of one scope says."""

    scope: str
    reads: Reads
    steps: dict[str, PlanStep] = field(default_factory=dict)
    authors: dict[str, Leaf] = field(default_factory=dict)


def render(
    body: Callable[[Context[Any]], Step[Any]],
    input: BaseModel,
    source: Source,
    *,
    scope: str,
    iteration: int,
    edits: bool,
) -> Rendered:
    """Call the author's function for one scope and lay its tree flat.

    Raises RenderError naming file, line and id for whatever the author can get wrong.
    """
    reads = Reads()
    context = Context(input, source, scope=scope, iteration=iteration, reads=reads)
    tree = guarded(body, context)
    flat = _Flattening(Rendered(scope, reads), edits=edits)
    if not isinstance(tree, Step):
        name = getattr(body, "__name__", "the workflow")
        raise RenderError(
            f"{_where(body)}: {name} returned {type(tree).__name__}, not a step",
            next="return a Task, Check, Call, Approval, Loop, Sequence or Parallel",
        )
    flat.place(tree, ())
    flat.connect(source)
    return flat.rendered


def guarded(function: Callable[[Context[Any]], Any], context: Context[Any]) -> Any:
    """Call the author's code; what it raises becomes a RenderError with its file and line."""
    try:
        return function(context)
    except SmithersError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        last = frames[-1]
        raise RenderError(
            f"{last.filename}:{last.lineno}: {type(error).__name__}: {error}",
            kept="every finished step",
            next="correct the workflow, then `smithers resume`",
        ) from error


def _where(function: Callable[..., Any]) -> str:
    inner = getattr(function, "function", function)
    code = getattr(inner, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "?"


class _Flattening:
    """The walk over one tree. Keeps what has been placed, so that ids stay unique."""

    def __init__(self, rendered: Rendered, *, edits: bool) -> None:
        self.rendered = rendered
        self._prefix = f"{rendered.scope}/" if rendered.scope else ""
        self._edits = edits
        self._groups = 0
        self._limits: tuple[tuple[str, int], ...] = ()

    def place(self, step: Step[Any], after: tuple[str, ...]) -> tuple[str, ...]:
        """Place a step after others; returns the keys that what follows it must wait for."""
        match step:
            case Sequence():
                for child in step.steps:
                    after = self.place(_step(child, step.at), after)
                return after
            case Parallel():
                return self._parallel(step, after)
            case Task() | Check() | Call() | Approval() | Loop():
                return self._leaf(step, after)
            case _:
                raise RenderError(
                    f"{type(step).__name__} is not a step", next="see docs/authoring.md"
                )

    def _parallel(self, step: Parallel, after: tuple[str, ...]) -> tuple[str, ...]:
        editing = [child for child in step.steps if _has_task(child)]
        if self._edits and len(editing) > 1:
            raise RenderError(
                f"{step.at}: Parallel holds {len(editing)} branches with a Task "
                "that share one workspace",
                next="put them in a Sequence: two agents would overwrite each other's files",
            )
        outer = self._limits
        if step.limit is not None:
            if step.limit < 1:
                raise RenderError(
                    f"{step.at}: Parallel(limit={step.limit})", next="give at least 1"
                )
            self._groups += 1
            self._limits = (*outer, (f"{self.rendered.scope}|{self._groups}", step.limit))
        ends: list[str] = []
        for child in step.steps:
            ends.extend(self.place(_step(child, step.at), after))
        self._limits = outer
        return tuple(dict.fromkeys(ends)) or after

    def _leaf(self, leaf: Leaf, after: tuple[str, ...]) -> tuple[str, ...]:
        if not _ID.fullmatch(str(leaf.id)):
            raise RenderError(
                f"{leaf.at}: {leaf.id!r} cannot be an id",
                next="use letters, digits, `_`, `-` and `.`, at most 64",
            )
        key = self._prefix + leaf.id
        if key in self.rendered.steps:
            first = self.rendered.authors[key]
            raise RenderError(
                f"{leaf.at}: the id {leaf.id!r} is used twice in this scope (first at {first.at})",
                next="rename one of them",
            )
        kind, spec = _spec(leaf)
        if leaf.retries is not None:
            spec["retries"] = leaf.retries
        if leaf.timeout is not None:
            spec["timeout"] = leaf.timeout
        self.rendered.authors[key] = leaf
        self.rendered.steps[key] = PlanStep(
            key=key,
            scope=self.rendered.scope,
            kind=kind,
            title=leaf.title or leaf.id,
            after=after,
            when=bool(leaf.when),
            limits=self._limits,
            spec=spec,
        )
        return (key,)

    def connect(self, source: Source) -> None:
        """Resolve `needs`, and refuse ids that nothing in sight has."""
        rendered = self.rendered
        for key, leaf in rendered.authors.items():
            if leaf.needs:
                step = rendered.steps[key]
                extra = tuple(self._need(need, leaf, source) for need in leaf.needs)
                rendered.steps[key] = PlanStep(
                    key=step.key,
                    scope=step.scope,
                    kind=step.kind,
                    title=step.title,
                    after=tuple(dict.fromkeys(step.after + extra)),
                    when=step.when,
                    limits=step.limits,
                    spec=step.spec,
                )
        here = {key.removeprefix(self._prefix) for key in rendered.steps}
        known = here | {generic(key) for key in source.states}
        for name, at in rendered.reads.unknown.items():
            inside_a_loop_not_open = name.split("/")[0] in here
            if name not in known and not inside_a_loop_not_open:
                raise RenderError(
                    f"{at}: no step has the id {name!r}{_nearest(name, known)}", next=_FIX_ID
                )

    def _need(self, need: Step[Any] | str, leaf: Leaf, source: Source) -> str:
        name = need if isinstance(need, str) else getattr(need, "id", "")
        scope = self.rendered.scope
        for prefix in dict.fromkeys([self._prefix, *_outward(scope)]):
            if prefix + name in self.rendered.steps or prefix + name in source.states:
                return prefix + name
        known = {key.removeprefix(self._prefix) for key in self.rendered.steps}
        raise RenderError(
            f"{leaf.at}: {leaf.id!r} needs {name!r}, which no step here has as "
            f"id{_nearest(name, known)}",
            next=_FIX_ID,
        )


_FIX_ID = "correct the id, or add the step"


def _outward(scope: str) -> list[str]:
    parts = scope.split("/") if scope else []
    return ["/".join(parts[:length]) + "/" for length in range(len(parts) - 1, 0, -1)] + [""]


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f" (nearest: {near[0]!r})" if near else ""


def _step(child: object, at: str) -> Step[Any]:
    if isinstance(child, Step):
        return child
    raise RenderError(
        f"{at}: {type(child).__name__} stands where a step must",
        next="pass steps; unpack lists with *",
    )


def _has_task(step: object) -> bool:
    match step:
        case Task() | Loop():
            return True
        case Sequence() | Parallel():
            return any(_has_task(child) for child in step.steps)
        case _:
            return False


def _spec(leaf: Leaf) -> tuple[StepKind, dict[str, JSON]]:
    match leaf:
        case Task():
            _check_output(leaf.output, leaf)
            spec: dict[str, JSON] = {"agent": leaf.agent, "prompt": _digest(leaf.prompt)}
            if leaf.output is not None:
                spec["output"] = leaf.output.__name__
            return StepKind.TASK, spec
        case Check():
            if not leaf.command.strip():
                raise RenderError(
                    f"{leaf.at}: check {leaf.id!r} has no command", next="give it one"
                )
            return StepKind.CHECK, {"command": leaf.command, "ok": list(leaf.ok)}
        case Call():
            _check_output(leaf.output, leaf)
            return StepKind.CALL, {}
        case Approval():
            if leaf.by not in {"anyone", "person"}:
                raise RenderError(
                    f"{leaf.at}: by={leaf.by!r}", next='say by="person" or by="anyone"'
                )
            return StepKind.APPROVAL, {
                "ask": leaf.ask,
                "by": leaf.by,
                "show": leaf.show,
                "on_deny": leaf.on_deny,
            }
        case Loop():
            if isinstance(leaf.max_iterations, bool) or leaf.max_iterations < 1:
                raise RenderError(
                    f"{leaf.at}: loop {leaf.id!r} has no bound "
                    f"(max_iterations={leaf.max_iterations!r})",
                    next="give max_iterations a number from 1",
                )
            return StepKind.LOOP, {"max": leaf.max_iterations, "on_exhausted": leaf.on_exhausted}


def _check_output(output: object, leaf: Leaf) -> None:
    if output is not None and not (isinstance(output, type) and issubclass(output, BaseModel)):
        raise RenderError(
            f"{leaf.at}: output of {leaf.id!r} is {output!r}, not a pydantic model",
            next="derive it from pydantic.BaseModel",
        )


def _digest(prompt: str | Prompt) -> str:
    """Tell prompts apart by what was put in; no file is read for it."""
    if isinstance(prompt, str):
        said = prompt
    else:
        said = json.dumps([str(prompt.path), prompt.values], default=str, sort_keys=True)
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:12]
