import time

import pytest
from service_records import NOW

from smithers.errors import StoreError, UnknownRun, UsageError
from smithers.model.run import RunStatus
from smithers.model.step import AttemptStatus, StepStatus
from smithers.service import reading

HOSTILE = "x\x1b]52;c;AA\x07\u202e\ny"
SHOWN = "x␤y"


def statuses(db, **options):
    return {row.id: row.status.value for row in reading.runs(db, **options)}


def test_a_run_reads_as_what_its_engine_makes_of_it(records):
    records.run("live", lease="live", status="running")
    records.run("dead", lease="dead", status="running")
    records.run("away", lease="elsewhere", status="running")
    records.run("lost", lease="expired elsewhere", status="running")
    records.run("none", status="running")
    records.run("parked", status="waiting")
    records.run("held", lease="dead", status="running", intent="pause")
    assert statuses(records.open()) == {
        "live": "running",
        "dead": "interrupted",
        "away": "running",
        "lost": "interrupted",
        "none": "interrupted",
        "parked": "waiting",
        "held": "paused",
    }


def test_filters_and_pages_come_after_the_overlay(records):
    for n in range(300):
        records.run(
            f"r{n}", lease="dead" if n % 3 else None, status="running" if n % 3 else "succeeded"
        )
    db = records.open()
    assert statuses(db, status=[RunStatus.RUNNING]) == {}
    page = reading.runs(db, status=[RunStatus.INTERRUPTED], limit=120)
    rest = reading.runs(db, status=[RunStatus.INTERRUPTED], limit=120, before=page[-1].seq)
    assert [row.id for row in page + rest] == [f"r{n}" for n in range(299, -1, -1) if n % 3]
    assert [row.id for row in reading.runs(db, limit=2)] == ["r299", "r298"]
    assert len(reading.runs(db, status=[RunStatus.SUCCEEDED], limit=1000)) == 100


def test_a_cancelled_run_is_found_by_how_it_reads(records):
    records.run("a", lease="dead", status="running", intent="cancel")
    db = records.open()
    assert statuses(db, status=[RunStatus.CANCELLED]) == {"a": "cancelled"}
    assert reading.why(db, "a") == []


def test_the_summary_counts_what_is_true(records):
    records.run("a", lease="live", status="running")
    records.run("b", lease="dead", status="running")
    records.run("c", status="waiting")
    records.gate("ship", run="c")
    records.gate("again", run="c")
    records.run("d", status="succeeded")
    records.run("e", status="failed")
    records.run("f", status="queued", created_at=NOW - 1)
    seen = reading.summary(records.open())
    assert (seen.running, seen.need_you, seen.failed, seen.done, seen.total) == (2, 2, 1, 1, 6)


def test_a_decision_that_nobody_dealt_with_is_noticed(records):
    for run, key, at in (
        ("a", "ship", NOW - 6_000),
        ("b", "ship", NOW - 100),
        ("c", "build2[3]", NOW - 6_000),
    ):
        records.run(run, status="waiting")
        records.step(
            "build2" if "[" in key else key,
            "waiting",
            run=run,
            kind="loop" if "[" in key else "approval",
        )
        records.decide(records.gate(key, run=run), at, run=run)
    records.run("d", status="waiting")
    records.step("first", "succeeded", run="d", kind="approval")
    records.step("second", "waiting", run="d", kind="approval")
    records.decide(records.gate("first", run="d"), NOW - 6_000, run="d")
    records.gate("second", run="d")
    records.run("e", status="waiting")
    records.step("ship", "waiting", run="e", kind="approval")
    records.decide(records.gate("ship", run="e"), NOW - 6_000, run="e")
    records.gate("ship", run="e", n=2)
    assert statuses(records.open()) == {
        "a": "interrupted",
        "b": "waiting",
        "c": "interrupted",
        "d": "waiting",
        "e": "waiting",
    }


def test_ids_are_found_by_prefix_and_by_age(records):
    for run in ("00abc-1", "00abd-1", "Zed"):
        records.run(run)
    db = records.open()
    assert reading.resolve(db, "00abc") == "00abc-1"
    assert reading.resolve(db, "00abd-1") == "00abd-1"
    assert reading.resolve(db, "@last") == "Zed"
    with pytest.raises(UnknownRun, match="several runs begin with 00ab: 00abd-1, 00abc-1"):
        reading.resolve(db, "00ab")
    with pytest.raises(UnknownRun, match="no run 00abx-1") as caught:
        reading.resolve(db, "00abx-1")
    assert caught.value.next == "smithers why 00abd-1"


