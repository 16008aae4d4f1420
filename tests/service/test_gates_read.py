import subprocess

import pytest
from service_records import NOW

from smithers.errors import UsageError
from smithers.service import reading


def git(folder, *args):
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", folder, *args],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(folder, files):
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    git(folder, "add", "-A", "--", *files)
    git(folder, "commit", "-q", "-m", "c")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repo(records):
    git(records.root, "init", "-q")
    return records.root


def test_the_inbox_holds_what_is_open_oldest_first(records):
    records.run("a", status="waiting", title="A\x1b[0m")
    records.run("b", status="waiting")
    records.run("ended", status="cancelled")
    records.gate("ship", run="a", opened_at=NOW - 5)
    records.gate("ship", run="b", opened_at=NOW - 9)
    records.gate("ship", run="ended")
    records.decide(records.gate("plan", run="a"), NOW, run="a")
    assert {row.id: row.open_gates for row in reading.runs(records.open())} == {
        "a": 1,
        "b": 1,
        "ended": 0,
    }
    found = reading.inbox(records.open())
    assert [(each.run, each.run_title, each.id, each.body) for each in found] == [
        ("b", "Build it", "ship#1", ""),
        ("a", "A", "ship#1", ""),
    ]


def test_a_gate_shows_every_sign_of_what_it_is_about(records):
    records.run(status="waiting")
    records.gate("ship", body="rm -rf \u202ebuild\x1b[8m\r\nx", title="M\u200berge?")
    found = reading.gate(records.open(), "r1", "ship#1")
    assert found.body == "rm -rf ⟨U+202E⟩build␛[8m␍\nx"
    assert found.title == "M⟨U+200B⟩erge?"
    assert found.hidden == 3
    assert found.digest == "abc"
    with pytest.raises(UsageError, match="no gate nope"):
        reading.gate(records.open(), "r1", "nope")


def test_a_decided_gate_says_who_and_how(records):
    records.run(status="waiting")
    records.decide(records.gate("ship"), NOW)
    decision = reading.gate(records.open(), "r1", "ship#1").decision
    assert (decision.answer, decision.actor, decision.established) == (
        "approve",
        "person:ada",
        "terminal",
    )


def test_a_gate_about_a_diff_shows_the_patch(records, repo):
    left = commit(repo, {"a.txt": "one\n"})
    right = commit(repo, {"a.txt": "two\u202e\n"})
    records.run(status="waiting")
    records.gate("ship", show="diff", body=f"{left}..{right}")
    found = reading.gate(records.open(), "r1", "ship#1")
    assert "-one\n+two⟨U+202E⟩" in found.body
    assert found.hidden == 1


def test_a_long_diff_is_cut_and_says_so(records, repo):
    left = commit(repo, {"a.txt": "one\n"})
    right = commit(repo, {"a.txt": "x\n" * 5000})
    records.run(status="waiting")
    records.gate("ship", show="diff", body=f"{left}..{right}")
    lines = reading.gate(records.open(), "r1", "ship#1").body.split("\n")
    assert len(lines) == 2001
    assert lines[-1].startswith("… 3,")
    assert lines[-1].endswith("more lines. next: smithers diff r1")


@pytest.mark.parametrize("body", ["0" * 40 + ".." + "1" * 40, "--output=/tmp/x..b", ""])
def test_a_diff_that_cannot_be_shown_counts_as_hidden(records, repo, body):
    records.run(status="waiting")
    records.gate("ship", show="diff", body=body)
    found = reading.gate(records.open(), "r1", "ship#1")
    assert found.body.startswith("(")
    assert found.hidden > 0


