"""Finding a recipe and importing its workflow.

Importing runs its code: reading commands never come here.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.metadata import entry_points
from pathlib import Path
from types import CodeType
from typing import Any

from pydantic import BaseModel, ValidationError

from smithers.author.base import problem_of
from smithers.author.workflow import Workflow
from smithers.errors import RenderError, SmithersError, UsageError
from smithers.model.step import JSON

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override


KEPT = "every finished step"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a workflow is written."""

    text: str
    """What the run keeps: `recipe:implement`, or `/path/file.py:name`."""
    path: Path
    name: str
    """Of the workflow in its file; empty: the only one."""

    def digest(self) -> str:
        """sha256 of the file as it is now. Raises UsageError when it cannot be read."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(
                f"cannot read the workflow {self.path} ({error.strerror})",
                kept=KEPT,
                next="put the file back, then `smithers resume`",
            ) from error


def catalogue(root: Path) -> dict[str, Path]:
    """Every recipe by name: the ones that ship, then the project's own, which win."""
    found: dict[str, Path] = {}
    for point in entry_points(group="smithers.recipes"):
        found.update(point.load().recipes())
    own = root / ".smithers" / "recipes"
    if own.is_dir():
        for path in sorted(own.iterdir()):
            if path.suffix == ".py":
                found[path.stem] = path
            elif (path / "recipe.py").is_file():
                found[path.name] = path / "recipe.py"
    return found


def locate(root: Path, recipe: str) -> Source:
    """What `recipe` names: a file if it has a `/` or ends in `.py`, else a recipe.

    Raises UsageError.
    """
    head, _, name = recipe.partition(":")
    if recipe.startswith("recipe:"):
        head, name = name, ""
    elif "/" in head or head.endswith(".py"):
        path = Path(head).expanduser().resolve()
        if not path.is_file():
            raise UsageError(
                f"no workflow file at {path}",
                kept=KEPT,
                next="put it there, or see `smithers recipes` for what can be started",
            )
        return Source(f"{path}:{name}" if name else str(path), path, name)
    known = catalogue(root)
    if head not in known:
        near = difflib.get_close_matches(head, sorted(known), 3, 0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        back = "put it back under that name; `smithers recipes` lists what there is"
        raise UsageError(
            f"no recipe is called {head!r}{hint}",
            kept=KEPT,
            next=back if recipe.startswith("recipe:") else "smithers recipes",
        )
    return Source(f"recipe:{head}", known[head], name)


class _Fresh(SourceFileLoader):
    """Compiles what the file holds now.

    Python's own cache takes an edit in the same second and of the same length for none, and would
    leave a folder beside the author's file.
    """

    digest = ""
    """sha256 of what was compiled."""

    @override
    def get_code(self, fullname: str) -> CodeType:
        data = self.get_data(self.path)
        self.digest = hashlib.sha256(data).hexdigest()
        return self.source_to_code(data, self.path)


def load(source: Source) -> Workflow[Any]:
    """Import the file and pick the workflow. Raises RenderError naming file and line."""
    module_name = f"smithers_workflow_{hashlib.sha256(str(source.path).encode()).hexdigest()[:12]}"
    loader = _Fresh(module_name, str(source.path))
    spec = importlib.util.spec_from_file_location(module_name, source.path, loader=loader)
    if spec is None or spec.loader is None:
        raise UsageError(f"{source.path} is not a Python file", next="name a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except SmithersError:
        raise
    except SyntaxError as error:
        raise _broken(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        lines = [
            f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(source.path)
        ]
        where = f"{source.path}:{lines[-1].lineno}" if lines else str(source.path)
        raise _broken(f"{where}: {type(error).__name__}: {error}") from error
    found = {w.name: w for w in vars(module).values() if isinstance(w, Workflow)}
    workflow = _pick(source, found)
    workflow.digest = loader.digest
    return workflow


def given(workflow: Workflow[Any], stored: Mapping[str, JSON]) -> BaseModel:
    """The run's input, as the workflow wants it now. Raises UsageError when it does not fit."""
    try:
        model: BaseModel = workflow.input.model_validate(dict(stored))
    except ValidationError as error:
        name = workflow.input.__name__
        raise UsageError(
            f"the run's input no longer fits {name}: {problem_of(error)}",
            kept=KEPT,
            next=f"give what is new in {name} a default",
        ) from error
    return model


def _pick(source: Source, found: dict[str, Workflow[Any]]) -> Workflow[Any]:
    if source.name:
        if source.name in found:
            return found[source.name]
        near = difflib.get_close_matches(source.name, sorted(found), 1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise UsageError(
            f"{source.path} has no workflow {source.name!r}{hint}",
            kept=KEPT,
            next=f"call it {source.name!r} again, or name what is there: "
            + (", ".join(sorted(found)) or "nothing"),
        )
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise UsageError(
            f"{source.path} holds no workflow",
            kept=KEPT,
            next="decorate a function with @workflow(…)",
        )
    raise UsageError(
        f"{source.path} holds {len(found)} workflows",
        kept=KEPT,
        next=f"say which: {source.path.name}:{min(found)}",
    )


def _broken(what: str) -> RenderError:
    return RenderError(
        f"the workflow does not import: {what}",
        kept=KEPT,
        next="correct the file",
    )
