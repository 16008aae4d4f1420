"""The tools of a model: what each takes, what it asks to be allowed, what it does."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cache
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from smithers.agents.models import shell
from smithers.agents.models.place import Place, Refused
from smithers.agents.patches import patch
from smithers.agents.permissions import Question, Ruling, Tool, names

_TEXT_LIMIT = 60_000  # characters of a file, or of names, in one result
_GREP_SECONDS = 60.0
_PATH = Field(description="Relative to the workspace")


class Use(BaseModel):
    """One use of a tool; its fields are the tool's input."""

    model_config = ConfigDict(extra="forbid")
    name: ClassVar[str]
    tool: ClassVar[Tool] = Tool.READ

    def subject(self, place: Place) -> str:
        """What rules match. Raises Refused where it may never be."""
        raise NotImplementedError

    def body(self, place: Place) -> str:  # noqa: ARG002
        """All that a person has to see of it."""
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False)

    async def do(self, place: Place) -> str:
        """Do it, and tell what came of it. Raises Refused."""
        raise NotImplementedError

    def also(self, place: Place) -> tuple[str, ...]:  # noqa: ARG002
        """Other names of the subject."""
        return ()

    def question(self, place: Place) -> Question:
        subject, body = self.subject(place), self.body(place)
        return Question(self.tool, self.name, subject, body, self.also(place))


class _OfFile(Use):
    path: str = _PATH

    def subject(self, place: Place) -> str:
        return place.named(place.inside(self.path))

    def also(self, place: Place) -> tuple[str, ...]:
        return names(self.path, place.workspace)[1:]


class ReadFile(_OfFile):
    """Read a text file, whole or some of its lines."""

    name = "read_file"
    first_line: int = Field(1, ge=1)
    lines: int = Field(2000, ge=1)

    async def do(self, place: Place) -> str:
        all_lines = place.read(place.inside(self.path)).decode("utf-8", "replace").split("\n")
        begin = self.first_line - 1
        text = "\n".join(all_lines[begin : begin + self.lines])
        cut = len(text) > _TEXT_LIMIT
        if not cut and begin == 0 and len(all_lines) <= self.lines:
            return text
        return f"{text[:_TEXT_LIMIT]}\n… cut; it has {len(all_lines)} lines"


class WriteFile(_OfFile):
    """Write a whole file, new or in place of what was there."""

    name = "write_file"
    tool = Tool.EDIT
    content: str

    def body(self, place: Place) -> str:
        path = place.inside(self.path)
        old = place.read(path).decode("utf-8", "replace") if path.exists() else ""
        return patch(self.subject(place), old, self.content) or super().body(place)

    async def do(self, place: Place) -> str:
        place.write(place.inside(self.path), self.content)
        return "written"


class EditFile(_OfFile):
    """Replace a piece of text that stands exactly once in a file."""

    name = "edit_file"
    tool = Tool.EDIT
    old: str = Field(description="Exactly as it stands in the file, with enough around it")
    new: str

    def body(self, place: Place) -> str:
        return patch(self.subject(place), self.old, self.new) or super().body(place)

    async def do(self, place: Place) -> str:
        path = place.inside(self.path)
        try:
            text = place.read(path).decode()
        except UnicodeDecodeError:
            raise Refused(f"{self.path} is not UTF-8: use the shell") from None
        found = text.count(self.old) if self.old else 0
        if found != 1:
            raise Refused(f"`old` stands {found} times in {self.path}, not once")
        place.write(path, text.replace(self.old, self.new))
        return "edited"


class ListFiles(Use):
    """List files and folders that fit a glob pattern, such as `src/**/*.py`."""

    name = "list_files"
    pattern: str = "*"

    def subject(self, place: Place) -> str:  # noqa: ARG002
        return self.pattern

    async def do(self, place: Place) -> str:
        return "\n".join(place.find(self.pattern))[:_TEXT_LIMIT] or "nothing fits"


class Search(_OfFile):
    """Search text in files by an extended regular expression, as `grep -rnE` does."""

    name = "search"
    pattern: str
    path: str = Field(".", description="A file or folder, relative to the workspace")
    files: str = Field("", description="Only in files whose name fits, such as `*.py`")

    async def do(self, place: Place) -> str:
        only = [f"--include={self.files}"] if self.files else []
        argv = ["grep", "-rnIEsH", "--null", "--exclude-dir=.git", *only, "-e", self.pattern, "--"]
        code, text = await shell.run([*argv, self.subject(place)], place, _GREP_SECONDS)
        if code not in {0, 1, None} and "\0" not in text:
            return text or "nothing found"
        rules = replace(place.policy, remembered=())
        asked = rules.rule(self.question(place))[0] is Ruling.ASK
        found = _told(text, place, {Ruling.ALLOW, Ruling.ASK} if asked else {Ruling.ALLOW})
        if code is None:
            found.append("… it took too long: narrow it down")
        return "\n".join(found) or "nothing found"


def _told(text: str, place: Place, may: AbstractSet[Ruling]) -> list[str]:
    """What grep has found in files that may be read; it puts a NUL after the name of each."""
    ruling = cache(place.ruling)
    told, kept, broken = [], "", False
    for line in text.split("\n"):
        name, end, rest = line.partition("\0")
        if end and not broken:
            if ruling(name) in may:
                told.append(f"{name}:{rest}")
            else:
                kept = "… and in files that [permissions] keeps from you"
        elif not end and line.startswith("…"):
            told.append(line)
        # A line without a name is the beginning of one, or says that lines were left out.
        broken = not end
    return [*told, kept] if kept else told


class Shell(Use):
    """Run a command with /bin/sh in the workspace.

    What is to go on in the background has to have its output redirected; it ends with your turn.
    """

    name = "shell"
    tool = Tool.SHELL
    command: str
    seconds: int = Field(120, ge=1, le=550, description="Time limit")

    def subject(self, place: Place) -> str:  # noqa: ARG002
        return self.command

    def body(self, place: Place) -> str:  # noqa: ARG002
        return self.command

    async def do(self, place: Place) -> str:
        code, text = await shell.run(["/bin/sh", "-c", self.command], place, self.seconds)
        if code is None:
            return f"{text}\nstopped: it took more than {self.seconds} s"
        return f"{text}\nexit code {code}" if code else text or "done, without output"


TOOLS: dict[str, type[Use]] = {
    use.name: use for use in (ReadFile, WriteFile, EditFile, ListFiles, Search, Shell)
}
