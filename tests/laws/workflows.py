"""Random workflows: a tree as data, and the author's function that says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from smithers.author.context import Context
from smithers.author.steps import Approval, Call, Check, Loop, Parallel, Sequence, Step, Task
from smithers.model.step import StepStatus


@dataclass
class Node:
    """One step or group. What is said of it is said as data, so that it shrinks and prints."""

    kind: str
    id: str = ""
    children: list[Node] = field(default_factory=list)
    limit: int | None = None
    when: tuple[str, str] | None = None
    """How the step depends on another: `has`, `lacks`, `passed`, `ended`, and that one's name."""
    placed: tuple[str, str] | None = None
    """Likewise whether it is in the plan at all."""
    needs: list[str] = field(default_factory=list)
    most: int = 1
    until: int = 1
    """The iteration that is enough, if its tasks say so; beyond `most`: never."""
    exhausted: str = "fail"
    on_deny: str = "fail"

    def __repr__(self) -> str:
        said = [repr(self.id)] if self.id else []
        names = ("when", "placed", "needs", "limit")
        said += [f"{name}={getattr(self, name)!r}" for name in names if getattr(self, name)]
        if self.kind == "loop":
            said.append(f"most={self.most}, until={self.until}, exhausted={self.exhausted!r}")
        return f"{self.kind}({', '.join([*said, *map(repr, self.children)])})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def holds(condition: tuple[str, str] | None, ctx: Context[Any]) -> bool:
    if condition is None:
        return True
    how, name = condition
    match how:
        case "has":
            return ctx.get(name) is not None
        case "lacks":
            return ctx.get(name) is None
        case "passed":
            return bool(ctx.passed(name))
        case "ended":
            return ctx.state(name) in {StepStatus.SUCCEEDED, StepStatus.FAILED}
        case "twice":
            return len(ctx.all(name)) > 1
        case "before":
            return ctx.previous(name) is not None
    raise AssertionError(how)


def build(node: Node, ctx: Context[Any]) -> list[Step[Any]]:
    """The steps that a node stands for in this render: none if it is not placed now."""
    if not holds(node.placed, ctx):
        return []
    common: dict[str, Any] = {"when": holds(node.when, ctx), "needs": tuple(node.needs)}
    match node.kind:
        case "sequence":
            return [Sequence(*inside(node, ctx))]
        case "parallel":
            return [Parallel(*inside(node, ctx), limit=node.limit)]
        case "task":
            return [Task(node.id, agent="a", prompt="p", **common)]
        case "check":
            return [Check(node.id, "true", **common)]
        case "call":
            return [Call(node.id, str, **common)]
        case "approval":
            on_deny: Any = node.on_deny
            return [Approval(node.id, "Well?", on_deny=on_deny, **common)]
        case "loop":
            on_exhausted: Any = node.exhausted

            def body(turn: Context[Any]) -> Step[Any]:
                return Sequence(*inside(node, turn))

            return [
                Loop(
                    node.id,
                    body,
                    until=lambda turn: turn.iteration >= node.until,
                    max_iterations=node.most,
                    on_exhausted=on_exhausted,
                    **common,
                )
            ]
    raise AssertionError(node.kind)


def inside(node: Node, ctx: Context[Any]) -> list[Step[Any]]:
    return [step for child in node.children for step in build(child, ctx)]


def function(root: Node) -> Callable[[Context[Any]], Step[Any]]:
    def written(ctx: Context[Any]) -> Step[Any]:
        (step,) = build(root, ctx) or [Sequence()]
        return step

    return written


LEAVES = ("task", "task", "check", "call", "approval")


class _Grower:
    """Draws a tree top down, and knows which names are in sight where."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.budget = 9

    def some(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def group(self, depth: int, sight: _Sight) -> Node:
        kind = self.some("sequence", "parallel")
        limit = self.some(None, None, 1, 2) if kind == "parallel" else None
        count = self.draw(st.integers(1, 3))
        children = [self.node(depth, sight) for _ in range(count) if self.budget > 0]
        return Node(kind, children=children, limit=limit)

    def node(self, depth: int, sight: _Sight) -> Node:
        self.budget -= 1
        kind = self.some("leaf", "leaf", "leaf", "group", "loop") if depth else "leaf"
        if kind == "group":
            return self.group(depth - 1, sight)
        node = self.loop(depth, sight) if kind == "loop" else self.leaf(sight)
        if node.placed is None:
            sight.names.append(node.id)
            sight.always.append(node.id)
            if node.kind == "check":
                sight.checks.append(node.id)
        return node

    def leaf(self, sight: _Sight) -> Node:
        node = Node(self.some(*LEAVES), id=sight.fresh(), on_deny=self.some("fail", "continue"))
        self.conditions(node, sight)
        return node

    def loop(self, depth: int, sight: _Sight) -> Node:
        most = self.draw(st.integers(1, 4))
        node = Node(
            "loop",
            id=sight.fresh(),
            most=most,
            until=self.draw(st.integers(1, most + 1)),
            exhausted=self.some("fail", "ask", "continue"),
        )
        self.conditions(node, sight)
        # Ids of an inner scope may hide those of an outer one.
        hides = self.some(False, True)
        inner = _Sight(outer=sight, hides=hides, count=0 if hides else sight.count)
        count = self.draw(st.integers(1, 2))
        node.children = [self.node(depth - 1, inner) for _ in range(count)]
        if node.placed is None:
            sight.names.extend(f"{node.id}/{name}" for name in inner.names)
        return node

    def conditions(self, node: Node, sight: _Sight) -> None:
        seen = sight.all("names")
        always = sight.certain()
        if seen and self.some(False, False, True):
            node.when = self.condition(seen, sight)
        if seen and self.some(False, False, False, True):
            node.placed = self.condition(seen, sight)
        if always and self.some(False, False, True):
            node.needs = [self.some(*always)]

    def condition(self, seen: list[str], sight: _Sight) -> tuple[str, str]:
        checks = sight.all("checks")
        how = self.some("has", "lacks", "ended", "twice", *(["passed"] if checks else []))
        if sight.outer is not None and sight.always and self.some(False, False, True):
            return ("before", self.some(*sight.always))
        return (how, self.some(*(checks if how == "passed" else seen)))


@dataclass
class _Sight:
    outer: _Sight | None = None
    names: list[str] = field(default_factory=list)
    always: list[str] = field(default_factory=list)
    """Those that every render places."""
    checks: list[str] = field(default_factory=list)
    count: int = 0
    hides: bool = False

    def fresh(self) -> str:
        self.count += 1
        return "abcdefghijklmnopq"[self.count - 1]

    def certain(self) -> list[str]:
        """Those that mean, without a doubt, the step that came before."""
        outer = self.outer.certain() if self.outer and not self.hides else []
        return [*outer, *self.always]

    def all(self, which: str) -> list[str]:
        """Own and outer ones that no nearer one hides."""
        outer = self.outer.all(which) if self.outer else []
        return [*outer, *getattr(self, which)]


@st.composite
def workflows(draw: Any) -> Node:
    grower = _Grower(draw)
    return grower.group(3, _Sight())
