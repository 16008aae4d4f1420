"""Starting a run: everything that can be checked is checked before its row is written."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from smithers.author.workflow import Workflow
from smithers.clock import SYSTEM
from smithers.config import Config, load
from smithers.engine import boxing, casting, loading
from smithers.errors import Refused, SmithersError, UsageError
from smithers.model.gate import Gate
from smithers.model.run import Facts, Run
from smithers.model.step import JSON, Attempt, PlanStep, StepKind
from smithers.schedule.decision import GateRequest
from smithers.schedule.scheduler import Scheduler
from smithers.service.locate import ensure, state_dir
from smithers.store import runs
from smithers.store.database import Store
from smithers.supervise.spawn import inside_attempt, spawn
from smithers.vcs.land import unfinished
from smithers.vcs.repository import Repository, discover, resolve

_ID = re.compile(r"(?!.*\.\.)(?!.*(\.|\.lock)$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Also what git takes as the last part of a branch's name."""
_TITLE_LENGTH = 100


@dataclass(frozen=True, slots=True)
class RecipeInfo:
    name: str
    summary: str
    path: Path
    sentences: tuple[str, ...]
    """What people say when they want it."""
    edits: bool
    """Runs work in a worktree of their own."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants started."""

    recipe: str
    prompt: str | None = None
    input: Mapping[str, JSON] | None = None
    run_id: str | None = None
    agents: Mapping[str, str] | None = None
    workspace: str | None = None
    """`worktree`, `in-place`, or None: as config or the recipe says."""
    budget: Mapping[str, float] | None = None


def start(root: Path, request: Request, *, actor: str) -> str:
    """Write the run and start its engine. Returns its id.

    Raises UsageError for whatever is wrong with the request, with nothing written.
    """
    try:
        run_id = _start(root, request, actor)
    except UsageError as error:
        error.kept = "nothing written"
        raise
    # Where a supervisor was faster, its engine drives the run already.
    with suppress(Refused):
        spawn(state_dir(root), run_id)
    return run_id


def _start(root: Path, request: Request, actor: str) -> str:
    source = loading.locate(root, request.recipe)
    workflow = loading.load(source)
    given = _input(workflow, request)
    config = load(root)
    if what := boxing.unobtainable(config.sandbox, workflow.sandbox):
        raise UsageError(what, next="smithers doctor says how to cure it")
    agents = dict(request.agents or {})
    run_id = _run_id(request.run_id)
    repository = discover(root)
    workspace, branch, base, notes = _workspace(root, run_id, workflow, request, config, repository)
    run = Run(
        id=run_id,
        recipe=workflow.name,
        title=_title(request, workflow),
        source=source.text,
        source_digest=source.digest(),
        input=given.model_dump(mode="json"),
        created_at=SYSTEM.now(),
        agents=agents,
        gates=_policy(workflow.name, config),
        budget={**config.budget, **(request.budget or {})},
        root=str(root),
        workspace=str(workspace),
        branch=branch,
        base=base,
        notes=notes,
        parent=os.environ.get("SMITHERS_ATTEMPT", "") if inside_attempt() else "",
    )
    run = replace(run, notes=(*run.notes, *_rehearse(workflow, given, run, config, root)))
    ensure(root)
    store = Store(state_dir(root))
    try:
        runs.create(store, run, created_by=actor)
    finally:
        store.close()
    return run_id


def recipes(root: Path) -> list[RecipeInfo]:
    """What can be started here, by name. Reads the files; imports none."""
    return [_info(name, path) for name, path in sorted(loading.catalogue(root).items())]


def _info(name: str, path: Path) -> RecipeInfo:
    sentences: tuple[str, ...] = ()
    edits = False
    try:
        tree = ast.parse(path.read_text())
    except (OSError, SyntaxError, ValueError) as error:
        return RecipeInfo(name, f"cannot be read: {error}", path, (), edits=False)
    summary = (ast.get_docstring(tree) or "").split("\n")[0]
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "SENTENCES" for target in node.targets
        ):
            sentences = tuple(str(text) for text in ast.literal_eval(node.value))
        if isinstance(node, ast.FunctionDef):
            edits = edits or any(_says_edits(decorator) for decorator in node.decorator_list)
    return RecipeInfo(name, summary, path, sentences, edits=edits)


