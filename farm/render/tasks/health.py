"""Nodes that break what they are given: how ill one is, which to leave alone, and which a single job leaves alone.

Each failure that speaks against a node counts one, and half of that half an hour later; a picture that comes out well
takes some of it away. At the limit the node is sick: all jobs leave it alone for five minutes, twice as long each time
it falls sick again. A job leaves a node alone from its first failure there, whatever others think of that node.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from farm.errors import FarmError
from farm.render.ports import NodeHealth, NodeState

log = logging.getLogger(__name__)

HALF_LIFE_S = 1800.0
FORGIVEN = 0.7
"""What is left of a node's failures after a success: one that breaks half of its views is sick all the same."""
SLACK = 0.5
"""So much under the limit counts as the limit: failures do not come all at once."""
REST_S = 300.0
LONGEST_REST_S = 3600.0
WELL_S = 6 * 3600.0
"""A node that was not sick for so long starts from the shortest rest again."""
REMEMBERED_JOBS = 4096


def after_failure(state: NodeState, *, now_s: float, limit: int, job_id: str, code: str) -> NodeState:
    """A node's state after one more failure.

    Args:
        now_s: seconds since 1970.
        limit: failures at which a node is sick.
    """
    score = decayed(state, now_s) + 1.0
    told = replace(state, score=score, failed=state.failed + 1, at_s=now_s, last_job=job_id, last_code=code)
    if score < limit - SLACK or state.sick(now_s):
        return told
    spells = 1 if state.sick_until_s is None or now_s - state.sick_until_s > WELL_S else state.spells + 1
    rest_s = min(REST_S * 2.0 ** (spells - 1), LONGEST_REST_S)
    return replace(told, spells=spells, sick_until_s=now_s + rest_s)


def after_success(state: NodeState, *, now_s: float) -> NodeState:
    """A node's state after a picture that came out well; it also ends a spell."""
    until_s = state.sick_until_s
    return replace(
        state,
        score=decayed(state, now_s) * FORGIVEN,
        succeeded=state.succeeded + 1,
        at_s=now_s,
        sick_until_s=None if until_s is None else min(until_s, now_s),
    )


def decayed(state: NodeState, now_s: float) -> float:
    """Failures that still count."""
    return float(state.score * 0.5 ** (max(0.0, now_s - state.at_s) / HALF_LIFE_S))


@contextmanager
def _patiently() -> Iterator[None]:
    try:
        yield
    except FarmError as error:
        log.warning("the health of nodes is not known now: %s", error)


@dataclass(frozen=True, slots=True)
class Avoided:
    """Nodes to leave alone: those that are sick, and those where this job failed."""

    sick: tuple[str, ...]
    own: tuple[str, ...] = ()

    def choices(self) -> Sequence[frozenset[str]]:
        """What to leave alone, the strictest first; whoever places a task takes the first that leaves a node over."""
        return (frozenset(self.sick) | frozenset(self.own), frozenset(self.own), frozenset(self.sick))


class Blocklist:
    """What one coordinator's workers know of nodes; the store behind it is everybody's.

    A store that does not answer keeps nobody from rendering: what was known last holds.
    """

    def __init__(self, health: NodeHealth) -> None:
        self._health = health
        self._states: dict[str, NodeState] = {}
        self._jobs: OrderedDict[str, set[str]] = OrderedDict()

    async def failed(self, node_id: str, *, job_id: str, code: str) -> None:
        """An attempt of that job on that node crashed, hung, came too late or ran out of memory."""
        self._jobs.setdefault(job_id, set()).add(node_id)
        self._jobs.move_to_end(job_id)
        if len(self._jobs) > REMEMBERED_JOBS:
            self._jobs.popitem(last=False)
        with _patiently():
            state = await self._health.failed(node_id, job_id=job_id, code=code)
            if state.sick(state.at_s) and not (node_id in self._states and self._states[node_id].sick(state.at_s)):
                log.warning("node %s is sick after %d failures, the last one %s", node_id, state.failed, code)
            self._states[node_id] = state

    async def succeeded(self, node_id: str) -> None:
        """A picture came out well there."""
        if node_id in self._states:
            with _patiently():
                self._states[node_id] = await self._health.succeeded(node_id)

    async def refresh(self) -> None:
        """See what others found."""
        with _patiently():
            self._states = {state.node_id: state for state in await self._health.list()}

    def sick(self, now_s: float) -> tuple[str, ...]:
        """The nodes that all jobs leave alone now."""
        return tuple(sorted(node for node, state in self._states.items() if state.sick(now_s)))

    def avoided(self, job_id: str, now_s: float) -> Avoided:
        """The nodes that this job leaves alone now."""
        return Avoided(self.sick(now_s), tuple(sorted(self._jobs.get(job_id, ()))))

    def shown(self) -> list[dict[str, Any]]:
        """Every node that failed of late, for dashboards."""
        return [state.to_dict() for state in self._states.values()]
