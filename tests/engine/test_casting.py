"""Who plays a role, and who takes over from whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from smithers.agents.permissions import Policy
from smithers.config import AgentSpec, Config, Permissions
from smithers.engine.casting import name_for, names_for, relieved, rules
from smithers.errors import UsageError
from smithers.model.run import RunStatus
from smithers.model.step import Attempt, AttemptStatus
from tests.running import Workshop

OK = AttemptStatus.SUCCEEDED
BAD = AttemptStatus.FAILED
LIMIT = AttemptStatus.RATE_LIMITED
CUT = AttemptStatus.INTERRUPTED
TWO = ("one", "two")
FREE = Policy()
SOON, LATE, NOW = 60, 300, 10


def tried(*ends: tuple[str, AttemptStatus] | tuple[str, AttemptStatus, int]) -> list[Attempt]:
    """Agents with how their attempts ended and, at a limit, when it is lifted."""
    return [
        Attempt("s", n, n, status, started_at=n, agent=agent, retry_at=until[0] if until else None)
        for n, (agent, status, *until) in enumerate(ends, 1)
    ]


@pytest.mark.parametrize(
    ("ends", "following"),
    [
        ([], "one"),
        ([("one", CUT), ("one", AttemptStatus.STOPPED)], "one"),
        ([("one", BAD)], "one"),
        ([("one", BAD), ("one", BAD)], "two"),
        ([("one", BAD), ("one", CUT), ("one", BAD)], "one"),
        ([("one", LIMIT)], "two"),
        ([("one", LIMIT), ("two", LIMIT)], "one"),
        ([("one", LIMIT), ("two", BAD), ("two", AttemptStatus.TIMED_OUT)], "one"),
        ([("who is not named any more", LIMIT)], "one"),
        ([("one", LIMIT, LATE), ("two", LIMIT, SOON)], "two"),
        ([("one", LIMIT, SOON), ("two", LIMIT, LATE)], "one"),
        ([("one", LIMIT, LATE), ("two", BAD), ("two", BAD)], "two"),
        ([("one", LIMIT, 5), ("two", LIMIT, LATE)], "one"),
        ([("one", LIMIT, LATE), ("two", LIMIT, 2), ("two", CUT)], "two"),
        ([("one", LIMIT, 8), ("two", LIMIT, 2), ("two", BAD), ("two", BAD)], "one"),
        ([("one", LIMIT, 8), ("two", LIMIT, 2), ("two", BAD)], "two"),
    ],
)
def test_who_is_next(ends: list[tuple[str, AttemptStatus]], following: str) -> None:
    assert name_for(TWO, tried(*ends), NOW) == following


@pytest.mark.parametrize(
    ("ends", "said", "again"),
    [
        ([("one", LIMIT, LATE)], " (now two)", NOW),
        ([("one", BAD), ("one", LIMIT, LATE)], " (now two)", NOW),
        ([("one", LIMIT, LATE), ("two", LIMIT, SOON)], "", SOON),
        ([("one", LIMIT, SOON), ("two", LIMIT, LATE)], " (then one)", SOON),
        ([("one", LIMIT, 5), ("two", LIMIT, LATE)], " (now one)", NOW),
    ],
)
def test_who_goes_on_after_a_limit_and_when(
    ends: list[tuple[str, AttemptStatus, int]], said: str, again: int
) -> None:
    *before, last = tried(*ends)
    done = relieved(TWO, before, last, NOW)
    assert (done.error, done.retry_at) == (said, again)
    # The next one is told the same by the record, which no longer says when `last` was to go on.
    assert name_for(TWO, [*before, done], again) == name_for(TWO, [*before, last], again)


def test_of_three_limits_the_first_that_is_lifted_counts_wherever_it_was_met() -> None:
    names = ("one", "two", "three")
    limits = {"one": LATE, "two": SOON, "three": LATE + 1}
    tries: list[Attempt] = []
    for n, name in enumerate(names, 1):
        (last,) = tried((name, LIMIT, limits[name]))
        tries.append(relieved(names, tries, replace(last, n=n), NOW))
    assert [one.retry_at for one in tries] == [NOW, NOW, SOON]
    assert name_for(names, tries, SOON) == "two"


def test_one_alone_is_never_relieved() -> None:
    (last,) = tried(("one", LIMIT, LATE))
    assert relieved(("one",), [], last, NOW) == last


@pytest.fixture
def all_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("claude", "codex", "pi"):
        (folder / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_who_asks_nobody_plays_no_role_where_something_is_to_be_asked(
    all_installed: Path, tmp_path: Path
) -> None:
    some = ("codex", "mine", "claude:x", "command:true", "pi")
    config = Config(
        agents={"mine": AgentSpec("codex")},
        roles={"coder": some},
        permissions=Permissions(ask=("shell *",)),
    )
    assert names_for("coder", {}, config, tmp_path, FREE) == (*some[:3], *some[4:])
    assert names_for("coder", {}, config, tmp_path, rules(config)) == ("claude:x",)
    assert names_for("nobody", {}, config, tmp_path, rules(config)) == ("claude",)
    (all_installed / "claude").unlink()
    assert names_for("nobody", {}, config, tmp_path, FREE) == ("codex",)
    for role, given, cure in (
        ("nobody", {}, "acp:codex-acp"),
        ("coder", {"coder": "mine"}, "acp:codex-acp"),
        ("coder", {"coder": "command:x"}, "an agent that asks"),
    ):
        with pytest.raises(UsageError, match="asks nobody") as refused:
            names_for(role, given, config, tmp_path, rules(config))
        assert refused.value.next == f"use {cure} in its place"


def test_a_run_by_one_who_asks_nobody_is_refused_and_nothing_is_written(
    workshop: Workshop,
) -> None:
    workshop.config('[permissions]\nask = ["shell *"]\n')
    flow = workshop.flow('return Task("code", agent="coder", prompt="x")')
    with pytest.raises(UsageError, match="codex asks nobody") as refused:
        workshop.up(flow, agents={"coder": "codex"})
    assert (refused.value.kept, refused.value.next) == (
        "nothing written",
        "use acp:codex-acp in its place",
    )


def test_who_is_not_there_is_left_out_unless_nobody_is(tmp_path: Path) -> None:
    agents = {
        "there": AgentSpec("command", command="sh"),
        "gone": AgentSpec("command", command="no-such"),
    }
    config = Config(agents=agents, roles={"coder": ("gone", "there"), "lost": ("gone", "gone:x")})
    assert names_for("coder", {}, config, tmp_path, FREE) == ("there",)
    assert names_for("lost", {}, config, tmp_path, FREE) == ("gone", "gone:x")
    assert names_for(("coder", "lost"), {"coder": "gone"}, config, tmp_path, FREE) == (
        "gone",
        "gone:x",
    )


def test_a_role_that_nobody_plays_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="nobody plays the role 'coder'"):
        names_for("coder", {}, Config(), tmp_path, FREE)


def roles(workshop: Workshop, first: str, second: str) -> None:
    workshop.config(
        f'[agents.first]\nkind = "{first}"\n[agents.second]\nkind = "{second}"\n'
        '[roles]\ncoder = ["first", "second"]\n'
    )


@pytest.mark.slow
def test_at_a_limit_the_next_agent_goes_on_at_once_and_the_record_says_so(
    workshop: Workshop,
) -> None:
    limited = workshop.script({"do": [{"fail": "rate_limit", "retry_after": 3600}]}, name="limited")
    able = workshop.script({"do": [{"say": "done"}]}, name="able")
    roles(workshop, limited, able)
    workshop.up(workshop.flow('return Task("code", agent="coder", prompt="x")'))
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    tries = [(each.agent, each.status.value, each.error) for each in view.steps[0].attempts]
    assert tries == [
        ("first", "rate_limited", "scripted rate_limit (now second)"),
        ("second", "succeeded", ""),
    ]


@pytest.mark.slow
def test_when_all_have_met_their_limit_the_run_waits_and_no_process_does(
    workshop: Workshop,
) -> None:
    limit = {"do": [{"fail": "rate_limit", "retry_after": 3600}]}
    roles(workshop, workshop.script(limit, name="a"), workshop.script(limit, name="b"))
    workshop.up(workshop.flow('return Task("code", agent="coder", prompt="x")'))
    view = workshop.until(lambda view: len(view.steps[0].attempts) == 2 if view.steps else False)
    view = workshop.until_step("code", "retrying")
    assert [each.agent for each in view.steps[0].attempts] == ["first", "second"]
    (waits,) = view.waiting_on
    assert waits.kind == "timer"


@pytest.mark.slow
def test_another_mapping_counts_from_the_next_attempt_and_nothing_is_redone(
    workshop: Workshop,
) -> None:
    fails = workshop.script({"do": [{"fail": "config"}]}, name="fails")
    able = workshop.script({"step": "second", "do": [{"say": "done"}]}, name="able")
    one = workshop.script({"step": "first", "do": [{"say": "one"}]}, name="one")
    workshop.config(
        f'[agents.a]\nkind = "{one}"\n[agents.b]\nkind = "{fails}"\n[roles]\nx = "a"\ny = "b"\n'
    )
    workshop.up(
        workshop.flow(
            'return Sequence(Task("first", agent="x", prompt="1"),'
            ' Task("second", agent="y", prompt="2"))'
        )
    )
    workshop.until_status(RunStatus.FAILED)
    workshop.until_no_engine()
    workshop.config(f'[agents.a]\nkind = "{able}"\n[roles]\nx = "a"\ny = "a"\n')
    from smithers.service import control

    control.retry(workshop.root, "r", "second", agents={}, actor="person:tester")
    view = workshop.until_ended()
    assert view.row.status is RunStatus.SUCCEEDED
    assert workshop.attempts() == {"first": ["succeeded"], "second": ["failed", "succeeded"]}
