"""The table of `docs/agents.md`: what each agent fulfils, in which version, seen when."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "agents.md"
INSTALLER = Path(__file__).parents[2] / ".ci" / "install-agents"
VERSION, DATE = "version", "seen on"
_BEGIN = "<!-- conformance: written by .ci/conformance -->"
_END = "<!-- /conformance -->"

Cells = dict[str, dict[str, str]]
"""By agent and row."""


def write(page: Path, cells: Mapping[str, Mapping[str, str]]) -> None:
    """Put the table in its place, and leave the rest of the page as it is."""
    rows = list(dict.fromkeys(row for column in cells.values() for row in column))
    lines = [_line(["", *(f"`{agent}`" for agent in cells)]), _line(["---"] * (len(cells) + 1))]
    lines += [_line([row, *(column.get(row, "") for column in cells.values())]) for row in rows]
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text("\n".join([before + _BEGIN, *lines, _END]) + after)


def read(page: Path) -> Cells:
    """The cells of the table; none if there is no table yet."""
    table = page.read_text().partition(_BEGIN)[2].partition(_END)[0]
    lines = [
        [cell.strip() for cell in line[1:-1].split(" | ")]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    if not lines:
        return {}
    head, _, *rows = lines
    return {
        name.strip("`"): {row[0]: row[at] for row in rows} for at, name in enumerate(head) if at
    }


def row(check: Callable[..., object]) -> str:
    """What a case is called, by the first line of its docstring."""
    return (check.__doc__ or "").strip().partition("\n")[0]


def pins() -> dict[str, str]:
    """Versions that are installed, by the name under which they are."""
    found = re.findall(r"^(\S+) +\S+@(\S+) +\S+$", INSTALLER.read_text(), re.MULTILINE)
    return dict(found)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
