"""What the command line of a shell runs, as far as rules can tell without running it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BETWEEN = re.compile(r"&&|\|\||[;|&\n]")
"""Where one command of a shell ends and another begins."""
_NESTED = re.compile(r"&&|\|\||\$\(|[;|&\n`()]")
"""The same, with all that a command can stand inside of."""
_JOINED = re.compile(r"\\\r?\n")
_BLANKS = re.compile(r"[^\S\n]+")
_VALUE = r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])*"""
_BEFORE = re.compile(rf"(?:[{{!]|if|then|elif|else|while|until|do) |[A-Za-z_]\w*\+?={_VALUE} ")
"""What may stand before a command: a word of the shell, a variable for it."""
_WRAPPER = re.compile(r"(?:env|sudo|exec|command|nohup|time|timeout|nice|xargs) ")
_LOOKED_AT = 20
"""Words before a command that are looked past: of a wrapper its options and their values too."""
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_HIDDEN = re.compile(r"\$[('\"]|`|<\(|>\(")
"""Marks of a shell under which a command, or the end of a quotation, can hide."""
_HARMLESS = re.compile(
    r"(?:(?<!\S)\d+|&)?>>?[^\S\n]*/dev/null(?![^\s;&|)])"
    r"|(?:(?<!\S)\d+)?>&(?:\d+|-)(?![^\s;&|)])"
)
"""Redirections that write to no file."""


def commands(line: str) -> list[str]:
    """The commands at its top, as they stand; at least one."""
    found = [part.strip() for part in _BETWEEN.split(_HARMLESS.sub("", line))]
    return [part for part in found if part] or [line]


def readings(line: str) -> Iterator[str]:
    """The whole, and each command in it, with and without what may stand before a command."""
    yield line
    whole = _JOINED.sub("", line)
    yield _BLANKS.sub(" ", whole).strip()
    for part in _NESTED.split(_HARMLESS.sub("", whole)):
        if command := _BLANKS.sub(" ", part).strip():
            yield from _unwrapped(command)


def _unwrapped(command: str) -> Iterator[str]:
    yield command
    for _ in range(_LOOKED_AT):
        if not (found := _BEFORE.match(command)):
            break
        command = command[found.end() :]
        yield command
    if _WRAPPER.match(command):
        words = command.split(" ", _LOOKED_AT)
        yield from (" ".join(words[begin:]) for begin in range(1, len(words)))


def plain(line: str) -> bool:
    """It runs its commands and nothing that could hide in them, and writes to no file by itself."""
    return not _HIDDEN.search(line) and not any(map(_writes, [line, *commands(line)]))


def _writes(text: str) -> bool:
    # A part can end in the middle of a quotation, and a comment can begin none: so both are read.
    return ">" in _HARMLESS.sub("", _QUOTED.sub("_", text))
