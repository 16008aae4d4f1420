"""`message` at the command line: what it says, what it refuses, and where it is seen."""

import io

import pytest
from scene import CODE, EVIL, at_code, ended


@pytest.fixture
def at_work(scene, monkeypatch):
    monkeypatch.setenv("SMITHERS_ACTOR", "driver")
    return at_code(scene.run("r1"))


def test_a_message_is_taken_and_seen_by_whoever_looks(at_work, smithers):
    said = smithers("message", "r1", "build/code", f"Keep the {EVIL} API\nas it is")
    assert said.code == 0
    assert said.err.startswith("message 1 waits for the next turn of build[1]/code. next: ")
    sent = smithers("message", "@last", "code", "And test it", "--json").json
    assert sent == {
        "run": "r1", "step": CODE.key, "n": 2, "text": "And test it", "actor": "agent:driver",
        "sent_at": sent["sent_at"], "attempt": None, "delivered_at": None,
    }  # fmt: skip
    steps = smithers("inspect", "r1", "--json").json["steps_detail"]
    (code,) = [each for each in steps if each["key"] == CODE.key]
    assert [each["n"] for each in code["messages"]] == [1, 2]
    shown = smithers("inspect", "r1").out
    assert "message 1 to build[1]/code, waits, agent:driver: Keep the" in shown
    assert not set(shown) & set("\x1b\x07\u202e\x9b")


def test_the_words_can_come_from_standard_input(at_work, smithers, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"- long\xff\n- words")))
    assert smithers("message", "r1", "code", "-", "--json").json["text"] == "- long\ufffd\n- words"


@pytest.mark.parametrize(
    ("step", "text", "code", "what"),
    [
        ("code", " ", 2, "the message is empty"),
        ("code", "x" * 70_000, 2, "65,536 is the most"),
        ("build/cod", "x", 2, "did you mean build/code?"),
        ("checks", "x", 2, "is no task but a check"),
        ("build", "x", 2, "is no task but a loop"),
    ],
)
def test_what_cannot_be_said_is_refused(at_work, smithers, step, text, code, what):
    said = smithers("message", "r1", step, text, "--json")
    assert said.code == code
    assert what in said.json["error"]["message"]


def test_a_run_that_has_ended_takes_no_message(scene, smithers):
    ended(scene.run("r1"))
    said = smithers("message", "r1", "build[1]/code", "x")
    assert said.code == 5
    assert "run r1 has ended (succeeded)" in said.err


def test_whom_a_run_obeys_is_seen(at_work, scene, smithers, monkeypatch):
    smithers("pause", "r1")
    assert smithers("pause", "r1").code == 0
    found = smithers("inspect", "r1", "--json").json
    assert (found["intent"], found["intent_by"], found["stop_by"]) == (
        "pause",
        "agent:driver",
        None,
    )
    assert "pause: asked by agent:driver" in smithers("inspect", "r1").out
