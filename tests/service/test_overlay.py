import pytest

from smithers.model.run import Intent, RunStatus
from smithers.service.overlay import Standing, overlay

NOW = 1_000_000
LONG_AGO, JUST_NOW = NOW - 60_000, NOW - 1_000

CASES = {
    # name: (status, intent, since, held, alive, wake_at, undealt) -> reads as
    "runs": (("running", "go", LONG_AGO, True, True, None, None), "running"),
    "engine died": (("running", "go", JUST_NOW, True, False, None, None), "interrupted"),
    "engine never came": (("running", "go", LONG_AGO, False, False, None, None), "interrupted"),
    "engine is coming": (("running", "go", JUST_NOW, False, False, None, None), "running"),
    "fresh in the queue": (("queued", "go", NOW - 8_000, False, False, None, None), "queued"),
    "forgotten in the queue": (
        ("queued", "go", NOW - 11_000, False, False, None, None),
        "interrupted",
    ),
    "claimed and died": (("queued", "go", JUST_NOW, True, False, None, None), "interrupted"),
    "parked": (("waiting", "go", LONG_AGO, False, False, None, None), "waiting"),
    "sleeps": (("waiting", "go", LONG_AGO, True, True, NOW - 60_000, None), "waiting"),
    "sleeper died early": (("waiting", "go", LONG_AGO, True, False, NOW + 1, None), "waiting"),
    "alarm just rang": (("waiting", "go", LONG_AGO, False, False, NOW - 4_000, None), "waiting"),
    "alarm unheard": (("waiting", "go", LONG_AGO, False, False, NOW - 6_000, None), "interrupted"),
    "just decided": (("waiting", "go", LONG_AGO, False, False, None, NOW - 4_000), "waiting"),
    "decided, undealt": (
        ("waiting", "go", LONG_AGO, False, False, None, NOW - 6_000),
        "interrupted",
    ),
    "paused": (("paused", "pause", LONG_AGO, False, False, None, None), "paused"),
    "pause beats interrupted": (("running", "pause", LONG_AGO, True, False, None, None), "paused"),
    "pausing": (("running", "pause", LONG_AGO, True, True, None, None), "running"),
    "paused with an alarm": (
        ("waiting", "pause_now", LONG_AGO, False, False, NOW - 6_000, None),
        "paused",
    ),
    "resumed, engine coming": (("paused", "go", JUST_NOW, False, False, None, None), "queued"),
    "resumed, no engine": (("paused", "go", LONG_AGO, False, False, None, None), "interrupted"),
    "cancelled under a dead engine": (
        ("running", "cancel", LONG_AGO, True, False, None, None),
        "cancelled",
    ),
    "cancelling": (("running", "cancel", LONG_AGO, True, True, None, None), "running"),
    "succeeded": (("succeeded", "go", LONG_AGO, True, False, NOW - 60_000, None), "succeeded"),
    "failed": (("failed", "pause", LONG_AGO, False, False, None, None), "failed"),
}


@pytest.mark.parametrize(("stored", "reads"), CASES.values(), ids=CASES)
def test_a_status_reads_as_what_is_true_now(stored, reads):
    status, intent, since, held, alive, wake_at, undealt = stored
    run = Standing(RunStatus(status), Intent(intent), since, held, alive, wake_at, undealt)
    assert overlay(run, NOW) is RunStatus(reads)


@pytest.mark.parametrize("status", [each for each in RunStatus if each.ended])
@pytest.mark.parametrize("intent", list(Intent))
@pytest.mark.parametrize("held", [True, False])
def test_what_has_ended_stays_ended(status, intent, held):
    run = Standing(status, intent, LONG_AGO, held, alive=False, wake_at=LONG_AGO, undealt=LONG_AGO)
    assert overlay(run, NOW) is status


@pytest.mark.parametrize("status", [each for each in RunStatus if each != "interrupted"])
@pytest.mark.parametrize("intent", list(Intent))
def test_a_live_engine_is_believed(status, intent):
    run = Standing(status, intent, LONG_AGO, True, alive=True, wake_at=LONG_AGO, undealt=LONG_AGO)
    assert overlay(run, NOW) is status
