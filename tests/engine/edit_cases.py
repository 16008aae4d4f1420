"""What can be edited between two engines of a run: a case for each row of docs/edits.md.

A case does what the row says, yields when `why` is to say it, and then brings the run home.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smithers.errors import StoreTooNew
from smithers.model.run import RunStatus
from smithers.service import reading
from smithers.service.locate import ensure, state_dir
from smithers.store.database import NAME, VERSION, Store
from tests.engine.edited import Edited, mark, until_marks
from tests.running import alive, hold, pids, write

Case = Callable[[Edited], Iterator[None]]
CASES: dict[str, Case] = {}
REAL: set[str] = set()
"""Cases with engines that are processes, and die as such."""

DATA = Path(__file__).parents[1] / "data"
GO = 'Approval("go", "Go on?")'
SHIP = 'Approval("ship", "Ship it?")'


def case(name: str, *, real: bool = False) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        assert name not in CASES
        CASES[name] = function
        if real:
            REAL.add(name)
        return function

    return add


def task(step: str, words: str = "Old words", more: str = "") -> str:
    return f'Task("{step}", agent="coder", prompt="{words}"{more})'


def sequence(*steps: str) -> str:
    return f"return Sequence({', '.join(steps)})"


def parked(run: Edited, *steps: str, turns: int = 0, models: str = "") -> None:
    """The run of a sequence, parked at its first gate. Its agents each write a file."""
    run.flow(sequence(*steps), models=models)
    run.up(*(write(f"f{n}", "x", step=None) for n in range(turns)))
    run.ended(RunStatus.WAITING)


def go(run: Edited) -> None:
    """On from the first gate to where it parks next."""
    run.decide(key="go")
    run.drive()


# -- prompts --


@case("prompt-finished")
def prompt_finished(run: Edited) -> Iterator[None]:
    parked(run, task("first"), GO, SHIP, turns=1)
    run.edit("Old words", "New words")
    go(run)
    yield
    run.ship()
    assert run.shop.prompts("first") == ["Old words"]
    assert run.shop.attempts()["first"] == ["succeeded"]


@case("prompt-at-work", real=True)
def prompt_at_work(run: Edited) -> Iterator[None]:
    run.flow(sequence(task("code"), SHIP))
    waits = {"step": "code", "attempt": 1, "do": [{"run": hold(run.shop, "code")}]}
    run.shop.up(str(run.path), waits, write("f", "x"))
    run.shop.until_file("code.reached")
    run.shop.kill_engine()
    run.edit("Old words", "New words")
    run.shop.resume()
    run.shop.until_status(RunStatus.WAITING)
    yield
    run.shop.until_no_engine()
    run.ship()
    (said,) = run.shop.prompts("code", 2)
    assert said.endswith("New words")
    assert run.shop.attempts()["code"] == ["interrupted", "succeeded"]


@case("prompt-ahead")
def prompt_ahead(run: Edited) -> Iterator[None]:
    parked(run, GO, task("code"), SHIP, turns=1)
    run.edit("Old words", "New words")
    go(run)
    yield
    run.ship()
    assert run.shop.prompts("code") == ["New words"]


@case("prompt-file")
def prompt_file(run: Edited) -> Iterator[None]:
    words = run.shop.out / "coder.md"
    words.write_text("Old words")
    first, second = (f'Task("{id}", agent="coder", prompt=Prompt("coder.md"))' for id in "ab")
    parked(run, first, GO, second, SHIP, turns=2)
    words.write_text("New words")
    go(run)
    yield
    run.ship()
    assert (run.shop.prompts("a"), run.shop.prompts("b")) == (["Old words"], ["New words"])


# -- steps that come, go and move --


@case("added")
def added(run: Edited) -> Iterator[None]:
    parked(run, mark("one"), GO, mark("two"), SHIP)
    run.edit(mark("one"), f"{mark('zero')}, {mark('one')}, {mark('half')}")
    run.edit(mark("two"), f"{mark('two')}, {mark('three')}")
    go(run)
    yield
    assert run.marks == ["one", "zero", "half", "two", "three"]
    assert "what it comes after" not in run.why()  # their neighbours stand as they stood
    run.ship()


@case("added-in-loop")
def added_in_loop(run: Edited) -> Iterator[None]:
    run.flow(f"""
        def body(turn):
            return Sequence({mark("work")}, Approval("go", "Again?"))
        return Sequence(
            Loop("l", body, until=lambda turn: turn.iteration == 3, max_iterations=5), {SHIP}
        )
    """)
    run.up()
    run.decide(key="l[1]/go")
    run.drive()
    run.edit(mark("work"), f"{mark('work')}, {mark('more')}")
    run.decide(key="l[2]/go")
    run.drive()
    yield
    run.decide(key="l[3]/go")
    run.drive()
    assert run.marks == ["work", "work", "more", "work", "more"]
    run.ship()


@case("removed-finished")
def removed_finished(run: Edited) -> Iterator[None]:
    parked(run, mark("one"), GO, mark("two"), SHIP)
    run.edit(f"{mark('one')}, ", "")
    go(run)
    yield
    assert "what it comes after" not in run.why()  # that of `go` is as it was, but for `one`
    run.ship()
    assert [each.key for each in run.shop.view().steps if each.gone] == ["one"]
    assert run.kept["one"]["passed"]


@case("removed-at-work", real=True)
def removed_at_work(run: Edited) -> Iterator[None]:
    held = f'Check("held", {hold(run.shop, "held")!r})'
    run.flow(sequence(held, mark("two"), SHIP))
    run.shop.up(str(run.path))
    run.shop.until_file("held.reached")
    run.shop.kill_engine()
    run.edit(f"{held}, ", "")
    run.shop.resume()
    run.shop.until_status(RunStatus.WAITING)
    yield
    run.shop.until_no_engine()
    assert not any(alive(pid) for pid in pids(run.shop, "held"))
    assert run.shop.attempts()["held"] == ["interrupted"]
    assert "running held" not in run.why()
    assert run.marks == ["two"]
    run.ship()


@case("removed-ahead")
def removed_ahead(run: Edited) -> Iterator[None]:
    parked(run, GO, mark("one"), mark("two"), SHIP)
    run.edit(f"{mark('one')}, ", "")
    go(run)
    yield
    assert run.marks == ["two"]
    assert [each.status for each in run.shop.view().steps if each.gone] == ["cancelled"]
    run.ship()


@case("removed-needed")
def removed_needed(run: Edited) -> Iterator[None]:
    needing = 'Check("two", f"echo two >>{OUT}/marks", needs=("one",))'
    parked(run, mark("one"), GO, f"Parallel({needing}, {mark('beside')})", SHIP)
    run.edit(f"{mark('one')}, ", "")
    go(run)
    yield
    run.ended(RunStatus.PAUSED)
    assert run.marks == ["one", "beside"]
    run.edit(', needs=("one",)', "")
    run.resume()
    assert run.marks == ["one", "beside", "two"]
    run.ship()


@case("renamed")
def renamed(run: Edited) -> Iterator[None]:
    parked(run, mark("one"), GO, SHIP)
    run.edit('Check("one"', 'Check("uno"')
    go(run)
    yield
    assert run.marks == ["one", "one"]
    run.ship()


@case("order")
def order(run: Edited) -> Iterator[None]:
    parked(run, mark("one"), GO, mark("two"), mark("three"), SHIP)
    run.edit(f"{mark('two')}, {mark('three')}", f"{mark('three')}, {mark('two')}")
    go(run)
    yield
    assert run.marks == ["one", "three", "two"]
    run.ship()


@case("needs")
def needs(run: Edited) -> Iterator[None]:
    parked(run, GO, f"Parallel({mark('one')}, {mark('two')}, limit=1)", SHIP)
    run.edit(mark("one"), mark("one")[:-1] + ', needs=("two",))')
    go(run)
    yield
    assert run.marks == ["two", "one"]
    run.ship()


# -- commands and kinds --


@case("command-finished")
def command_finished(run: Edited) -> Iterator[None]:
    parked(run, mark("one"), GO, SHIP)
    run.edit("echo one", "echo uno")
    go(run)
    yield
    assert run.marks == ["one"]
    run.ship()


@case("command-ahead")
def command_ahead(run: Edited) -> Iterator[None]:
    parked(run, GO, mark("one"), SHIP)
    run.edit("echo one", "echo uno")
    go(run)
    yield
    assert run.marks == ["uno"]
    run.ship()


@case("kind-finished")
def kind_finished(run: Edited) -> Iterator[None]:
    parked(run, mark("one"), GO, SHIP)
    run.edit(mark("one"), task("one"))
    run.shop.config(f'[roles]\ncoder = "{run.shop.script()}"\n')
    go(run)
    yield
    assert run.marks == ["one"]
    assert run.kept["one"]["passed"]
    run.ship()


@case("kind-at-work")
def kind_at_work(run: Edited) -> Iterator[None]:
    held = f'Check("one", {hold(run.shop, "held")!r})'
    run.flow(sequence(GO, held, SHIP))
    run.up(write("f", "x", step="one"))
    run.decide(key="go")
    run.drive(leave_at="held.reached")
    run.edit(held, task("one"))
    run.drive()
    yield
    assert run.shop.attempts()["one"] == ["interrupted", "succeeded"]
    assert run.shop.prompts("one", 2)[0].endswith("Old words")
    run.ship()


# -- outputs --

PLAN = "class Plan(BaseModel):\n    summary: str\n"
MORE = f"{PLAN}    files: list[str]\n"
SAFE = f"{PLAN}    files: list[str] = []\n"


def planned(run: Edited, body: str) -> None:
    """A run whose step `plan` has finished; `other` is a gate beside what follows."""
    plan = 'plan = Task("plan", agent="coder", output=Plan, prompt="Plan it")'
    run.flow(f"{plan}\n{body}", models=PLAN)
    said = {"step": "plan", "do": [], "output": {"summary": "short"}}
    run.up(said, write("f", "x", step="code"))
    run.ended(RunStatus.WAITING)


def beside(reader: str) -> str:
    other = f'Sequence(Approval("other", "And this?"), {mark("beside")})'
    return f"return Sequence(Parallel({reader}, {other}), {SHIP})"


@case("model-unfit")
def model_unfit(run: Edited) -> Iterator[None]:
    code = 'Task("code", agent="coder", prompt=f"Do {ctx.get(plan)}")'
    planned(run, beside(f"Sequence(plan, {GO}, Parallel({code}, {mark('behind')}))"))
    run.edit(PLAN, MORE)
    run.decide(key="other")
    go(run)
    yield
    run.ended(RunStatus.PAUSED)
    assert run.marks == ["beside"]
    assert run.shop.attempts() == {"plan": ["succeeded"], "beside": ["succeeded"]}
    run.edit(MORE, SAFE)
    run.resume()
    assert run.shop.prompts("code") == ["Do summary='short' files=[]"]
    assert run.marks == ["beside", "behind"]
    run.ship()


@case("model-unfit-in-loop")
def model_unfit_in_loop(run: Edited) -> Iterator[None]:
    command = "f\"echo {turn['plan', Plan].summary} >>{OUT}/marks\""
    body = f'lambda turn: Sequence({GO}, Check("work", {command}))'
    loop = f'Loop("l", {body}, until=lambda turn: turn.iteration == 2, max_iterations=3)'
    planned(run, beside(f"Sequence(plan, {loop})"))
    run.decide(key="l[1]/go")
    run.drive()
    run.edit(PLAN, MORE)
    run.decide(key="other")
    run.drive()
    yield
    assert run.marks == ["short", "beside"]
    run.decide(key="l[2]/go")
    run.drive()
    run.ended(RunStatus.PAUSED)
    run.edit(MORE, SAFE)
    run.resume()
    assert run.marks == ["short", "beside", "short"]
    run.ship()


@case("model-unfit-everywhere")
def model_unfit_everywhere(run: Edited) -> Iterator[None]:
    text = 'ctx[plan].summary if ctx.state(plan) == "succeeded" else ""'
    planned(run, f"said = {text}\n" + beside(f"Sequence(plan, {GO}, {mark('two')})"))
    run.edit(PLAN, MORE)
    run.decide(key="other")
    go(run)
    yield
    run.ended(RunStatus.PAUSED)
    assert run.marks == []
    run.edit(MORE, SAFE)
    run.resume()
    assert sorted(run.marks) == ["beside", "two"]
    run.ship()


@case("model-unread")
def model_unread(run: Edited) -> Iterator[None]:
    planned(run, f"return Sequence(plan, {GO}, {mark('two')}, {SHIP})")
    run.edit(PLAN, MORE)
    go(run)
    yield
    assert run.marks == ["two"]
    assert run.kept["plan"] == {"summary": "short"}
    run.ship()


@case("model-optional")
def model_optional(run: Edited) -> Iterator[None]:
    code = 'Task("code", agent="coder", prompt=f"Do {ctx.get(plan)}")'
    planned(run, f"return Sequence(plan, {GO}, {code}, {SHIP})")
    run.edit(PLAN, SAFE)
    go(run)
    yield
    assert run.shop.prompts("code") == ["Do summary='short' files=[]"]
    assert run.kept["plan"] == {"summary": "short"}
    run.ship()


# -- loops --


def looping(run: Edited, until: str = "turn.iteration == 3", *, rounds: int = 2) -> None:
    """A loop, parked inside its iteration `rounds`."""
    run.flow(f"""
        def body(turn):
            return Sequence({mark("work")}, Approval("go", "Again?"))
        return Sequence(
            Loop("l", body, until=lambda turn: {until}, max_iterations=8, on_exhausted="ask"),
            {SHIP},
        )
    """)
    run.up()
    for number in range(1, rounds):
        run.decide(key=f"l[{number}]/go")
        run.drive()


def again(run: Edited, number: int) -> None:
    run.decide(key=f"l[{number}]/go")
    run.drive()


@case("until-sooner")
def until_sooner(run: Edited) -> Iterator[None]:
    looping(run, "turn.iteration == 5", rounds=3)
    run.edit("turn.iteration == 5", "turn.iteration >= 2")
    again(run, 3)
    yield
    assert run.marks == ["work"] * 3
    assert run.kept["l"] == {"iterations": 3, "ended": "until"}
    run.ship()


@case("until-later")
def until_later(run: Edited) -> Iterator[None]:
    looping(run, "turn.iteration == 2")
    run.edit("turn.iteration == 2", "turn.iteration == 3")
    again(run, 2)
    yield
    again(run, 3)
    assert run.kept["l"] == {"iterations": 3, "ended": "until"}
    run.ship()


@case("until-over")
def until_over(run: Edited) -> Iterator[None]:
    looping(run, "turn.iteration == 1", rounds=1)
    again(run, 1)
    run.edit("turn.iteration == 1", "turn.iteration == 3")
    run.resume()
    yield
    assert run.marks == ["work"]
    run.ship()


@case("max-lower")
def max_lower(run: Edited) -> Iterator[None]:
    looping(run, "turn.iteration == 4", rounds=3)
    run.edit("max_iterations=8", "max_iterations=2")
    again(run, 3)
    yield
    assert run.marks == ["work"] * 3
    run.decide(key="l[3]")
    run.drive()
    again(run, 4)
    assert run.kept["l"] == {"iterations": 4, "ended": "until"}
    run.ship()


# -- files --


def mended(run: Edited, mend: Callable[[], object]) -> Iterator[None]:
    """The run pauses for what was done to its workflow, and goes on once that is undone."""
    go(run)
    yield
    run.ended(RunStatus.PAUSED)
    run.resume()  # as long as nothing has changed it says the same again
    run.ended(RunStatus.PAUSED)
    mend()
    run.resume()
    assert run.marks == ["one", "two"]
    run.ship()


def two_marks(run: Edited) -> str:
    parked(run, mark("one"), GO, mark("two"), SHIP)
    return run.path.read_text()


@case("syntax")
def syntax(run: Edited) -> Iterator[None]:
    good = two_marks(run)
    run.edit("return Sequence(", "return Sequence((")
    yield from mended(run, lambda: run.path.write_text(good))


@case("import")
def import_error(run: Edited) -> Iterator[None]:
    good = two_marks(run)
    run.edit("from smithers import *", "from smithers import *\nimport nowhere")
    yield from mended(run, lambda: run.path.write_text(good))


@case("leaves")
def leaves(run: Edited) -> Iterator[None]:
    good = two_marks(run)
    run.edit("from smithers import *", "from smithers import *\nraise SystemExit(3)")
    yield from mended(run, lambda: run.path.write_text(good))


@case("raises")
def raises(run: Edited) -> Iterator[None]:
    good = two_marks(run)
    run.edit("return Sequence(", "return 1 / 0, Sequence(")
    yield from mended(run, lambda: run.path.write_text(good))


@case("file-moved")
def file_moved(run: Edited) -> Iterator[None]:
    two_marks(run)
    elsewhere = run.path.with_name("elsewhere.py")
    run.path.rename(elsewhere)
    yield from mended(run, lambda: elsewhere.rename(run.path))


@case("function-renamed")
def function_renamed(run: Edited) -> Iterator[None]:
    run.flow(sequence(mark("one"), GO, mark("two"), SHIP))
    run.up(recipe=f"{run.path}:flow")
    run.edit('@workflow("flow"', '@workflow("flown"')
    yield from mended(run, lambda: run.edit('@workflow("flown"', '@workflow("flow"'))


@case("function-renamed-alone")
def function_renamed_alone(run: Edited) -> Iterator[None]:
    two_marks(run)
    run.edit('@workflow("flow"', '@workflow("flown"')
    run.edit("def flow(", "def flown(")
    go(run)
    yield
    assert run.marks == ["one", "two"]
    run.ship()


@case("comment")
def comment(run: Edited) -> Iterator[None]:
    two_marks(run)
    run.edit("class In", "# more words\nclass In")
    go(run)
    yield
    assert run.marks == ["one", "two"]
    run.ship()  # which reads the file once more
    told = [each.why for each in reading.frames(run.shop.db, "r") if "edited" in each.why]
    assert len(told) == 1


def as_recipe(run: Edited, name: str) -> Path:
    """The project's own recipe of that name, with its prompt beside it, parked."""
    folder = run.shop.root / ".smithers" / "recipes" / name
    folder.mkdir(parents=True)
    code = 'Task("code", agent="coder", prompt=Prompt("coder.md"))'
    run.flow(sequence(mark("one"), code, GO, mark("two"), SHIP))
    run.path = run.path.rename(folder / "recipe.py")
    (folder / "coder.md").write_text("Write it")
    run.up(write("f", "x"), recipe=name)
    return folder


