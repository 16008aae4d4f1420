"""What a render may read: the input, and what the steps so far have left. Reads are noted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar, overload

from pydantic import BaseModel, ValidationError

from smithers.author.base import CheckResult, Step, Unfit, nearest, problem_of, written_at
from smithers.errors import RenderError
from smithers.model.run import Facts
from smithers.model.step import JSON, StepState, StepStatus, generic

I_co = TypeVar("I_co", covariant=True)
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


class Source(Protocol):
    """What a context reads from: facts, and the states that follow from them."""

    @property
    def facts(self) -> Facts: ...
    @property
    def states(self) -> Mapping[str, StepState]: ...
    @property
    def iterations(self) -> Mapping[str, int]: ...


class Reads:
    """What one render looked at, so that it is repeated only when that has changed."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        """Read for their value: exact keys, and generic ones where any iteration counts."""
        self.states: set[str] = set()
        """Read for their state, likewise."""
        self.loops: set[str] = set()
        """Asked which iteration is their last."""
        self.outward: set[str] = set()
        """Keys that were not there, so that a step further out answered in their place."""
        self.unknown: dict[str, str] = {}
        """Ids that no scope has yet, and where they were asked for."""
        self.unfit: set[str] = set()
        """Keys whose kept output does not fit the model it was read with."""


def scopes(scope: str) -> Iterator[str]:
    """Prefixes of keys from a scope outward: `a[1]/b[2]` → `a[1]/b[2]/`, `a[1]/`, ``."""
    parts = scope.split("/") if scope else []
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length]) + "/"
    yield ""


class Context(Generic[I_co]):
    """One render's view of the run. Looking something up never changes anything."""

    def __init__(
        self,
        input: I_co,
        source: Source,
        *,
        scope: str = "",
        iteration: int = 0,
        reads: Reads | None = None,
        own: Collection[str] = (),
        lenient: bool = False,
    ) -> None:
        self._input = input
        self._source = source
        self._scope = scope
        self._iteration = iteration
        self._reads = reads or Reads()
        self._own = own
        """Keys that this scope is known to have although nothing stands in the plan yet."""
        self._lenient = lenient
        """Kept outputs that do not fit read as if they were not there; which, is noted."""

    @property
    def input(self) -> I_co:
        return self._input

    @property
    def iteration(self) -> int:
        """From 1, in the innermost loop; 0 outside loops."""
        return self._iteration

    @overload
    def get(self, step: Step[T]) -> T | None: ...
    @overload
    def get(self, step: str, model: type[M]) -> M | None: ...
    @overload
    def get(self, step: str) -> JSON: ...
    def get(self, step: Step[Any] | str, model: type[BaseModel] | None = None) -> Any:
        """The step's output, or None while there is none. For a red check: what it found."""
        key = self._find(step)
        return None if key is None else self._fitting(key, _model(step, model))

    @overload
    def __getitem__(self, step: Step[T]) -> T: ...
    @overload
    def __getitem__(self, step: tuple[str, type[M]]) -> M: ...
    @overload
    def __getitem__(self, step: str) -> JSON: ...
    def __getitem__(self, step: Step[Any] | str | tuple[str, type[BaseModel]]) -> Any:
        """The step's output. Raises RenderError while there is none."""
        asked, model = step if isinstance(step, tuple) else (step, None)
        key = self._find(asked)
        value = None if key is None else self._value(key, _model(asked, model))
        if value is None and key not in self._source.facts.outputs:
            name = _name(asked)
            hint = nearest(name, self._ids()) if key is None else ""
            raise RenderError(
                f"{written_at()}: the output of {name!r} is not there yet{hint}",
                next=f"use ctx.get({name!r}) and say what to do while it is None, or `when=`",
            )
        return value

    @overload
    def previous(self, step: Step[T]) -> T | None: ...
    @overload
    def previous(self, step: str, model: type[M]) -> M | None: ...
    @overload
    def previous(self, step: str) -> JSON: ...
    def previous(self, step: Step[Any] | str, model: type[BaseModel] | None = None) -> Any:
        """What the step left in the iteration before this one; None in the first."""
        if self._iteration <= 1:
            return None
        loop, name = self._scope.rsplit("[", 1)[0], _name(step)
        key = f"{loop}[{self._iteration - 1}]/{name}"
        self._reads.keys.add(key)
        if not self._exists(key):
            self._reads.unknown.setdefault(name, written_at())
        return self._fitting(key, _model(step, model))

    @overload
    def all(self, step: Step[T]) -> list[T]: ...
    @overload
    def all(self, step: str, model: type[M]) -> list[M]: ...
    @overload
    def all(self, step: str) -> list[JSON]: ...
    def all(self, step: Step[Any] | str, model: type[BaseModel] | None = None) -> Any:
        """What the step left in every iteration so far, oldest first."""
        name = _name(step)
        wanted: list[str] = []
        for prefix in scopes(self._scope):
            wanted = [key for key in self._iterated(prefix, name) if self._exists(key)]
            self._reads.keys.add(generic(prefix + name))
            if wanted:
                break
        else:
            self._reads.unknown.setdefault(name, written_at())
        values = [self._fitting(key, _model(step, model)) for key in wanted]
        return [value for value in values if value is not None]

    def passed(self, check: Step[CheckResult] | str) -> bool | None:
        """The answer of a check, or None before it has one."""
        key = self._find(check)
        found = None if key is None else self._fitting(key, CheckResult)
        return found.passed if isinstance(found, CheckResult) else None

    def state(self, step: Step[Any] | str) -> StepStatus:
        """Where the step stands; `pending` when it is not in the plan yet."""
        key = self._find(step, self._reads.states)
        if key is None:
            return StepStatus.PENDING
        state = self._source.states.get(key) or self._source.facts.stored.get(key)
        return state.status if state else StepStatus.PENDING

    # -- finding --

    def _find(self, step: Step[Any] | str, noted: set[str] | None = None) -> str | None:
        """The key that is meant, own scope first. What could change the answer is noted."""
        name = _name(step)
        noted = self._reads.keys if noted is None else noted
        missing: list[str] = []
        for prefix in scopes(self._scope):
            key = self._last(prefix, name)
            noted.add(generic(prefix + name) if "/" in name or key is None else key)
            if key is not None and self._exists(key):
                self._reads.outward.update(missing)
                return key
            if key is not None:
                missing.append(key)
        self._reads.unknown.setdefault(name, written_at())
        return None

    def _last(self, prefix: str, name: str) -> str | None:
        """The key that a path names from a scope, through the last iteration of each loop."""
        *loops, leaf = name.split("/")
        for loop in loops:
            number = self._iterations(prefix + loop)
            if number == 0:
                return None
            prefix = f"{prefix}{loop}[{number}]/"
        return prefix + leaf

    def _iterated(self, prefix: str, name: str) -> list[str]:
        """Its keys in each iteration: of the loops that the path names, or of the one we are in."""
        *loops, leaf = name.split("/")
        if not loops and prefix.endswith("]/"):
            inside = self._each(prefix.rsplit("[", 1)[0])
        else:
            inside = iter([prefix])
            for loop in loops:
                inside = iter([one for outer in inside for one in self._each(outer + loop)])
        return [one + leaf for one in inside]

    def _each(self, loop: str) -> Iterator[str]:
        return (f"{loop}[{number}]/" for number in range(1, self._iterations(loop) + 1))

    def _iterations(self, loop: str) -> int:
        """How many were opened: of a loop that goes on, or of one that has ended."""
        self._reads.loops.add(loop)
        number = self._source.iterations.get(loop)
        if number is not None:
            return number
        ended = self._source.facts.outputs.get(loop)
        value = ended.value if ended else None
        count = value.get("iterations") if isinstance(value, dict) else None
        return count if isinstance(count, int) else 0

    def _exists(self, key: str) -> bool:
        facts = self._source.facts
        if key in facts.outputs or key in self._source.states or key in facts.attempts:
            return True
        if key in self._own:
            return True
        # Iterations that closed before this engine came stand in the record alone. So does this
        # scope until it has been rendered: whether it still has the step is seen then.
        here = key.rpartition("/")[0] == self._scope
        if here and key in facts.stored:
            self._reads.unknown.setdefault(key.rpartition("/")[2], written_at())
        return key in facts.stored

    def _fitting(self, key: str, model: type[BaseModel] | None) -> Any:
        try:
            return self._value(key, model)
        except Unfit:
            if not self._lenient:
                raise
            self._reads.unfit.add(key)
            return None

    def _value(self, key: str, model: type[BaseModel] | None) -> Any:
        facts = self._source.facts
        output = facts.outputs.get(key)
        if output is not None:
            value = output.value
        else:
            attempts = facts.attempts.get(key)
            # What a check found counts once nothing more will come of it.
            final = attempts and attempts[-1].retry_at is None and not attempts[-1].reopened
            value = attempts[-1].value if attempts and final else None
        if value is None or model is None:
            return value
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise Unfit(key, model, problem_of(error), at=written_at()) from error

    def _ids(self) -> Iterable[str]:
        """All that could have been meant: paths from outside, and ids alone."""
        paths = {generic(key) for key in self._source.states}
        return paths | {path.rpartition("/")[2] for path in paths}


def _name(step: Step[Any] | str) -> str:
    return step if isinstance(step, str) else step.named()


def _model(step: Step[Any] | str, model: type[BaseModel] | None) -> type[BaseModel] | None:
    return model if model is not None or isinstance(step, str) else step.result()
