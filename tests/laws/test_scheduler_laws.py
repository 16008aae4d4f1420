"""Laws of the scheduler, over random workflows and random histories."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smithers.model.gate import Answer
from smithers.model.run import Intent, RunStatus
from smithers.model.step import AttemptStatus
from tests.laws.workflows import World, named, trees

LAW = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def _event(world: World, data) -> None:
    """One thing that can happen to a run that waits for something."""
    choices = [("end", key) for key in world.running] + [
        ("decide", key) for key in world.open_gates
    ]
    what, key = data.draw(st.sampled_from(sorted(choices)))
    if what == "decide":
        world.decide(key, data.draw(st.sampled_from(list(Answer))))
        return
    how = data.draw(st.sampled_from(["succeeds"] * 4 + ["fails", "retries", "interrupted"]))
    match how:
        case "succeeds":
            world.end(key, AttemptStatus.SUCCEEDED)
        case "fails":
            world.end(key, AttemptStatus.FAILED)
        case "retries":
            world.end(key, AttemptStatus.FAILED, again=True)
        case "interrupted":
            world.end(key, AttemptStatus.INTERRUPTED)


def _says_what_it_waits_for(world: World, decision) -> None:
    if decision.status is RunStatus.RUNNING:
        assert world.running or decision.wake_at is not None, "running with nothing that runs"
    elif decision.status is RunStatus.WAITING:
        assert world.open_gates, decision.reason
        assert decision.reason.startswith("waits at ")
    else:
        assert decision.status.ended or decision.status is RunStatus.PAUSED
        assert not world.running


def _settle(world: World, decision):
    """Retries come due by themselves."""
    while decision.status is RunStatus.RUNNING and not world.running:
        decision = world.advance()
    return decision


@LAW
@given(trees(), st.data())
def test_a_run_always_goes_on_or_names_what_it_waits_for_and_ends(tree, data):
    world = World(named(tree, [0]))
    decision = world.advance()
    for _ in range(400):
        _says_what_it_waits_for(world, decision)
        decision = _settle(world, decision)
        if decision.status.ended:
            break
        _event(world, data)
        decision = world.advance()
    assert decision.status in {RunStatus.SUCCEEDED, RunStatus.FAILED}


@LAW
@given(trees(), st.data())
def test_a_resume_sees_the_same_states_as_the_engine_that_went_on(tree, data):
    world = World(named(tree, [0]))
    decision = world.advance()
    for _ in range(60):
        fresh = world.resumed()
        fresh.advance(_Still(), now=world.now, cap=0)
        mine = {
            key: world.scheduler.states[key]
            for key in fresh.states
            if key in world.scheduler.states
        }
        assert mine == dict(fresh.states)
        decision = _settle(world, decision)
        if decision.status.ended:
            return
        _event(world, data)
        decision = world.advance()


@LAW
@given(trees(), st.data())
def test_a_resume_writes_nothing_that_is_persisted_already(tree, data):
    world = World(named(tree, [0]))
    decision = _settle(world, world.advance())
    for _ in range(30):
        again = world.resumed().advance(_Still(), now=world.now, cap=0)
        assert (again.changes, again.placed, again.gone, again.outputs) == ({}, {}, [], [])
        assert again.counts == decision.counts
        if decision.status.ended:
            return
        _event(world, data)
        decision = _settle(world, world.advance())


@LAW
@given(trees(), st.data())
def test_steering_at_any_moment_neither_loses_nor_repeats_anything(tree, data):
    world = World(named(tree, [0]))
    decision = world.advance()
    for _ in range(400):
        asked = data.draw(st.sampled_from([None] * 5 + ["pause", "pause_now", "stop", "resume"]))
        match asked:
            case "pause" | "pause_now":
                world.ask(Intent(asked))
                decision = world.advance()
                for key in list(world.running):
                    world.end(key, AttemptStatus.SUCCEEDED)
                decision = world.advance()
                assert decision.status in {RunStatus.PAUSED, RunStatus.SUCCEEDED, RunStatus.FAILED}
                world.ask(Intent.GO)
            case "stop":
                world.stop()
            case "resume":
                world.scheduler = world.resumed()
            case _:
                pass
        decision = _settle(world, world.advance())
        _says_what_it_waits_for(world, decision)
        if decision.status.ended:
            return
        _event(world, data)
    raise AssertionError("it does not end")


@LAW
@given(trees(), st.data())
def test_cancel_ends_everything_at_once(tree, data):
    world = World(named(tree, [0]))
    decision = _settle(world, world.advance())
    for _ in range(data.draw(st.integers(0, 5))):
        if decision.status.ended:
            return
        _event(world, data)
        decision = _settle(world, world.advance())
    if decision.status.ended:
        return
    begun = len(world.begun)
    world.ask(Intent.CANCEL)
    decision = world.advance()
    assert decision.status is RunStatus.CANCELLED
    assert all(state.status.ended for state in world.scheduler.states.values())
    assert len(world.begun) == begun


class _Still:
    """Hands that must not be used."""

    def begin(self, step):
        raise AssertionError(f"{step.key} would start")

    def open(self, request):
        raise AssertionError(f"{request.key} would ask again")