@case("recipe-renamed")
def recipe_renamed(run: Edited) -> Iterator[None]:
    folder = as_recipe(run, "own")
    moved = folder.rename(folder.with_name("owned"))
    yield from mended(run, lambda: moved.rename(folder))


@case("recipe-moved")
def recipe_moved(run: Edited) -> Iterator[None]:
    folder = as_recipe(run, "own")
    for name in ("recipe.py", "coder.md"):
        target = folder.with_name("own.py" if name == "recipe.py" else name)
        shutil.move(folder / name, target)
    folder.rmdir()
    go(run)
    yield
    assert run.marks == ["one", "two"]
    assert "edited" not in run.why()
    run.ship()


# -- the input --


@case("input-default")
def input_default(run: Edited) -> Iterator[None]:
    two_marks(run)
    run.edit('prompt: str = "do it"', 'prompt: str = "do it"\n    dry: bool = False')
    go(run)
    yield
    assert run.marks == ["one", "two"]
    run.ship()


@case("input-required")
def input_required(run: Edited) -> Iterator[None]:
    good = two_marks(run)
    run.edit('prompt: str = "do it"', 'prompt: str = "do it"\n    dry: bool')
    yield from mended(run, lambda: run.path.write_text(good))


# -- gates --


@case("gate-question")
def gate_question(run: Edited) -> Iterator[None]:
    parked(run, mark("one"), SHIP)
    run.edit("Ship it?", "Delete it?")
    run.decide()
    run.drive()
    yield
    run.ended(RunStatus.WAITING)
    run.ship()
    assert [gate.title for gate in run.shop.view().gates] == ["Ship it?", "Delete it?"]