@pytest.mark.parametrize("name", ["", "é", "a b", "%", "'", "../x", "\udc9b", "x" * 70, "a\x1b[0m"])
def test_no_name_breaks_the_search(records, name):
    db = records.open()
    with pytest.raises(UnknownRun) as caught:
        reading.resolve(db, name)
    assert "\x1b" not in str(caught.value)
    with pytest.raises(UnknownRun):
        reading.run(db, name)


def test_no_runs_and_no_directory_are_told_apart(records, tmp_path):
    with pytest.raises(UnknownRun, match="no runs here"):
        reading.resolve(records.open(), "@last")
    with pytest.raises(StoreError):
        reading.open_directory(tmp_path / "elsewhere")


def fill(records, **values):
    records.run(
        status="running", running=1, total=4, done=1, title=HOSTILE, branch="b", error="", **values
    )
    records.step("ship", position=1, kind="approval")
    records.step("build", "running", position=0, kind="loop")
    for n, states in (
        (1, ("succeeded", "failed")),
        (2, ("running", "pending")),
        (10, ("pending",) * 2),
    ):
        records.step(f"build[{n}]/code", states[0], position=0, title=HOSTILE)
        records.step(f"build[{n}]/check", states[1], position=1, kind="check", reason=HOSTILE)
    records.step("old", position=0, gone=1)
    records.attempt("build[1]/code", agent=HOSTILE, input_tokens=3, cost_usd=0.5)
    records.attempt("build[2]/code", 1, "failed", error=HOSTILE, output_tokens=2)
    records.attempt("build[2]/code", 2, "running", finished_at=None)


def test_a_run_is_shown_in_plan_order_with_nothing_hostile(records):
    fill(records, lease="live", notes='["n\\u001b[0m"]')
    view = reading.run(records.open(), "r1")
    assert [step.key for step in view.steps] == [
        "build",
        "build[1]/code",
        "build[1]/check",
        "build[2]/code",
        "build[2]/check",
        "build[10]/code",
        "build[10]/check",
        "ship",
        "old",
    ]
    assert view.row.title == view.steps[1].title == view.steps[2].reason == SHOWN
    assert view.notes == ("n",)
    assert view.row.now == "build[2]/code"
    assert view.row.usage.input_tokens == 3
    assert view.row.usage.cost_usd == 0.5
    first, second = view.steps[3].attempts
    assert (first.error, first.status, second.status) == (SHOWN, "failed", "running")
    assert first.log == str(records.state / "logs/r1/build_2__code.1.000000000007.jsonl")
    assert view.engine is not None
    assert view.engine.alive
    assert [(each.kind, each.step, each.next) for each in view.waiting_on] == [
        ("running", "build[2]/code", "smithers logs r1 'build[2]/code' -f")
    ]


def test_nothing_runs_in_a_run_whose_engine_is_gone(records):
    fill(records, lease="dead")
    view = reading.run(records.open(), "r1")
    assert view.row.status is RunStatus.INTERRUPTED
    assert "is gone" in view.row.status_reason
    assert view.row.counts.running == 0
    assert not view.engine.alive
    code = next(step for step in view.steps if step.key == "build[2]/code")
    assert code.status is StepStatus.READY
    assert code.attempts[-1].status is AttemptStatus.INTERRUPTED
    assert [(each.kind, each.next) for each in view.waiting_on] == [
        ("interrupted", "smithers resume r1")
    ]


def test_why_names_each_blocker_and_what_clears_it(records):
    records.run(status="waiting", wake_at=NOW + 60_000)
    records.step("ship", "waiting", kind="approval")
    records.step("code", "retrying", reason="overloaded", wake_at=NOW + 60_000)
    records.attempt("code", 1, "failed")
    records.gate("ship", why="the plan says so")
    records.gate("build[3]", kind="no_progress", title="Nothing changes", opened_at=NOW - 5)
    gates_and_timer = [
        ("approval", "ship", "ship#1", "Merge?: the plan says so", "smithers approve r1 ship"),
        (
            "no_progress",
            "build[3]",
            "build[3]#1",
            "Nothing changes",
            "smithers approve r1 'build[3]'",
        ),
        ("timer", "code", "", "overloaded", "smithers wait r1"),
    ]

    def asked():
        return [
            (each.kind, each.step, each.gate, each.text, each.next)
            for each in reading.why(records.open(), "r1")
        ]

    assert asked() == gates_and_timer
    with records.store.write() as db:
        db.execute("UPDATE runs SET status = 'paused', intent = 'pause', intent_by = 'person:ada'")
    assert asked() == [
        ("paused", "", "", "by person:ada", "smithers resume r1"),
        *gates_and_timer,
    ]


