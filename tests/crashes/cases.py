"""Workflows that are killed, how each ends undisturbed, and what must hold whatever was done to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smithers.engine import checker
from smithers.model.run import RunStatus
from smithers.model.step import StepKind
from smithers.service import reading
from smithers.service.views import RunView
from tests.running import Workshop, alive, states

STEP = """\
#!/bin/sh
# A step's work: look for what should be dead, leave a mark and a child, wait where it is held.
name=$(echo "$SMITHERS_STEP" | tr '/[]' '...')
for pid in $(cat "{out}/dead" 2>/dev/null); do
    if [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status 2>/dev/null; then
        echo "$SMITHERS_ATTEMPT:$pid" >>"{out}/met"
    fi
done
echo "$SMITHERS_ATTEMPT" >>"{out}/marks"
env -i /usr/bin/setsid /bin/sleep 300 >/dev/null 2>&1 & echo $! >>"{out}/pids"
touch "{out}/reached.$name"
while [ -e "{out}/hold.$name" ]; do sleep 0.02; done
"""
COPIES = 4  # of each turn: one that was played just before a kill is not played again


@dataclass(frozen=True)
class Case:
    """A workflow, and the end that it has when nobody disturbs it."""

    flow: str
    ends: dict[str, str]
    edits: bool = False
    turns: tuple[dict[str, Any], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    """Of the run's branch, beside README."""

    def up(self, workshop: Workshop) -> None:
        script = workshop.out / "step.sh"
        script.write_text(STEP.format(out=workshop.out))
        script.chmod(0o755)
        turns = [_placed(turn, script) for turn in self.turns for _ in range(COPIES)]
        flow = workshop.flow(f'STEP = f"{{OUT}}/step.sh"\n{self.flow.strip()}', edits=self.edits)
        workshop.up(flow, *turns)


def _placed(turn: dict[str, Any], script: Path) -> dict[str, Any]:
    do = [
        {"run": each["run"].replace("STEP", str(script))} if "run" in each else each
        for each in turn["do"]
    ]
    return {**turn, "do": do}


DONE = "succeeded"
CASES = {
    "sequence": Case(
        'return Sequence(Check("a", STEP), Check("b", STEP), Check("c", STEP))',
        {"a": DONE, "b": DONE, "c": DONE},
    ),
    "parallel": Case(
        'return Sequence(Parallel(Check("a", STEP), Check("b", STEP), Check("c", STEP)), Check("d", STEP))',
        {"a": DONE, "b": DONE, "c": DONE, "d": DONE},
    ),
    "loop": Case(
        """
def body(turn):
    return Sequence(
        Task("code", agent="coder", prompt=f"Write it, {turn.iteration}"),
        Check("checks", f"{STEP} && grep -qx 2 value"),
    )
return Loop("build", body, until=lambda turn: turn.passed("checks"), max_iterations=4)
""",
        {
            "build": DONE, "build[1]/code": DONE, "build[1]/checks": "failed",
            "build[2]/code": DONE, "build[2]/checks": DONE,
        },
        edits=True,
        turns=tuple(
            {
                "step": "build/code",
                "iteration": n,
                "do": [{"run": "STEP"}, {"write": "value", "text": f"{n}\n"}],
            }
            for n in (1, 2)
        ),
        files={"value": "2"},
    ),
    "edits": Case(
        """
return Sequence(
    Task("code", agent="coder", prompt="Write it"),
    Check("verify", f"{STEP} && test $(cat lines) = once && test -e whole"),
)
""",
        {"code": DONE, "verify": DONE},
        edits=True,
        turns=(
            {
                "step": "code",
                # Twice done is seen: what an interrupted attempt wrote must be gone.
                "do": [
                    {"run": "echo once >>lines"},
                    {"run": "STEP"},
                    {"write": "whole", "text": "whole\n"},
                ],
            },
        ),
        files={"lines": "once", "whole": "whole"},
    ),
}  # fmt: skip


# -- what the test does --


def hold(workshop: Workshop, step: str) -> None:
    workshop.touch(f"hold.{_name(step)}")


def let_go(workshop: Workshop, step: str) -> None:
    (workshop.out / f"hold.{_name(step)}").unlink()


def until_inside(workshop: Workshop, step: str) -> None:
    workshop.until_file(f"reached.{_name(step)}").unlink()


def _name(step: str) -> str:
    return step.translate(str.maketrans("/[]", "..."))


def bury(workshop: Workshop) -> list[int]:
    """From now on no new attempt may meet a process that was started until now; those that live.

    What an orphan of the dead engine meets is its brothers.
    """
    assert met(workshop) == []
    rows = workshop.db.reader.all("SELECT key, n FROM attempts")
    (workshop.out / "orphans").write_text("\n".join(f"r/{key}.{n}." for key, n in rows) + "\n")
    started = workshop.lines("pids")
    (workshop.out / "dead").write_text("\n".join(started) + "\n")
    return [int(pid) for pid in started if alive(int(pid))]


def met(workshop: Workshop) -> list[str]:
    """Attempts that began beside what a dead engine had left."""
    orphans = tuple(workshop.lines("orphans"))
    return [line for line in workshop.lines("met") if not line.startswith(orphans)]


def finish(workshop: Workshop) -> RunView:
    return workshop.until_ended()


# -- what must hold --


def verify(case: Case, workshop: Workshop) -> None:
    """The run has ended as if nothing had been done to it, and left nothing."""
    view = workshop.view()
    assert view.row.status is RunStatus.SUCCEEDED, workshop.tell()
    assert states(view) == case.ends, workshop.tell()
    assert _work_twice(view, workshop) == [], workshop.tell()
    assert met(workshop) == []
    assert [pid for pid in workshop.lines("pids") if alive(int(pid))] == []
    for name, text in case.files.items():
        assert workshop.git("show", f"smithers/r:{name}") == text
    if case.edits:
        names = workshop.git("ls-tree", "-r", "--name-only", "smithers/r").split()
        assert names == sorted({"README", *case.files})
    assert _store_problems(workshop) == []
    assert _ref_problems(view, workshop) == []
    assert checker.check(workshop.db.reader, "r") == []


def _work_twice(view: RunView, workshop: Workshop) -> list[str]:
    """Every finished step ran once to its end, and every mark is of an attempt that is recorded."""
    marks = Counter(workshop.lines("marks"))
    problems: list[str] = []
    known: set[str] = set()
    for step in view.steps:
        if step.kind not in {StepKind.CHECK, StepKind.TASK}:
            continue
        last = step.attempts[-1]
        numbers = [attempt.n for attempt in step.attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            problems.append(f"{step.key}: attempts {numbers}")
        if any(attempt.status != "interrupted" for attempt in step.attempts[:-1]):
            problems.append(f"{step.key} went on after an end that was no interruption")
        for attempt in step.attempts:
            mine = {mark for mark in marks if mark.startswith(f"r/{step.key}.{attempt.n}.")}
            known |= mine
            if len(mine) > 1 or any(marks[mark] > 1 for mark in mine):
                problems.append(f"{step.key} attempt {attempt.n} worked twice")
            if attempt is last and len(mine) != 1:
                problems.append(f"{step.key}: its last attempt left {len(mine)} marks")
    problems += [f"{mark} is of no recorded attempt" for mark in set(marks) - known]
    return problems


def _store_problems(workshop: Workshop) -> list[str]:
    frames = [frame.n for frame in reading.frames(workshop.db, "r", limit=10_000)]
    problems = [] if frames == list(range(1, len(frames) + 1)) else [f"frames {frames}"]
    ask = workshop.db.reader.all
    problems += [row[0] for row in ask("PRAGMA integrity_check") if row[0] != "ok"]
    problems += [str(row) for row in ask("PRAGMA foreign_key_check")]
    problems += [
        f"running: {row}" for row in ask("SELECT key FROM attempts WHERE status='running'")
    ]
    return problems


def _ref_problems(view: RunView, workshop: Workshop) -> list[str]:
    """Each recorded snapshot exists; each ref but those of interrupted attempts is recorded."""
    listed = workshop.git(
        "for-each-ref", "--format=%(refname) %(objectname)", "refs/smithers/r"
    ).splitlines()
    refs = dict(line.split() for line in listed)
    rows = workshop.db.reader.all("SELECT key, attempt, side, commit_id FROM snapshots")
    recorded = {commit for *_, commit in rows}
    problems = [f"{row} has no ref" for row in rows if row[3] not in refs.values()]
    interrupted = {
        f"/{attempt.n}/"
        for step in view.steps
        for attempt in step.attempts
        if attempt.status == "interrupted"
    }
    for ref, commit in refs.items():
        known = ref.endswith("/@base") or commit in recorded
        if not known and not any(part in ref for part in interrupted):
            problems.append(f"{ref} is not recorded")
    return problems