@case("gate-removed", real=True)
def gate_removed(run: Edited) -> Iterator[None]:
    two_marks(run)
    run.edit(f"{GO}, ", "")
    run.resume()
    yield
    assert "approval go" not in run.why()
    assert run.shop.view().row.open_gates == 1
    assert [gate.step for gate in reading.inbox(run.shop.db)] == ["ship"]
    assert run.shop.approve().answer == "approve"  # which gate is meant is plain
    run.shop.until_ended()
    run.ended()
    assert run.marks == ["one", "two"]


# -- a live engine --


def live(run: Edited, *steps: str) -> None:
    held = f'Check("held", {hold(run.shop, "held")!r})'
    run.flow(sequence(f"Parallel({held}, {', '.join(steps)})", mark("two"), SHIP))
    run.shop.up(str(run.path))
    run.shop.until_file("held.reached")


@case("live", real=True)
def live_keeps_its_plan(run: Edited) -> Iterator[None]:
    live(run, mark("one"))
    until_marks(run.shop, "one")
    run.edit("echo two", "echo new")
    run.shop.touch("held.go")
    run.shop.until_status(RunStatus.WAITING)
    yield
    run.shop.until_no_engine()
    assert "edited" not in run.why()
    assert run.marks == ["one", "two"]
    run.ship()


