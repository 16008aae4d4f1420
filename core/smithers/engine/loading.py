"""Finding a recipe and importing its workflow.

Importing runs its code: reading commands never come here.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.metadata import entry_points
from pathlib import Path
from types import CodeType
from typing import Any

from smithers.author.workflow import Workflow
from smithers.errors import RenderError, SmithersError, UsageError

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override


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
                kept="every finished step",
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
                f"no workflow file at {path}", next="check the path, or see `smithers recipes`"
            )
        return Source(f"{path}:{name}" if name else str(path), path, name)
    known = catalogue(root)
    if head not in known:
        near = difflib.get_close_matches(head, sorted(known), 3, 0.4)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise UsageError(f"no recipe is called {head!r}{hint}", next="smithers recipes")
    return Source(f"recipe:{head}", known[head], name)


class _Fresh(SourceFileLoader):
    """Compiles what the file holds now.

    Python's own cache takes an edit in the same second and of the same length for none, and would
    leave a folder beside the author's file.
    """

    @override
    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load(source: Source) -> Workflow[Any]:
    """Import the file and pick the workflow. Raises RenderError naming file and line."""
    module_name = f"smithers_workflow_{hashlib.sha256(str(source.path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(
        module_name, source.path, loader=_Fresh(module_name, str(source.path))
    )
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
    except Exception as error:
        lines = [
            f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(source.path)
        ]
        where = f"{source.path}:{lines[-1].lineno}" if lines else str(source.path)
        raise _broken(f"{where}: {type(error).__name__}: {error}") from error
    return _pick(source, {w.name: w for w in vars(module).values() if isinstance(w, Workflow)})


def _pick(source: Source, found: dict[str, Workflow[Any]]) -> Workflow[Any]:
    if source.name:
        if source.name in found:
            return found[source.name]
        near = difflib.get_close_matches(source.name, sorted(found), 1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise UsageError(
            f"{source.path} has no workflow {source.name!r}{hint}",
            next=f"it has: {', '.join(sorted(found))}",
        )
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise UsageError(
            f"{source.path} holds no workflow", next="decorate a function with @workflow(…)"
        )
    raise UsageError(
        f"{source.path} holds {len(found)} workflows",
        next=f"say which: {source.path.name}:{min(found)}",
    )


def _broken(what: str) -> RenderError:
    return RenderError(
        f"the workflow does not import: {what}",
        kept="every finished step",
        next="correct the file",
    )
