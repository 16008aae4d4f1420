"""A prompt kept in a file beside the workflow, rendered when the attempt starts."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path
from typing import Any

from smithers.errors import RenderError


class Prompt:
    """`Prompt("coder.md", goal=…)`: a Jinja template, found beside the workflow's own file.

    Nothing is escaped. A name without a value is an error: a prompt with a hole is not sent.
    """

    def __init__(self, file: str, **values: Any) -> None:
        frame = inspect.currentframe()
        caller = frame.f_back if frame else None
        folder = Path(caller.f_code.co_filename).parent if caller else Path()
        self.file = file
        self.path = folder / file
        self.values = values

    def text(self) -> str:
        """The text to send. Raises RenderError naming file and line."""
        import jinja2  # noqa: PLC0415 - only engines that start a task need it

        environment = jinja2.Environment(
            autoescape=False,  # noqa: S701 - the reader is a model, not a browser
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            loader=jinja2.FileSystemLoader(str(self.path.parent)),
        )
        try:
            return environment.get_template(self.path.name).render(**self.values)
        except jinja2.TemplateNotFound as error:
            raise RenderError(
                f"prompt file {self.path.parent / (error.name or self.path.name)} does not exist",
                next="create it, or correct the name in Prompt(…)",
            ) from error
        except jinja2.TemplateError as error:
            line = getattr(error, "lineno", None) or _line(error, self.path)
            where = f"{self.path}:{line}" if line else str(self.path)
            raise RenderError(
                f"prompt {where}: {error}",
                next="give Prompt(…) that value, or correct the template",
            ) from error


def _line(error: Exception, path: Path) -> int | None:
    """Where in the template it happened: Jinja puts the template's own lines into the traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None
