"""One scope, rendered: the author's tree made into flat steps that a schedule can read."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from smithers.author import definition
from smithers.author.base import HELD, nearest
from smithers.author.context import Context, Reads, Source, scopes
from smithers.author.sight import FIX_ID, refuse_circles, refuse_unknown
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
from smithers.model.step import JSON, PlanStep, StepKind

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
    lenient: bool = False,
) -> Rendered:
    """Call the author's function for one scope and lay its tree flat.

    Raises RenderError naming file, line and id for whatever the author can get wrong; Unfit for a
    kept output that does not fit, unless `lenient`.
    """
    context = partial(Context, input, source, scope=scope, iteration=iteration, lenient=lenient)
    rendered = _once(body, context, source, scope=scope, edits=edits)
    if rendered.reads.outward.intersection(rendered.steps):
        # It read a step further out for want of its own, which it turns out to have.
        context = partial(context, own=rendered.steps)
        rendered = _once(body, context, source, scope=scope, edits=edits)
    refuse_unknown(rendered.reads, source, scope=scope, here=rendered.steps)
    return rendered


def _once(
    body: Callable[[Context[Any]], Step[Any]],
    context: Callable[..., Context[Any]],
    source: Source,
    *,
    scope: str,
    edits: bool,
) -> Rendered:
    reads = Reads()
    tree = guarded(body, context(reads=reads))
    flat = _Flattening(Rendered(scope, reads), edits=edits)
    if not isinstance(tree, Step):
        function = _function(body)
        code = function.__code__
        raise RenderError(
            f"{code.co_filename}:{code.co_firstlineno}: {function.__name__} returned "
            f"{type(tree).__name__}, not a step",
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
    except (Exception, SystemExit) as error:
        raise RenderError(
            f"{_place(error, function)}: {type(error).__name__}: {error}",
            kept="every finished step",
            next="correct the workflow, then `smithers resume`",
        ) from error


def _function(body: Callable[..., Any]) -> Any:
    """The function that the author wrote: of a bound `Workflow.__call__`, what it calls."""
    return getattr(getattr(body, "__self__", body), "function", body)


def _place(error: BaseException, body: Callable[..., Any]) -> str:
    """`file:line` of the last call in the author's own folder, not of a library that it called."""
    code = getattr(_function(body), "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    folder = str(Path(code.co_filename).parent) if code else ""
    own = [frame for frame in frames if folder and frame.filename.startswith(folder)]
    last = (own or frames)[-1]
    return f"{last.filename}:{last.lineno}"


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
            if not _number(step.limit):
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
        if not _is_id(leaf.id):
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
        try:
            kind, spec = _spec(leaf)
        except (TypeError, AttributeError, ValueError) as error:
            raise RenderError(
                f"{leaf.at}: {leaf.id!r} is not a {type(leaf).__name__} that can be run: {error}",
                next="see docs/authoring.md",
            ) from error
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
        """Resolve `needs`. Raises RenderError for what nothing in sight has, and for a circle."""
        rendered = self.rendered
        needing = [key for key, leaf in rendered.authors.items() if leaf.needs]
        for key in needing:
            leaf, step = rendered.authors[key], rendered.steps[key]
            needs = (leaf.needs,) if isinstance(leaf.needs, str | Step) else leaf.needs
            names = [need if isinstance(need, str) else need.named() for need in needs]
            vanished = [name for name in names if self._vanished(name, source)]
            extra = (self._need(name, leaf, source) for name in names if name not in vanished)
            after = tuple(dict.fromkeys((*step.after, *extra)))
            spec = step.spec
            if vanished:
                gone = f"it needs {vanished[0]!r}, which is not in the plan any more"
                spec = {**spec, HELD: gone}
            rendered.steps[key] = replace(step, after=after, spec=spec)
        refuse_circles(rendered.steps, needing, source, scope=rendered.scope)

    def _vanished(self, name: str, source: Source) -> bool:
        """No step has the id, and one had it that did something."""
        keys = [prefix + name for prefix in scopes(self.rendered.scope)]
        did = any(key in source.facts.outputs or key in source.facts.attempts for key in keys)
        return did and self._standing(name, source) is None

    def _standing(self, name: str, source: Source) -> str | None:
        for prefix in scopes(self.rendered.scope):
            # What this scope had before this render counts no more.
            there = self.rendered.steps if prefix == self._prefix else source.states
            if prefix + name in there:
                return prefix + name
        return None

    def _need(self, name: str, leaf: Leaf, source: Source) -> str:
        key = self._standing(name, source)
        if key is not None:
            return key
        known = {key.rpartition("/")[2] for key in {*self.rendered.steps, *source.states}}
        raise RenderError(
            f"{leaf.at}: {leaf.id!r} needs {name!r}, which no step here has as "
            f"id{nearest(name, known)}",
            next=FIX_ID,
        )


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
            return StepKind.TASK, {
                "agent": leaf.agent if isinstance(leaf.agent, str) else list(leaf.agent),
                **definition.of_prompt(leaf.prompt),
                **_output(leaf.output, leaf),
            }
        case Check():
            if not leaf.command.strip():
                raise RenderError(
                    f"{leaf.at}: check {leaf.id!r} has no command", next="give it one"
                )
            return StepKind.CHECK, {"command": leaf.command, "ok": list(leaf.ok)}
        case Call():
            return StepKind.CALL, _output(leaf.output, leaf)
        case Approval():
            _one_of(leaf, "by", leaf.by, ("person", "anyone"))
            _one_of(leaf, "on_deny", leaf.on_deny, ("fail", "continue"))
            return StepKind.APPROVAL, {
                "ask": leaf.ask,
                "by": leaf.by,
                "show": leaf.show,
                "on_deny": leaf.on_deny,
            }
        case Loop():
            most = leaf.max_iterations
            if not _number(most):
                raise RenderError(
                    f"{leaf.at}: loop {leaf.id!r} has no bound (max_iterations={most!r})",
                    next="give max_iterations a number from 1",
                )
            _one_of(leaf, "on_exhausted", leaf.on_exhausted, ("fail", "ask", "continue"))
            until = definition.of_function(leaf.until)
            bound: dict[str, JSON] = {"max": most, "on_exhausted": leaf.on_exhausted}
            return StepKind.LOOP, {**bound, "until": until} if until else bound


def _is_id(given: object) -> bool:
    return isinstance(given, str) and _ID.fullmatch(given) is not None


def _number(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and given > 0


def _one_of(leaf: Leaf, name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise RenderError(
            f"{leaf.at}: {leaf.id!r} has {name}={given!r}",
            next="say " + " or ".join(f'{name}="{one}"' for one in allowed),
        )


def _output(output: object, leaf: Leaf) -> dict[str, JSON]:
    if output is None:
        return {}
    if not (isinstance(output, type) and issubclass(output, BaseModel)):
        raise RenderError(
            f"{leaf.at}: output of {leaf.id!r} is {output!r}, not a pydantic model",
            next="derive it from pydantic.BaseModel",
        )
    return {"output": output.__name__, "schema": definition.of_model(output)}