def test_why_of_a_failed_run_names_what_failed_it(records):
    records.run(status="failed", finished_at=NOW)
    records.step("build", "failed", kind="loop", reason="not done after 10 iterations")
    for n in (9, 10):
        records.step(f"build[{n}]/code", "succeeded")
        records.step(f"build[{n}]/check", "failed", kind="check", position=1, reason=f"exit {n}")
    records.step("ship", "skipped", kind="approval", position=1)
    records.step("gone", "failed", gone=1)
    db = records.open()
    assert [(each.kind, each.step, each.text, each.next) for each in reading.why(db, "r1")] == [
        ("failed", "build[10]/check", "exit 10", "smithers retry r1 'build[10]/check'")
    ]
    assert reading.run(db, "r1").row.now == "build[10]/check"


def test_a_run_that_succeeded_names_no_step_though_an_early_check_was_red(records):
    records.run(status="succeeded", finished_at=NOW)
    records.step("build", "succeeded", kind="loop")
    records.step("build[1]/check", "failed", kind="check", reason="exit 1")
    records.step("build[2]/check", "succeeded", kind="check")
    assert reading.run(records.open(), "r1").row.now == ""


def test_why_of_a_run_that_failed_before_its_steps_says_the_error(records):
    records.run(status="failed", error="the workflow renders to no plan", finished_at=NOW)
    (only,) = reading.why(records.open(), "r1")
    assert (only.kind, only.text, only.next) == (
        "failed",
        "the workflow renders to no plan",
        "smithers resume r1",
    )


@pytest.mark.parametrize("status", ["succeeded", "cancelled", "superseded"])
def test_why_of_an_ended_run_is_empty(records, status):
    records.run(status=status)
    assert reading.why(records.open(), "r1") == []


def test_frames_come_in_pages(records):
    records.run()
    for n in range(1, 6):
        records.frame(n, why=HOSTILE, code="running", check="pending")
    db = records.open()
    page = reading.frames(db, "r1", after=2, limit=2)
    assert [(frame.n, frame.why, len(frame.changes)) for frame in page] == [
        (3, SHOWN, 2),
        (4, SHOWN, 2),
    ]
    assert reading.frames(db, "r1", after=5) == []


def test_steps_are_found_by_key_by_place_and_by_name(records):
    fill(records)
    db = records.open()
    assert reading.step_key(db, "r1", "build[1]/code") == "build[1]/code"
    assert reading.step_key(db, "r1", "build/code") == "build[10]/code"
    assert reading.step_key(db, "r1", "code") == "build[10]/code"
    assert reading.step_key(db, "r1", "ship") == "ship"
    with pytest.raises(UsageError, match=r"no step buildcode in r1; did you mean build/code\?"):
        reading.step_key(db, "r1", "buildcode")
    records.step("other[1]/code")
    with pytest.raises(UsageError, match="several steps of r1 are called code"):
        reading.step_key(db, "r1", "code")


def test_output_is_the_value_or_what_a_failed_check_found(records):
    records.run()
    records.step("code", "succeeded")
    records.step("check", "failed", kind="check")
    records.step("later")
    records.insert("outputs", run=1, key="code", value='{"summary": "s\\u001b"}')
    records.insert("outputs", run=1, key="build[1]", value='{"again": false}')
    records.attempt("check", 1, "failed", value='{"passed": false}')
    db = records.open()
    assert reading.output(db, "r1", "code") == {"summary": "s\x1b"}
    assert reading.output(db, "r1", "check") == {"passed": False}
    assert reading.output(db, "r1", "build[1]") == {"again": False}
    assert reading.output(db, "r1", "later") is None
    with pytest.raises(UsageError):
        reading.output(db, "r1", "nothing")


def test_a_commit_of_another_connection_is_news_once(records):
    db = records.open()
    assert not reading.changed(db)
    records.run()
    assert reading.changed(db)
    assert not reading.changed(db)


def test_a_thousand_runs_are_listed_at_once(records):
    with records.store.write() as db:
        db.executemany(
            "INSERT INTO runs (id, recipe, title, source, source_digest, input, created_at, created_by, root, "
            "workspace, status) VALUES (?, 'r', 't', 's', 'd', '{}', ?, 'p', '/', '/', ?)",
            [(f"x{n}", NOW, "waiting" if n % 2 else "succeeded") for n in range(10_000)],
        )
        db.execute("INSERT INTO leases (run, fence) SELECT seq, 0 FROM runs")
    db = records.open()
    started = time.process_time()
    assert len(reading.runs(db)) == 50
    assert time.process_time() - started < 0.05
    started = time.process_time()
    assert reading.runs(db, status=[RunStatus.INTERRUPTED]) == []
    assert reading.summary(db).total == 10_000
    assert time.process_time() - started < 1
