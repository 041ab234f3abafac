"""What the engine does with a saga, told step by step."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from farm.errors import Conflict, Fenced, InfrastructureError, InvalidRequest, SagaError, StoreUnavailable
from farm.saga.clock import settle
from farm.saga.journal import Appended
from farm.saga.retry import NO_RETRY
from farm.saga.state import SagaPhase
from farm.saga.step import StepContext
from tests.unit.saga.sagas import TTL_S, Scripted, Stage, failing, fine, hanging

WEATHER = InfrastructureError(reason="the weather")
HOPELESS = InvalidRequest(reason="hopeless")


async def test_steps_run_in_order_and_the_end_of_one_goes_with_the_start_of_the_next() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace), Scripted("two", trace))
    appends: list[int] = []
    append = stage.store.journal.append

    async def counted(lease: Any, seq: int, drafts: Any, *args: Any, **kwargs: Any) -> Appended:
        appends.append(len(drafts))
        return await append(lease, seq, drafts, *args, **kwargs)

    stage.store.journal.append = counted  # type: ignore[assignment, method-assign]
    state = await stage.run({"n": 1})
    assert trace == ["one", "two"]
    assert await stage.kinds() == [
        "created",
        "step_started:one",
        "step_finished:one",
        "step_started:two",
        "step_finished:two",
        "completed",
    ]
    assert appends == [1, 2, 2]
    assert state.phase is SagaPhase.COMPLETED
    assert state.outputs == {"one": {"by": "one"}, "two": {"by": "two"}}
    assert await stage.store.records.get("s") == {"id": "s", "phase": "completed", "error": None}


async def test_a_step_sees_the_input_and_the_outputs_before_it() -> None:
    two = Scripted("two", [])
    await Stage(Scripted("one", []), two).run({"colour": "red"})
    (context,) = two.contexts
    assert context.input == {"colour": "red"}
    assert context.outputs == {"one": {"by": "one"}}
    assert context.attempt == 1
    assert context.token == f"two-1-{context.lease.epoch}"


async def test_a_retryable_failure_is_tried_again_after_a_pause() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace, acts=[failing(WEATHER), failing(WEATHER), fine]))
    state = await stage.run()
    assert state.phase is SagaPhase.COMPLETED
    assert trace == ["one"] * 3
    assert state.steps["one"].attempts == 3
    assert state.steps["one"].failures == 2
    assert stage.clock.monotonic_s() > 0


async def test_exhausted_attempts_undo_in_reverse_the_failed_step_included() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace), Scripted("two", trace, acts=[failing(WEATHER)]), Scripted("three", trace))
    state = await stage.run()
    assert trace == ["one", "two", "two", "two", "-two", "-one"]
    assert state.phase is SagaPhase.FAILED
    assert not state.compensation_pending
    assert state.error is not None
    assert state.error["code"] == "step_exhausted"
    assert state.error["step"] == "two"
    assert state.error["cause"]["code"] == "infrastructure_error"
    assert (await stage.kinds())[-6:] == [
        "compensating",
        "compensation_started:two",
        "compensation_finished:two",
        "compensation_started:one",
        "compensation_finished:one",
        "failed",
    ]


@pytest.mark.parametrize("error", [HOPELESS, KeyError("a defect")])
async def test_what_no_retry_can_help_is_not_retried(error: Exception) -> None:
    trace: list[str] = []
    state = await Stage(Scripted("one", trace, acts=[failing(error)])).run()
    assert trace == ["one", "-one"]
    assert state.error is not None
    assert state.error["code"] == ("invalid_request" if error is HOPELESS else "infrastructure_error")


async def test_of_parallel_failures_the_hopeless_one_decides() -> None:
    async def parallel(_ctx: StepContext) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(failing(WEATHER)(_ctx))  # type: ignore[arg-type]
            group.create_task(failing(HOPELESS)(_ctx))  # type: ignore[arg-type]

    state = await Stage(Scripted("one", [], acts=[parallel])).run()
    assert state.error is not None
    assert state.error["code"] == "invalid_request"
    assert state.steps["one"].failures == 1


async def test_an_output_that_is_no_json_fails_the_step_and_not_the_journal() -> None:
    async def odd(_ctx: StepContext) -> Mapping[str, Any]:
        return {"bytes": b"no"}

    state = await Stage(Scripted("one", [], acts=[odd])).run()
    assert state.phase is SagaPhase.FAILED


async def test_a_step_that_takes_too_long_is_stopped_and_tried_again() -> None:
    step = Scripted("one", [], acts=[hanging, fine], timeout_s=7.0)
    stage = Stage(step)
    state = await stage.run()
    assert state.phase is SagaPhase.COMPLETED
    assert 7.0 <= stage.clock.monotonic_s() < 9.0
    entries = await stage.store.journal.load("s")
    assert entries[2].data["error"]["code"] == "step_timed_out"


async def test_the_deadline_of_the_saga_ends_it_even_while_a_step_runs() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace), Scripted("two", trace, acts=[hanging], timeout_s=900.0), deadline_s=50.0)
    state = await stage.run()
    assert stage.clock.monotonic_s() == pytest.approx(50.0)
    assert state.error is not None
    assert state.error["code"] == "deadline_exceeded"
    assert trace == ["one", "two", "-two", "-one"]


async def test_a_cancel_stops_the_running_step_and_undoes() -> None:
    trace: list[str] = []
    ended: list[str] = []

    async def careful(ctx: StepContext) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            assert ctx.cancel_requested.is_set()
            ended.append("really")

    stage = Stage(Scripted("one", trace), Scripted("two", trace, acts=[careful]))
    drive = await stage.start()
    assert trace == ["one", "two"]
    assert await stage.store.inbox.send("s", {"kind": "cancel"})
    stage.engine.ring("s")
    state = await stage.clock.run(drive)
    assert ended == ["really"]
    assert trace == ["one", "two", "-two", "-one"]
    assert state.phase is SagaPhase.CANCELLED
    assert not await stage.store.inbox.send("s", {"kind": "cancel"})


async def test_a_cancel_is_heard_without_a_doorbell_at_the_next_renewal() -> None:
    stage = Stage(Scripted("one", [], acts=[hanging]))
    drive = await stage.start()
    await stage.store.inbox.send("s", {"kind": "cancel"})
    assert (await stage.clock.run(drive)).phase is SagaPhase.CANCELLED
    assert stage.clock.monotonic_s() <= TTL_S


async def test_a_cancel_that_comes_just_before_the_pivot_wins() -> None:
    async def too_late(ctx: StepContext) -> None:
        await stage.store.inbox.send("s", {"kind": "cancel"})

    trace: list[str] = []
    stage = Stage(Scripted("one", trace, acts=[too_late]))
    assert (await stage.run()).phase is SagaPhase.CANCELLED
    assert trace == ["one", "-one"]


async def test_a_cancel_before_anything_ran_ends_at_once() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace))
    await stage.born()
    await stage.store.inbox.send("s", {"kind": "cancel"})
    state = await stage.clock.run(stage.engine.drive(await stage.lease(), stage.saga))
    assert state.phase is SagaPhase.CANCELLED
    assert trace == ["-one"]  # its start was journaled before the cancel was heard


async def test_an_unknown_message_does_not_stand_in_the_way() -> None:
    async def hello(ctx: StepContext) -> None:
        await stage.store.inbox.send("s", {"kind": "hello"})

    stage = Stage(Scripted("one", [], acts=[hello]))
    assert (await stage.run()).phase is SagaPhase.COMPLETED


async def test_a_cancel_while_waiting_for_a_retry_is_heard() -> None:
    stage = Stage(Scripted("one", [], acts=[failing(WEATHER)], retry=THRICE_SLOWLY))
    drive = await stage.start()
    await stage.store.inbox.send("s", {"kind": "cancel"})
    stage.engine.ring("s")
    assert (await stage.clock.run(drive)).phase is SagaPhase.CANCELLED


THRICE_SLOWLY = type(NO_RETRY)(max_attempts=3, base_s=500.0, max_wait_s=500.0)


async def test_a_compensation_is_tried_again_until_it_works() -> None:
    trace: list[str] = []
    step = Scripted("one", trace, acts=[failing(HOPELESS)], undos=[failing(WEATHER), failing(HOPELESS), fine])
    state = await Stage(step).run()
    assert trace == ["one", "-one", "-one", "-one"]
    assert state.phase is SagaPhase.FAILED
    assert not state.compensation_pending


async def test_a_compensation_that_keeps_failing_is_left_pending_and_can_be_resumed() -> None:
    trace: list[str] = []
    stuck = Scripted("two", trace, undos=[*[failing(WEATHER)] * 3, fine])
    stage = Stage(Scripted("one", trace), stuck, Scripted("three", trace, acts=[failing(HOPELESS)]))
    state = await stage.run()
    assert state.phase is SagaPhase.FAILED
    assert state.compensation_pending
    assert state.steps_left == ("two", "one")
    assert state.error is not None
    assert state.error["code"] == "invalid_request"
    entries = await stage.store.journal.load("s")
    assert entries[-1].data["compensation_error"]["code"] == "compensation_failed"

    resumed = await stage.clock.run(stage.engine.resume_compensation("s", stage.saga, owner="hand", ttl_s=TTL_S))
    assert resumed.phase is SagaPhase.FAILED
    assert not resumed.compensation_pending
    assert trace[-2:] == ["-two", "-one"]
    with pytest.raises(Conflict):
        await stage.engine.resume_compensation("s", stage.saga, owner="hand", ttl_s=TTL_S)


async def test_a_resumed_compensation_that_is_interrupted_goes_on_elsewhere() -> None:
    trace: list[str] = []
    step = Scripted("one", trace, acts=[failing(HOPELESS)], undos=[*[failing(WEATHER)] * 3, hanging, fine])
    stage = Stage(step)
    assert (await stage.run()).compensation_pending
    task = asyncio.ensure_future(stage.engine.resume_compensation("s", stage.saga, owner="hand", ttl_s=TTL_S))
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (lease,) = await stage.store.leases.claim("next", ttl_s=TTL_S)
    state = await stage.clock.run(stage.another_engine().drive(lease, stage.saga))
    assert state.phase is SagaPhase.FAILED
    assert not state.compensation_pending


async def test_an_interrupted_saga_goes_on_where_it_was_with_its_notes() -> None:
    trace: list[str] = []

    async def noting(ctx: StepContext) -> None:
        await asyncio.gather(ctx.note({"view": 1}), ctx.note({"view": 2}))
        await asyncio.Event().wait()

    two = Scripted("two", trace, acts=[noting, fine])
    stage = Stage(Scripted("one", trace), two)
    drive = await stage.start()
    drive.cancel()
    await asyncio.gather(drive, return_exceptions=True)
    assert trace == ["one", "two"]
    await stage.clock.advance(TTL_S)
    (lease,) = await stage.store.leases.claim("next", ttl_s=TTL_S)
    state = await stage.clock.run(stage.another_engine().drive(lease, stage.saga))
    assert state.phase is SagaPhase.COMPLETED
    assert trace == ["one", "two", "two"]
    assert two.contexts[1].attempt == 2
    assert two.contexts[1].notes == [{"view": 1}, {"view": 2}]
    assert state.steps["two"].failures == 0


async def test_a_lost_lease_stops_the_step_and_undoes_nothing() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace, acts=[hanging]))
    drive = await stage.start()
    real = stage.store.leases.renew

    async def unreachable(leases: object) -> Any:
        raise StoreUnavailable(reason="cut off")

    stage.store.leases.renew = unreachable  # type: ignore[method-assign]
    await stage.clock.advance(TTL_S + 1)
    (taken,) = await stage.store.leases.claim("other", ttl_s=TTL_S)
    stage.store.leases.renew = real  # type: ignore[method-assign]
    await stage.clock.advance(TTL_S / 2)
    assert drive.done()
    assert isinstance(drive.exception(), Fenced)
    assert trace == ["one"]
    assert (await stage.store.leases.renew([taken])).held


async def test_an_outage_pauses_and_loses_nothing() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace), Scripted("two", trace))
    append, down = stage.store.journal.append, True

    async def flaky(*args: Any, **kwargs: Any) -> Appended:
        if down:
            raise StoreUnavailable(reason="down")
        return await append(*args, **kwargs)

    stage.store.journal.append = flaky  # type: ignore[method-assign]
    drive = await stage.start()
    await stage.clock.advance(600.0)
    assert trace == []
    down = False
    assert (await stage.clock.run(drive)).phase is SagaPhase.COMPLETED
    assert trace == ["one", "two"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("n", range(1, 5))
async def test_an_append_whose_answer_is_lost_is_written_once(n: int, when: str) -> None:
    trace: list[str] = []
    steps = [Scripted(name, trace) for name in ("one", "two", "three")]
    stage = Stage(*steps, failpoints=f"journal.{n}.{when}=raise*2")
    assert (await stage.run()).phase is SagaPhase.COMPLETED
    assert trace == ["one", "two", "three"]
    events = await stage.store.events.read("s")
    assert [event.number for event in events] == list(range(1, 9))


@pytest.mark.parametrize(
    "point",
    [f"{where}.{when}" for where in ("one", "two") for when in ("before", "inside", "after")]
    + [f"journal.{n}.{when}" for n in range(1, 4) for when in ("before", "after")],
)
async def test_a_coordinator_killed_at_any_point_is_succeeded(point: str) -> None:
    async def reaching(ctx: StepContext) -> None:
        await ctx.reach("inside")

    stage = Stage(*(Scripted(name, [], acts=[reaching]) for name in ("one", "two")), failpoints=f"{point}=kill")
    await stage.born()
    with pytest.raises(asyncio.CancelledError):
        await _driven(stage)
    assert stage.killed == 1
    await stage.clock.advance(TTL_S + 1)
    (lease,) = await stage.store.leases.claim("next", ttl_s=TTL_S) or (None,)
    if lease is not None:
        state = await stage.clock.run(stage.another_engine(f"{point}=kill").drive(lease, stage.saga))
        assert state.phase is SagaPhase.COMPLETED
    assert (await stage.kinds()).count("completed") == 1
    assert stage.killed == 1


async def _driven(stage: Stage) -> None:
    drive = asyncio.ensure_future(stage.engine.drive(await stage.lease(), stage.saga))
    await settle()
    while not drive.done():
        if stage.killed:
            drive.cancel()  # a killed process does not go on after its step was killed
        await settle()
    await drive


async def test_driving_what_has_ended_does_nothing() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace))
    await stage.run()
    await stage.store.journal.compact("s")
    state = await stage.engine.drive(await stage.lease(), stage.saga)
    assert state.phase is SagaPhase.COMPLETED
    assert trace == ["one"]


async def test_a_journal_that_names_a_step_of_another_version_is_refused() -> None:
    stage = Stage(Scripted("old", [], acts=[failing(HOPELESS)], undos=[failing(WEATHER)]))
    assert (await stage.run()).compensation_pending
    renamed = Stage(Scripted("new", [])).saga
    with pytest.raises(SagaError, match="'old'"):
        await stage.clock.run(stage.engine.resume_compensation("s", renamed, owner="hand", ttl_s=TTL_S))


async def test_many_sagas_run_side_by_side_on_one_engine() -> None:
    stage = Stage(Scripted("one", []), Scripted("two", [], acts=[failing(WEATHER), fine]))
    for n in range(50):
        await stage.born(f"s{n}")
    leases = await stage.store.leases.claim("me", ttl_s=TTL_S, limit=50)
    states = await stage.clock.run(asyncio.gather(*(stage.engine.drive(lease, stage.saga) for lease in leases)))
    assert {state.phase for state in states} == {SagaPhase.COMPLETED}
    assert await stage.store.records.count({"phase": "completed"}) == 50


async def test_a_renewal_that_crosses_the_last_append_is_no_lost_lease() -> None:
    stage = Stage(Scripted("one", []))
    append = stage.store.journal.append

    async def slow(*args: Any, **kwargs: Any) -> Appended:
        appended = await append(*args, **kwargs)
        await stage.clock.advance(TTL_S / 2)
        return appended

    stage.store.journal.append = slow  # type: ignore[method-assign]
    await stage.born()
    state = await stage.engine.drive(await stage.lease(), stage.saga)
    assert state.phase is SagaPhase.COMPLETED


async def test_a_note_is_written_to_the_end_though_its_step_is_cancelled_meanwhile() -> None:
    async def noting(ctx: StepContext) -> None:
        await ctx.note({"view": 1})

    stage = Stage(Scripted("one", [], acts=[noting]))
    append = stage.store.journal.append

    async def late(*args: Any, **kwargs: Any) -> Appended:
        appended = await append(*args, **kwargs)
        if appended.entries[-1].kind == "noted":
            await stage.store.inbox.send("s", {"kind": "cancel"})
            stage.engine.ring("s")
            await settle()
        return appended

    stage.store.journal.append = late  # type: ignore[method-assign]
    assert (await stage.run()).phase is SagaPhase.CANCELLED
    assert "noted:one" in await stage.kinds()


async def test_a_coordinator_that_was_frozen_goes_on_if_nobody_took_over() -> None:
    async def freeze(_ctx: StepContext) -> None:
        stage.clock.jump(TTL_S + 1)

    trace: list[str] = []
    stage = Stage(Scripted("one", trace, acts=[freeze]), Scripted("two", trace))
    assert (await stage.run()).phase is SagaPhase.COMPLETED
    assert trace == ["one", "two"]


async def test_a_coordinator_that_was_frozen_stops_if_somebody_took_over() -> None:
    async def freeze(_ctx: StepContext) -> None:
        stage.clock.jump(TTL_S + 1)
        assert await stage.store.leases.claim("other", ttl_s=TTL_S)

    trace: list[str] = []
    stage = Stage(Scripted("one", trace, acts=[freeze]), Scripted("two", trace))
    with pytest.raises(Fenced):
        await stage.run()
    assert trace == ["one"]


async def test_a_cancel_does_not_interrupt_the_undoing() -> None:
    async def interrupted(_ctx: StepContext) -> None:
        await stage.store.inbox.send("s", {"kind": "cancel"})
        stage.engine.ring("s")
        await settle()

    trace: list[str] = []
    stage = Stage(Scripted("one", trace, acts=[failing(HOPELESS)], undos=[interrupted]))
    assert (await stage.run()).phase is SagaPhase.FAILED
    assert trace == ["one", "-one"]


async def test_the_last_after_point_lies_behind_the_pivot() -> None:
    stage = Stage(Scripted("one", []), failpoints="one.after=raise")
    stage.saga = replace(stage.saga, last="one")
    assert (await stage.run()).phase is SagaPhase.COMPLETED
    assert "step_failed:one" not in await stage.kinds()
    assert not await stage.store.counters.take("s", "one.after", 1)


async def test_what_the_creator_did_is_undone_though_no_step_began() -> None:
    trace: list[str] = []
    stage = Stage(Scripted("one", trace), Scripted("two", trace), deadline_s=50.0)
    await stage.born()
    await stage.clock.advance(60.0)
    state = await stage.clock.run(stage.engine.drive(await stage.lease(), stage.saga))
    assert trace == ["-one"]
    assert state.phase is SagaPhase.FAILED
    assert state.error is not None
    assert state.error["code"] == "deadline_exceeded"
