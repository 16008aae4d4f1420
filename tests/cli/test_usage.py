"""`usage`: what is known is added up, what is not is said to be unknown."""

import pytest
from scene import ended


@pytest.fixture
def used(scene):
    ended(scene.run("one"))
    ended(scene.run("two"))
    with scene.store.write() as db:
        db.execute("UPDATE attempts SET agent = '', model = '' WHERE key = 'build[1]/tests'")
        db.execute(
            "UPDATE attempts SET agent = 'claude', model = 'opus', input_tokens = 1000, "
            "output_tokens = 10, cached_tokens = 400, cost_usd = 0.5 WHERE agent != ''"
        )
        db.execute("UPDATE attempts SET cost_usd = NULL WHERE agent != '' AND run = 2")
    return db_counts(scene)


def db_counts(scene):
    rows = scene.store.all("SELECT run, count(*) FROM attempts WHERE agent != '' GROUP BY run")
    return dict(rows)


def test_it_adds_up_by_what_is_asked_for(used, smithers):
    for by, keys in {"run": ["one", "two"], "agent": ["claude"], "model": ["opus"]}.items():
        told = smithers("usage", "--by", by, "--json").json
        assert [row["key"] for row in told["rows"]] == keys
        assert told["total"]["input_tokens"] == 1000 * sum(used.values())
        assert told["total"]["cached_tokens"] == 400 * sum(used.values())


def test_a_cost_that_no_agent_told_is_unknown_and_in_no_sum(used, smithers):
    rows = {row["key"]: row for row in smithers("usage", "--by", "run", "--json").json["rows"]}
    assert rows["one"]["cost_usd"] == 0.5 * used[1]
    assert (rows["two"]["cost_usd"], rows["two"]["attempts_of_unknown_cost"]) == (None, used[2])
    said = smithers("usage", "two").out
    assert "unknown" in said
    assert "$" not in said
    assert f"${0.5 * used[1]:.2f} + {used[2]} unknown" in smithers("usage").out


def test_of_one_run_alone(used, smithers):
    told = smithers("usage", "one", "--by", "step", "--json").json
    assert {row["key"].split()[0] for row in told["rows"]} == {"one"}
    assert smithers("usage", "none", "--json").code == 2


def test_where_no_agent_has_worked_it_says_so(scene, smithers):
    scene.run("idle")
    assert "no agent has been at work yet" in smithers("usage").err
