"""The door of the renders under arrivals, departures and cancels at every turn of the event loop, in any order.

Hypothesis decides who comes, who goes, who is cancelled, and how many turns pass in between: none, one or many. Never
are more inside than there are places, no place stays empty while somebody waits, and whoever is let in is the most
urgent of those who waited.
"""

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from farm.render.tasks.admission import Admission

TENANTS = st.sampled_from(["one", "two", "three"])
PRIORITIES = st.integers(-1, 1)


class Visitor:
    """One who wants in; ``let_go`` ends the visit."""

    def __init__(self, number: int, tenant: str, priority: int) -> None:
        self.number, self.tenant, self.priority = number, tenant, priority
        self.inside = False
        self.cancelled = False
        self.let_go = asyncio.Event()
        self.task: asyncio.Task[None] | None = None


class OrderedAdmission(Admission):
    """The door, watched as it chooses: whoever waits and is not cancelled is no more urgent than who gets in."""

    def _admit(self) -> None:
        before = {waiter.number: waiter for queue in self._waiting.values() for waiter in queue}
        inside = self._inside.copy()
        super()._admit()
        still = {waiter.number for queue in self._waiting.values() for waiter in queue}
        admitted = [w for n, w in before.items() if n not in still and w.admitted.done() and not w.admitted.cancelled()]
        left = [w for n, w in before.items() if n in still and not w.admitted.done()]
        assert all(one.priority >= other.priority for one in admitted for other in left)
        # Of one tenant's, equally urgent: who came first.
        same = ((a, b) for a in admitted for b in left if (a.tenant, a.priority) == (b.tenant, b.priority))
        assert all(a.number < b.number for a, b in same)
        if len(admitted) == 1:
            # Of those equally urgent: the tenant with the fewest inside.
            (chosen,) = admitted
            equals = [other for other in left if other.priority == chosen.priority]
            assert all(inside[chosen.tenant] <= inside[other.tenant] for other in equals)


class AdmissionMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.places = 1
        self.door = OrderedAdmission(self.places)
        self.visitors: list[Visitor] = []
        self.count = 0
        self.most = self.places
        self.at_rest = True

    # --- what happens; nothing of it lets the loop turn but `turns_pass` ---

    @rule(tenant=TENANTS, priority=PRIORITIES)
    def somebody_comes(self, tenant: str, priority: int) -> None:
        visitor = Visitor(self.count, tenant, priority)
        self.count += 1
        self.visitors.append(visitor)
        visitor.task = self.loop.create_task(self._visit(visitor))
        self.at_rest = False

    @precondition(lambda self: self.visitors)
    @rule(which=st.integers(0, 50))
    def somebody_goes(self, which: int) -> None:
        self.visitors[which % len(self.visitors)].let_go.set()
        self.at_rest = False

    @precondition(lambda self: self.visitors)
    @rule(which=st.integers(0, 50))
    def somebody_is_cancelled(self, which: int) -> None:
        visitor = self.visitors[which % len(self.visitors)]
        assert visitor.task is not None
        visitor.cancelled = visitor.task.cancel() or visitor.cancelled
        self.at_rest = False

    @precondition(lambda self: len(self.visitors) > 1)
    @rule(leaver=st.integers(0, 50), quitter=st.integers(0, 50))
    def one_goes_as_another_is_cancelled(self, leaver: int, quitter: int) -> None:
        self.somebody_goes(leaver)
        self.somebody_is_cancelled(quitter)

    @rule(places=st.integers(0, 3))
    def the_cluster_changes(self, places: int) -> None:
        self.places = places
        self.most = max(places, self.door.inside)  # nobody is thrown out
        self.door.resize(places)
        self.at_rest = False

    @rule(turns=st.sampled_from([1, 1, 1, 2, 3, 20]))
    def turns_pass(self, turns: int) -> None:
        self.loop.run_until_complete(self._turns(turns))
        self.at_rest = turns == 20

    # --- what always holds ---

    @invariant()
    def never_more_than_places(self) -> None:
        assert self._inside() <= self.most
        if self.door.inside <= self.places:
            self.most = self.places

    @invariant()
    def nobody_meets_an_error(self) -> None:
        for visitor in list(self.visitors):
            assert visitor.task is not None
            if visitor.task.done():
                assert visitor.cancelled == visitor.task.cancelled()
                assert visitor.cancelled or visitor.task.exception() is None
                self.visitors.remove(visitor)

    @invariant()
    def at_rest_no_place_is_lost(self) -> None:
        if not self.at_rest:
            return
        self.nobody_meets_an_error()
        waiting = [visitor for visitor in self.visitors if not visitor.inside]
        assert self.door.inside == self._inside()
        assert self.door.waiting == len(waiting)
        assert not waiting or self._inside() >= self.places

    def teardown(self) -> None:
        self.door.resize(max(1, self.places))
        for _ in range(len(self.visitors) + 1):
            for visitor in self.visitors:
                visitor.let_go.set()
            self.loop.run_until_complete(self._turns(20))
        self.nobody_meets_an_error()
        assert (self.visitors, self.door.inside, self.door.waiting) == ([], 0, 0)
        self.loop.close()

    # --- the visits ---

    async def _visit(self, visitor: Visitor) -> None:
        async with self.door.admitted(visitor.tenant, visitor.priority):
            visitor.inside = True
            try:
                await visitor.let_go.wait()
            finally:
                visitor.inside = False

    def _inside(self) -> int:
        return sum(visitor.inside for visitor in self.visitors)

    async def _turns(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)


TestAdmission = AdmissionMachine.TestCase
TestAdmission.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
