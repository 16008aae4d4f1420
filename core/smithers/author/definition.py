"""What tells one definition of a step from another, as short marks that any two engines agree on.

A mark changes with what the author wrote and with nothing else: not with the place of the file, not
with the process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from smithers.author.prompt import Prompt

_PLAIN = (bool, int, float, str, bytes, type(None))


def mark(said: str | bytes) -> str:
    """Twelve hexadecimal digits of what was said."""
    raw = said if isinstance(said, bytes) else said.encode("utf-8", "replace")
    return hashlib.sha256(raw).hexdigest()[:12]


def of_prompt(prompt: str | Prompt) -> dict[str, str]:
    """`prompt`: the text, or the file's name and what was put in; `template`: what the file says.

    A file that cannot be read has no `template`: the attempt says so when its turn comes.
    """
    if isinstance(prompt, str):
        return {"prompt": mark(prompt)}
    given = json.dumps([prompt.file, prompt.values], default=str, sort_keys=True)
    try:
        stat = prompt.path.stat()
        template = _template(str(prompt.path), stat.st_mtime_ns, stat.st_size)
    except OSError:
        return {"prompt": mark(given)}
    return {"prompt": mark(given), "template": template}


@lru_cache(maxsize=256)
def _template(path: str, changed: int, size: int) -> str:  # noqa: ARG001 - they name the version
    return mark(Path(path).read_bytes())


@lru_cache(maxsize=256)
def of_model(model: type[BaseModel]) -> str:
    """What values of the model look like; empty where its schema cannot be told."""
    try:
        return mark(json.dumps(model.model_json_schema(), sort_keys=True, default=str))
    except (PydanticUserError, TypeError, ValueError):
        return ""


def of_function(function: Callable[..., Any]) -> str:
    """What the function does, with the plain values that it takes from around it.

    Empty for what can be called and is no Python function.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    said: list[object] = [_said(code)]
    for cell in getattr(function, "__closure__", None) or ():
        try:
            said.append(_plain(cell.cell_contents))
        except ValueError:  # not filled yet
            said.append(None)
    known = getattr(function, "__globals__", {})
    said += [(name, _plain(known.get(name))) for name in code.co_names]
    said.append([_plain(value) for value in getattr(function, "__defaults__", None) or ()])
    return mark(repr(said))


def _said(code: CodeType) -> object:
    """The code without the lines and the file that it stands in."""
    inner = [_said(c) if isinstance(c, CodeType) else _constant(c) for c in code.co_consts]
    return (code.co_code, code.co_names, code.co_varnames, inner)


def _constant(value: object) -> object:
    # The order of a set of words differs from one process to the next.
    return sorted(map(repr, value)) if isinstance(value, frozenset) else value


def _plain(value: object) -> object:
    return value if isinstance(value, _PLAIN) else None