class TestDiff:
    def test_of_a_run_is_from_its_base_to_the_last_snapshot(self, records, repo):
        base = commit(repo, {"a.txt": "one\n"})
        first = commit(repo, {"a.txt": "two\n"})
        second = commit(repo, {"b\n.txt": b"\x9b\n"})
        records.run(status="running", base=base, branch="smithers/r1", lease="live")
        records.snapshot("code", "before", base, 1)
        records.snapshot("code", "after", first, 2)
        records.snapshot("check", "before", first, 3)
        records.snapshot("check", "after", second, 4, incomplete=["sub"])
        found = reading.diff(records.open(), "r1")
        assert found.left == f"base {base[:7]}"
        assert found.right == "after check, attempt 1"
        assert [(each.path, each.status, each.added) for each in found.files] == [
            ("a.txt", "M", 1),
            ("b␤.txt", "A", 1),
        ]
        assert "+⟨U+DC9B⟩" in found.patch
        assert "+\udc9b" in found.raw
        assert found.note == "changes since that snapshot are not in it; not captured: sub"

    def test_of_an_ended_run_is_to_its_branch(self, records, repo):
        base = commit(repo, {"a.txt": "one\n"})
        git(repo, "checkout", "-q", "-b", "smithers/r1")
        head = commit(repo, {"a.txt": "two\n"})
        records.run(status="succeeded", base=base, branch="smithers/r1")
        records.snapshot("code", "before", base, 1)
        records.snapshot("code", "after", base, 2)
        found = reading.diff(records.open(), "r1")
        assert found.right == f"branch smithers/r1, {head[:7]}"
        assert "+two" in found.patch
        assert found.note == ""

    def test_of_a_step_is_of_its_last_attempt_or_the_one_given(self, records, repo):
        states = [commit(repo, {"a.txt": f"{n}\n"}) for n in range(5)]
        records.run(status="running", lease="live")
        records.step("build", kind="loop")
        records.step("build[1]/code")
        records.step("build[2]/code")
        records.snapshot("build[1]/code", "before", states[0], 1)
        records.snapshot("build[1]/code", "found", states[1], 2)
        records.snapshot("build[1]/code", "before", states[1], 3, attempt=2)
        records.snapshot("build[1]/code", "after", states[2], 4, attempt=2)
        records.snapshot("build[2]/code", "before", states[2], 5)
        records.snapshot("build[2]/code", "after", states[4], 6)
        db = records.open()

        def sides(*chosen):
            found = reading.diff(db, "r1", *chosen)
            patch = [
                each
                for each in found.raw.split("\n")
                if each[:2] in {"-0", "-1", "-2", "+1", "+2", "+4"}
            ]
            return (found.left, found.right, "".join(patch))

        assert sides("build[1]/code") == (
            "before build[1]/code, attempt 2",
            "after build[1]/code, attempt 2",
            "-1+2",
        )
        assert sides("build[1]/code", 1) == (
            "before build[1]/code, attempt 1",
            "after build[1]/code, attempt 1",
            "-0+1",
        )
        assert sides("code")[2] == "-2+4"
        assert sides("build") == (
            "before build[1]/code, attempt 1",
            "after build[2]/code, attempt 1",
            "-0+4",
        )

    def test_that_is_empty_says_why(self, records, repo):
        base = commit(repo, {"a.txt": "one\n"})
        records.run(status="running", base=base, branch="smithers/r1", lease="live")
        records.step("code")
        records.step("check")
        db = records.open()
        assert reading.diff(db, "r1").note == "no attempt that can change files has ended yet"
        assert reading.diff(db, "r1", "check").note.startswith("no snapshots of check")
        records.snapshot("code", "before", base, 1)
        assert reading.diff(db, "r1", "code").note == "code, attempt 1, has not ended yet"
        records.snapshot("code", "after", base, 2)
        assert reading.diff(db, "r1", "code").note == "nothing changed"
        records.snapshot("code", "after", "0" * 40, 3, attempt=2)
        records.snapshot("code", "before", base, 3, attempt=2)
        assert reading.diff(db, "r1", "code").note.startswith("cannot compare: ")

    def test_in_place_outside_git_has_nothing_to_compare(self, records):
        records.run(status="running", lease="live")
        assert "outside git" in reading.diff(records.open(), "r1").note

    def test_survives_a_worktree_that_is_gone(self, records, repo):
        base = commit(repo, {"a.txt": "one\n"})
        head = commit(repo, {"a.txt": "two\n"})
        records.run(status="succeeded", base=base, branch="x", workspace=str(repo / "gone"))
        records.snapshot("code", "after", head, 2)
        assert "+two" in reading.diff(records.open(), "r1").patch
