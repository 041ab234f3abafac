"""A saga under everything that can befall it: failures, crashes, zombies, outages, lost answers, cancels, in any order.

Hypothesis chooses what happens; after every event the journal must be sound, and in the end, once the world is kind
again, the saga must have ended with either all of its effects or none.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from farm.adapters.memory_journal import open_memory
from farm.errors import FarmError, Fenced
from farm.saga.clock import FakeClock, settle
from farm.saga.engine import Engine
from farm.saga.fold import fold
from farm.saga.journal import ENDINGS, Draft, Entry, EntryKind
from farm.saga.lease import Lease
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaPhase, SagaState
from farm.saga.step import SagaDefinition
from tests.property.saga_world import Fate, GatedStep, Wire, World, born, project, wired

STEPS = ("one", "two", "three")
ID = "s"
TTL_S = 10.0


@dataclass
class Coordinator:
    """One incarnation: an engine of its own behind a wire of its own."""

    name: str
    engine: Engine
    wire: Wire
    tasks: list[asyncio.Task[SagaState]]


class SagaMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.world = World()
        self.store = open_memory(self.clock)
        self.saga = SagaDefinition(
            name="gated",
            steps=tuple(GatedStep(name, self.world) for name in STEPS),
            deadline_s=300.0,
            undo_retry=RetryPolicy(max_attempts=3, base_s=1.0),
            undo_timeout_s=60.0,
        )
        self.coordinators: list[Coordinator] = []
        self.started = 0
        self.cancel_taken = False
        self.last_number = 0
        self._do(self._create())
        self.a_coordinator_starts()
        self.a_coordinator_claims(0)

    def _do[T](self, work: Awaitable[T]) -> T:
        async def run() -> T:
            result = await work
            await settle()
            return result

        return self.loop.run_until_complete(run())

    async def _create(self) -> None:
        draft = Draft(kind=EntryKind.CREATED, data={"n": 1})
        entry = Entry(seq=1, kind=draft.kind, data=draft.data, at_s=self.clock.wall_s())
        await self.store.journal.create(ID, (draft,), project(ID, born(entry), (entry,)))

    # --- what happens ---

    @precondition(lambda self: len(self.coordinators) < 3)
    @rule()
    def a_coordinator_starts(self) -> None:
        self.started += 1
        wire = Wire()
        engine = Engine(wired(self.store, wire), projector=project, clock=self.clock, rng=Random(self.started))
        self.coordinators.append(Coordinator(f"c{self.started}", engine, wire, []))

    @precondition(lambda self: self.coordinators)
    @rule(which=st.integers(0, 2))
    def a_coordinator_claims(self, which: int) -> None:
        coordinator = self.coordinators[which % len(self.coordinators)]
        if not coordinator.wire.cut:
            self._do(self._claim(coordinator))

    async def _claim(self, coordinator: Coordinator) -> None:
        for lease in await self.store.leases.claim(coordinator.name, ttl_s=TTL_S):
            self._spawn(coordinator, lease)

    def _spawn(self, coordinator: Coordinator, lease: Lease) -> None:
        coordinator.tasks.append(self.loop.create_task(coordinator.engine.drive(lease, self.saga)))

    @precondition(lambda self: self.world.gates)
    @rule(which=st.integers(0, 3), fate=st.sampled_from((*Fate, *[Fate.FINISH] * 3, Fate.FAIL)))
    def an_attempt_meets_its_fate(self, which: int, fate: Fate) -> None:
        _, gate = self.world.gates[which % len(self.world.gates)]
        gate.set_result(fate)
        self._do(settle())

    @precondition(lambda self: self.world.gates)
    @rule(attempts=st.integers(1, 5))
    def all_goes_well_for_a_while(self, attempts: int) -> None:
        for _ in range(attempts):
            if self.world.gates:
                self.world.gates[0][1].set_result(Fate.FINISH)
                self._do(settle())

    @precondition(lambda self: self.world.gates)
    @rule(attempts=st.integers(3, 5))
    def nothing_goes_well_for_a_while(self, attempts: int) -> None:
        for _ in range(attempts):
            if self.world.gates:
                self.world.gates[0][1].set_result(Fate.FAIL)
                self._do(self.clock.advance(5.0))

    @rule(seconds=st.sampled_from([0.5, 3.0, TTL_S, 2.5 * TTL_S, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self._do(self.clock.advance(seconds))

    @rule(ring=st.booleans(), really=st.integers(0, 2))
    def somebody_cancels(self, ring: bool, really: int) -> None:
        if really:
            return
        taken = self._do(self.store.inbox.send(ID, {"kind": "cancel"}))
        live_before = self.entries()[-1].kind not in ENDINGS
        assert taken == live_before
        self.cancel_taken |= taken
        if ring:
            self._do(self._ring())

    async def _ring(self) -> None:
        for coordinator in self.coordinators:
            coordinator.engine.ring(ID)

    @precondition(lambda self: self.coordinators)
    @rule(which=st.integers(0, 2), really=st.integers(0, 1))
    def a_coordinator_crashes(self, which: int, really: int) -> None:
        if really:
            return
        coordinator = self.coordinators.pop(which % len(self.coordinators))
        coordinator.wire.dead = True
        self._do(_end(coordinator.tasks))

    @precondition(lambda self: self.coordinators)
    @rule(which=st.integers(0, 2), cut=st.booleans())
    def a_wire_is_cut_or_mended(self, which: int, cut: bool) -> None:
        self.coordinators[which % len(self.coordinators)].wire.cut = cut

    @precondition(lambda self: self.coordinators)
    @rule(which=st.integers(0, 2))
    def an_answer_will_be_lost(self, which: int) -> None:
        self.coordinators[which % len(self.coordinators)].wire.loses_next_answer = True

    @precondition(lambda self: self.coordinators and self.state().compensation_pending)
    @rule(which=st.integers(0, 2))
    def somebody_resumes_the_compensation(self, which: int) -> None:
        coordinator = self.coordinators[which % len(self.coordinators)]
        work = coordinator.engine.resume_compensation(ID, self.saga, owner=f"{coordinator.name}+", ttl_s=TTL_S)
        coordinator.tasks.append(self.loop.create_task(work))
        self._do(settle())

    # --- what must always hold ---

    def entries(self) -> tuple[Entry, ...]:
        return self._do(self.store.journal.load(ID))

    def state(self) -> SagaState:
        return fold(self.entries())

    @invariant()
    def the_journal_is_sound(self) -> None:
        entries = self.entries()
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        fold(entries)  # raises when an entry stands where it may not

    @invariant()
    def it_ends_once(self) -> None:
        kinds = [entry.kind for entry in self.entries()]
        endings = [kind for kind in kinds if kind in ENDINGS]
        if EntryKind.COMPLETED in endings or EntryKind.CANCELLED in endings:
            assert len(endings) == 1
            assert kinds[-1] in ENDINGS
        resumed = kinds.count(EntryKind.COMPENSATING) - 1
        assert len(endings) in ((resumed, resumed + 1) if resumed >= 0 else (0, 1))

    @invariant()
    def a_cancel_that_was_taken_wins(self) -> None:
        assert not (self.cancel_taken and self.state().phase is SagaPhase.COMPLETED)

    @invariant()
    def steps_are_undone_in_reverse(self) -> None:
        entries = self.entries()
        started = list(dict.fromkeys(entry.step for entry in entries if entry.kind is EntryKind.STEP_STARTED))
        undone = list(dict.fromkeys(entry.step for entry in entries if entry.kind is EntryKind.COMPENSATION_STARTED))
        assert undone == started[::-1][: len(undone)]
        finished = [entry.step for entry in entries if entry.kind is EntryKind.STEP_FINISHED]
        assert len(finished) == len(set(finished))

    @invariant()
    def events_have_no_gaps(self) -> None:
        events = self._do(self.store.events.read(ID))
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert [event.data["kind"] for event in events] == [entry.kind for entry in self.entries()]

    @invariant()
    def what_ended_left_all_or_nothing(self) -> None:
        state = self.state()
        if state.phase is SagaPhase.COMPLETED:
            assert self.world.effects == set(STEPS)
        elif state.phase.ended and not state.compensation_pending:
            assert self.world.effects == set()
        elif state.compensation_pending:
            assert set(state.steps_left) >= self.world.effects

    @invariant()
    def coordinators_fail_only_by_being_fenced(self) -> None:
        for coordinator in self.coordinators:
            for task in coordinator.tasks:
                if task.done() and not task.cancelled():
                    assert isinstance(task.exception(), Fenced | FarmError | None), task.exception()

    # --- accepted means ended ---

    def teardown(self) -> None:
        try:
            for coordinator in self.coordinators:
                coordinator.wire.cut = False
            self._do(self._see_it_through())
            state = self.state()
            assert state.phase.ended, state
            if state.compensation_pending:
                self._do(self._resume())
                assert not self.state().compensation_pending
            self.what_ended_left_all_or_nothing()
            self.it_ends_once()
            record = self._do(self.store.records.get(ID))
            assert record == {"id": ID, "phase": self.state().phase, "pending": False}
        finally:
            self._do(self._stop())
            self.loop.close()

    async def _see_it_through(self) -> None:
        kind = Coordinator("kind", Engine(self.store, projector=project, clock=self.clock, rng=Random(0)), Wire(), [])
        self.coordinators.append(kind)
        for _ in range(60):
            if fold(await self.store.journal.load(ID)).phase.ended:
                return
            await self._claim(kind)
            await settle()
            for _, gate in list(self.world.gates):
                gate.set_result(Fate.FINISH)
            await settle()
            await self.clock.advance(TTL_S)

    async def _resume(self) -> None:
        engine = self.coordinators[-1].engine
        work = asyncio.ensure_future(engine.resume_compensation(ID, self.saga, owner="hand", ttl_s=TTL_S))
        while not work.done():
            await settle()
            for _, gate in list(self.world.gates):
                gate.set_result(Fate.FINISH)
            await settle()
            if self.clock.next_s() is not None:
                await self.clock.advance(1.0)
        await work

    async def _stop(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await _end([task for coordinator in self.coordinators for task in coordinator.tasks])
        await _end(others)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    # Twice: the first may lead to a last word (a lease given back) that a dead wire never carries.
    for _ in range(2):
        for task in tasks:
            task.cancel()
        await settle()
    assert all(task.done() for task in tasks)
    await asyncio.gather(*tasks, return_exceptions=True)


TestSagaMachine = SagaMachine.TestCase
TestSagaMachine.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
