import json
import time

import pytest

from smithers.errors import UsageError
from smithers.service import reading
from smithers.service.logfile import LogFile


def record(text, n=0, **more):
    return json.dumps({"t": n, "s": "out", "k": "line", "d": text, **more}) + "\n"


def test_lines_are_numbered_and_paged(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(record(f"line {n}", n) for n in range(1, 11)))
    log = LogFile(path)
    assert log.length() == 10
    assert [(each.n, each.at, each.text) for each in log.page(3, 2)] == [
        (4, 4, "line 4"),
        (5, 5, "line 5"),
    ]
    assert log.page(10, 5) == log.page(99, 5) == []
    assert len(log.page(-5, 100)) == 10


def test_a_line_without_its_end_is_not_there_yet(tmp_path):
    path = tmp_path / "a.jsonl"
    first, second = record("one"), record("two")
    path.write_text(first + second[:9])
    log = LogFile(path)
    assert log.length() == 1
    assert [each.text for each in log.page(0, 9)] == ["one"]
    with path.open("a") as file:
        file.write(second[9:])
    assert [each.text for each in log.page(0, 9)] == ["one", "two"]


def test_a_torn_line_that_was_cut_off_leaves_no_trace(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(record("one") + '{"t": 1, "d": "to')
    log = LogFile(path)
    assert log.length() == 1
    path.write_text(record("one") + record("other") + record("more"))
    assert [each.text for each in log.page(0, 9)] == ["one", "other", "more"]
    path.write_text(record("new"))
    assert [each.text for each in log.page(0, 9)] == ["new"]
    path.unlink()
    assert log.length() == 0
    assert log.page(0, 9) == []


def test_every_page_is_the_same_by_index_and_by_reading_it_all(tmp_path):
    path = tmp_path / "a.jsonl"
    texts = [f"{n}" + "x" * (n * 7919 % 700) for n in range(3000)] + ["y" * 300_000, "end"]
    log = LogFile(path)
    with path.open("w") as file:
        for start in range(0, len(texts), 37):
            file.write("".join(map(record, texts[start : start + 37])))
            file.flush()
            if start % 5 == 0:
                log.length()
    assert log.length() == len(texts)
    for after in (0, 1, 99, 100, 1234, 2999, 3000, 3001):
        shown = [each.text for each in log.page(after, 3)]
        assert shown == [
            LogFile(path).page(n, 1)[0].text for n in range(after, min(after + 3, 3002))
        ]
        assert shown[0].rstrip("xy+… ,0123456789") in {"", "end"}
        assert shown[0][:3] == texts[after][:3]


def test_what_is_no_record_is_shown_as_it_stands(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [
        b"plain\x1b[31m \x9b\n",
        b'["list"]\n',
        b'{"d": 5, "t": "x"}\n',
        b"\n",
        b'{"d": "\\udc9b\\u001b]0;t\\u0007"}\n',
    ]
    path.write_bytes(b"".join(lines))
    shown = [each.text for each in LogFile(path).page(0, 9)]
    assert shown == ["plain \ufffd", '["list"]', '{"d": 5, "t": "x"}', "", "\ufffd"]


def test_a_record_is_one_line_whatever_it_holds(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(record("two\nlines"))
    assert LogFile(path).page(0, 1)[0].text == "two␤lines"


def test_a_million_lines_open_and_jump_at_once(tmp_path):
    path = tmp_path / "a.jsonl"
    block = "".join(record(f"test_{n} PASSED" + "." * 30, n) for n in range(1000))
    with path.open("w") as file:
        for _ in range(1000):
            file.write(block)
    log = LogFile(path)
    started = time.process_time()
    assert log.length() == 1_000_000
    assert time.process_time() - started < 0.3
    started = time.process_time()
    assert log.page(999_990, 40)[-1].n == 1_000_000
    assert log.page(500_000, 40)[0].n == 500_001
    assert time.process_time() - started < 0.06
    with path.open("a") as file:
        file.write(record("new"))
    started = time.process_time()
    assert log.length() == 1_000_001
    assert time.process_time() - started < 0.01


def write_log(records, name, *texts, run="r1"):
    folder = records.state / "logs" / run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.000000000007.jsonl").write_text("".join(map(record, texts)))


def test_logs_are_chosen_by_step_and_attempt(records):
    records.run()
    for n in (1, 2):
        records.step(f"build[{n}]/code")
    records.step("idle")
    records.attempt("build[1]/code", 1, started_at=1)
    records.attempt("build[1]/code", 2, started_at=2)
    records.attempt("build[2]/code", 1, started_at=3)
    write_log(records, "build_1__code.1", "a")
    write_log(records, "build_1__code.2", "b", "c")
    write_log(records, "build_2__code.1", "d", "e", "f")
    db = records.open()

    def texts(*chosen):
        lines = reading.log(db, "r1", *chosen)
        assert reading.log_length(db, "r1", *chosen) == len(lines)
        return "".join(each.text for each in lines)

    assert texts("build[1]/code", 1) == "a"
    assert texts("build[1]/code") == "bc"
    assert texts("code") == texts() == "def"
    assert texts("idle") == ""
    assert [each.n for each in reading.log(db, "r1", after=1, limit=1)] == [2]
    with pytest.raises(UsageError, match="has no attempt 3"):
        texts("build[1]/code", 3)
    with pytest.raises(UsageError, match="no step nope"):
        texts("nope")


def test_what_runs_comes_before_what_began_later(records):
    records.run()
    records.step("a")
    records.step("b")
    records.attempt("a", 1, "running", started_at=1, finished_at=None)
    records.attempt("b", 1, started_at=2)
    write_log(records, "a.1", "running")
    assert reading.log(records.open(), "r1")[0].text == "running"
