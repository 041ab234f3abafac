"""One engine step made of several."""

import asyncio

from farm.errors import InfrastructureError, InvalidRequest
from farm.saga.composite import Composite, progress
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaPhase
from farm.saga.step import StepContext
from tests.unit.saga.sagas import TTL_S, Scripted, Stage, failing, fine, hanging

POLICY = RetryPolicy(max_attempts=3, base_s=1.0)


def whole(*steps: Scripted, failpoints: str = "") -> Stage:
    return Stage(Composite(name="all", steps=steps, retry=POLICY, timeout_s=60.0), failpoints=failpoints)


async def test_its_steps_run_in_order_and_see_each_other() -> None:
    trace: list[str] = []
    two = Scripted("two", trace)
    state = await whole(Scripted("one", trace), two).run({"colour": "red"})
    assert state.outputs == {"all": {"one": {"by": "one"}, "two": {"by": "two"}}}
    assert two.contexts[0].outputs == {"one": {"by": "one"}}
    assert two.contexts[0].input == {"colour": "red"}
    assert trace == ["one", "two"]
    notes = [note.data for note in state.steps["all"].notes]
    assert progress(notes).started == ("one", "two")


async def test_what_finished_is_not_run_again_by_the_next_attempt() -> None:
    trace: list[str] = []
    weather = InfrastructureError(reason="the weather")
    state = await whole(Scripted("one", trace), Scripted("two", trace, acts=[failing(weather), fine])).run()
    assert trace == ["one", "two", "two"]
    assert state.phase is SagaPhase.COMPLETED


async def test_one_compensation_undoes_all_that_started_in_reverse() -> None:
    trace: list[str] = []
    hopeless = failing(InvalidRequest(reason="hopeless"))
    steps = Scripted("one", trace), Scripted("two", trace, acts=[hopeless]), Scripted("three", trace)
    stage = whole(*steps)
    state = await stage.run()
    assert trace == ["one", "two", "-two", "-one"]
    assert state.phase is SagaPhase.FAILED
    assert steps[0].contexts[-1].output == {"by": "one"}
    assert steps[1].contexts[-1].output is None


async def test_what_is_undone_stays_undone_when_the_compensation_is_tried_again() -> None:
    trace: list[str] = []
    hopeless, weather = InvalidRequest(reason="hopeless"), InfrastructureError(reason="the weather")
    one = Scripted("one", trace, undos=[failing(weather), fine])
    assert not (await whole(one, Scripted("two", trace, acts=[failing(hopeless)])).run()).compensation_pending
    assert trace == ["one", "two", "-two", "-one", "-one"]


async def test_notes_of_a_step_are_its_own_and_survive_a_crash() -> None:
    async def noting(ctx: StepContext) -> None:
        await ctx.note({"view": "front"})
        await asyncio.Event().wait()

    two = Scripted("two", [], acts=[noting, fine])
    stage = whole(Scripted("one", []), two)
    drive = await stage.start()
    drive.cancel()
    await asyncio.gather(drive, return_exceptions=True)
    await stage.clock.advance(TTL_S)
    (lease,) = await stage.store.leases.claim("next", ttl_s=TTL_S)
    await stage.clock.run(stage.another_engine().drive(lease, stage.saga))
    assert two.contexts[1].notes == [{"view": "front"}]


async def test_its_steps_have_failpoints_of_their_own() -> None:
    trace: list[str] = []
    points = "two.before=raise;two.after=raise;compensate.one.before=raise"
    stage = whole(Scripted("one", trace), Scripted("two", trace), failpoints=points)
    assert (await stage.run()).phase is SagaPhase.COMPLETED
    assert trace == ["one", "two", "two"]


async def test_a_cancel_stops_it_inside() -> None:
    trace: list[str] = []
    stage = whole(Scripted("one", trace), Scripted("two", trace, acts=[hanging]))
    drive = await stage.start()
    await stage.store.inbox.send("s", {"kind": "cancel"})
    stage.engine.ring("s")
    assert (await stage.clock.run(drive)).phase is SagaPhase.CANCELLED
    assert trace == ["one", "two", "-two", "-one"]
