"""Render one scope of a workflow over facts made by hand."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace

from pydantic import BaseModel

from smithers.author.prompt import Prompt
from smithers.author.render import Rendered, render
from smithers.author.steps import Loop, Task
from smithers.author.workflow import Workflow
from smithers.model.run import Facts, Run
from smithers.model.step import JSON, Output, StepState, StepStatus


def load(path: Path) -> ModuleType:
    """Load a workflow file by its path, as the engine does: not by its place in a package."""
    spec = importlib.util.spec_from_file_location(f"loaded_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def workflow_of(module: ModuleType) -> Workflow:
    (found,) = [value for value in vars(module).values() if isinstance(value, Workflow)]
    return found


def source(outputs: Mapping[str, JSON], iterations: Mapping[str, int] | None = None):
    """Facts in which these steps have these outputs."""
    run = Run(
        id="r",
        recipe="x",
        title="x",
        source="",
        source_digest="",
        input={},
        created_at=0,
        status="running",
    )
    facts = Facts(run=run, outputs={key: Output(key, value) for key, value in outputs.items()})
    states = {key: StepState(StepStatus.SUCCEEDED, ok=True) for key in outputs}
    return SimpleNamespace(facts=facts, states=states, iterations=dict(iterations or {}))


def render_top(
    workflow: Workflow, given: BaseModel, outputs: Mapping[str, JSON] | None = None, **kw
) -> Rendered:
    return render(
        workflow.function,
        given,
        source(outputs or {}, **kw),
        scope="",
        iteration=0,
        edits=workflow.edits,
    )


def render_iteration(
    workflow: Workflow, given: BaseModel, loop: str, n: int, outputs: Mapping[str, JSON]
) -> Rendered:
    """The plan of iteration `n` of a loop of the top scope."""
    iterations = {loop: n}
    top = render(
        workflow.function,
        given,
        source(outputs, iterations),
        scope="",
        iteration=0,
        edits=workflow.edits,
    )
    author = top.authors[loop]
    assert isinstance(author, Loop)
    return render(
        author.body,
        given,
        source(outputs, iterations),
        scope=f"{loop}[{n}]",
        iteration=n,
        edits=workflow.edits,
    )


def prompt_text(rendered: Rendered, key: str) -> str:
    task = rendered.authors[key]
    assert isinstance(task, Task)
    return task.prompt.text() if isinstance(task.prompt, Prompt) else task.prompt
