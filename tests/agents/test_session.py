"""What is kept of what a process says while it is read."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from smithers.agents.session import converse
from smithers.clock import SYSTEM
from smithers.process.marks import Mark


def test_of_what_is_said_on_standard_error_the_last_lines_are_kept_and_of_each_the_beginning(
    tmp_path: Path,
) -> None:
    script = (
        "for n in $(seq 30); do echo \"line $n $(head -c 100000 /dev/zero | tr '\\0' x)\"; done >&2"
    )
    code, errors = asyncio.run(
        converse(
            ["/bin/sh", "-c", script],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            mark=Mark("run", "step", 1, SYSTEM.token()),
            stdin="",
            on_line=lambda _source, _text: None,
        )
    )
    assert code == 0
    lines = errors.split("\n")
    assert [line.split("x")[0] for line in lines] == [f"line {n} " for n in range(11, 31)]
    assert {len(line) for line in lines} == {2000}