def _says_edits(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and any(
        word.arg == "edits" and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in decorator.keywords
    )


def _input(workflow: Workflow[Any], request: Request) -> BaseModel:
    values: dict[str, JSON] = dict(request.input or {})
    fields = workflow.input.model_fields
    if request.prompt is not None:
        if "prompt" not in fields:
            raise UsageError(
                f"{workflow.name} takes no prompt; its input has: {', '.join(fields) or 'nothing'}",
                next=f"smithers recipes show {workflow.name}",
            )
        values["prompt"] = request.prompt
    try:
        given: BaseModel = workflow.input.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "input"
        if first["type"] == "extra_forbidden":
            example = f"the input of {workflow.name} has: {', '.join(fields)}"
        elif field == "prompt":
            example = f'smithers up {request.recipe} "what you want done"'
        else:
            example = f"smithers up {request.recipe} … --input '{{\"{field}\": …}}'"
        raise UsageError(
            f"input does not fit {workflow.name}: {field}: {first['msg']}",
            kept="nothing written",
            next=example,
        ) from error
    return given


def _title(request: Request, workflow: Workflow[Any]) -> str:
    words = (request.prompt or "").strip().split("\n")[0] or str(
        (request.input or {}).get("prompt") or workflow.summary
    )
    return words if len(words) <= _TITLE_LENGTH else words[: _TITLE_LENGTH - 1] + "…"


def _run_id(given: str | None) -> str:
    if given is None:
        return SYSTEM.run_id()
    if not _ID.fullmatch(given):
        raise UsageError(
            f"--run-id {given!r} cannot be a run's id",
            next="letters, digits, `.`, `_` and `-`, at most 64, no `..`, no `.lock` at its end",
        )
    return given


def _policy(recipe: str, config: Config) -> dict[str, str]:
    prefix = f"{recipe}/"
    return {
        key.removeprefix(prefix): by for key, by in config.gates.items() if key.startswith(prefix)
    }


def _workspace(
    root: Path,
    run_id: str,
    workflow: Workflow[Any],
    request: Request,
    config: Config,
    repository: Repository | None,
) -> tuple[Path, str, str, tuple[str, ...]]:
    """Folder, branch, base commit, and what to say of them."""
    wanted = (
        request.workspace or config.workspace.mode or ("worktree" if workflow.edits else "in-place")
    )
    if wanted == "worktree" and repository is None:
        if request.workspace == "worktree":
            raise UsageError(
                f"{root} is no git repository, so there can be no worktree",
                next="git init, or start it with --in-place",
            )
        return (
            root,
            "",
            "",
            (f"{root} is no git repository: the run works in place, without diffs",),
        )
    if wanted == "worktree" and repository is not None:
        named = config.workspace.base
        base = resolve(repository.top, named) if named else repository.head
        if named and not base:
            raise UsageError(
                f"[workspace] base {named!r} is no commit of {repository.top}",
                next="correct it in .smithers/config.toml",
            )
        notes = () if named else _in_the_middle(repository, f"starts from its HEAD, {base[:12]}")
        return state_dir(root) / "worktrees" / run_id, f"smithers/{run_id}", base, notes
    here = "the run works in the checkout itself"
    if repository is None:
        return root, "", "", (here,)
    return root, "", repository.head, (here, *_in_the_middle(repository, "works on it as it is"))


def _in_the_middle(repository: Repository, what: str) -> tuple[str, ...]:
    """A note, where git has something unfinished in the checkout."""
    doing = unfinished(repository)
    return (f"the checkout is in the middle of {doing}; the run {what}",) if doing else ()


class _NoHands:
    """A rehearsal starts nothing and opens nothing."""

    def begin(self, step: PlanStep) -> Attempt:
        raise AssertionError(step.key)

    def open(self, request: GateRequest) -> Gate:
        raise _GateReached(request.key)


class _GateReached(Exception):
    pass


def _rehearse(
    workflow: Workflow[Any], given: BaseModel, run: Run, config: Config, root: Path
) -> tuple[str, ...]:
    """Render what would open first, and see that the roles in it can be played.

    Returns what to say of roles that nobody was named for.
    """
    scheduler = Scheduler(workflow, given, Facts(run))
    with suppress(_GateReached):
        scheduler.advance(_NoHands(), now=run.created_at, cap=0)
    asked = [
        step.spec["agent"] for step in scheduler.facts.plan.values() if step.kind is StepKind.TASK
    ]
    wanted = {(one,) if isinstance(one, str) else tuple(map(str, _list(one))) for one in asked}
    notes = []
    for roles in sorted(wanted | {(role,) for role in run.agents}):
        try:
            first = casting.names_for(roles, run.agents, config, root, casting.rules(config))[0]
            casting.cast(first, config, root)
        except UsageError:
            raise
        except SmithersError as error:
            raise UsageError(error.what, next=error.next) from error
        if not any(role in run.agents or role in config.roles for role in roles):
            notes.append(f"{roles[0]} is played by {first}, the first agent that is installed")
    return tuple(notes)


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