@case("live-told", real=True)
def live_hears_from_outside(run: Edited) -> Iterator[None]:
    live(run, GO)
    run.shop.until(lambda view: view.gates)
    run.edit("echo two", "echo new")
    run.shop.approve()
    run.shop.until_step("go", "succeeded")
    run.shop.touch("held.go")
    run.shop.until_status(RunStatus.WAITING)
    yield
    run.shop.until_no_engine()
    assert run.marks == ["new"]
    assert run.shop.attempts()["held"] == ["succeeded"]
    run.ship()


# -- the program --


@case("upgrade")
def upgrade(run: Edited) -> Iterator[None]:
    ensure(run.shop.root)
    state = state_dir(run.shop.root)
    run.flow(sequence(mark("one"), task("code", "Write it", ", output=Answer"), mark("two"), SHIP))
    (run.shop.out / "marks").write_text("one\n")
    rows = (DATA / "half-done-1.sql").read_text()
    for name, value in {
        "$FLOW": str(run.path),
        "$DIGEST": hashlib.sha256(run.path.read_bytes()).hexdigest(),
        "$ROOT": str(run.shop.root),
        "$OUT": str(run.shop.out),
        "$AGENT": run.shop.script(write("f", "x")),
    }.items():
        rows = rows.replace(name, value)
    for path in state.glob(f"{NAME}*"):
        path.unlink()
    with contextlib.closing(sqlite3.connect(state / NAME)) as old:
        old.executescript("PRAGMA journal_mode = WAL;" + (DATA / "schema-1.sql").read_text())
        old.executescript(rows)
    run.drive()
    yield
    assert run.shop.db.reader.one("SELECT version FROM meta") == (VERSION,)
    assert run.marks == ["one", "two"]
    assert run.shop.attempts() == {
        "one": ["succeeded"],
        "code": ["interrupted", "succeeded"],
        "two": ["succeeded"],
    }
    assert "edited" not in run.why()
    run.ship()


@case("downgrade")
def downgrade(run: Edited) -> Iterator[None]:
    two_marks(run)
    run.shop.db.close()
    run.shop._db = None
    path = state_dir(run.shop.root) / NAME

    def written_by(version: int) -> bytes:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE meta SET version = ?", (version,))
        return path.read_bytes()

    newer = written_by(1000)
    yield
    with pytest.raises(StoreTooNew):
        Store(path.parent)
    assert path.read_bytes() == newer
    written_by(VERSION)
    go(run)
    assert run.marks == ["one", "two"]
    run.ship()
