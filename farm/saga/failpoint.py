"""Failpoints: places where a drill makes a saga fail, die or hang. Injected, never global.

The specification is ``point=action[*times]``, several parted by ``;``. Points:

| point | where |
| --- | --- |
| ``<step>.before`` | the attempt is journaled, the step has not begun |
| ``<step>.inside`` | where the step says so (`StepContext.reach`) |
| ``<step>.after`` | the step is done, its output not yet journaled |
| ``compensate.<step>[.before, .inside, .after]`` | the same of its compensation; bare means ``inside`` |
| ``journal.<n>.before``, ``.after`` | around the n-th append of a coordinator's drive of a saga |

Actions: ``raise`` a retryable error (around an append: as if the store had not answered), ``kill`` the process with
SIGKILL, ``hang`` until cancelled. ``*times`` (default 1) counts per saga, over all processes and crashes.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from farm.errors import FailpointReached, InvalidSettings
from farm.saga.store import Counters

VARIABLE = "FARM_FAILPOINTS"
"""The setting that errors about a specification name."""


class Action(StrEnum):
    RAISE = "raise"
    KILL = "kill"
    HANG = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failpoint:
    point: str
    action: Action
    times: int = 1


_POINT = re.compile(
    r"(?P<journal>journal\.[1-9]\d*\.(before|after))"
    r"|(?P<undo>compensate\.[A-Za-z_][\w-]*)(\.(before|inside|after))?"
    r"|(?!journal\.|compensate\.)[A-Za-z_][\w-]*\.(before|inside|after)"
)
_TOKEN = re.compile(r"(?P<point>[^=]+)=(?P<action>[a-z]+)(\*(?P<times>[1-9]\d*))?")


def parse_failpoints(specification: str) -> Mapping[str, Failpoint]:
    """Failpoints by their full name.

    Raises:
        InvalidSettings: naming the token that is wrong.
    """
    found: dict[str, Failpoint] = {}
    for token in (part.strip() for part in specification.split(";")):
        if not token:
            continue
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise InvalidSettings(variable=VARIABLE, value=token, reason="expected point=raise|kill|hang[*times]")
        point = match["point"].strip()
        where = _POINT.fullmatch(point)
        if where is None:
            reason = f"{point!r} is no point: <step>.before, .inside or .after, compensate.<step>, journal.<n>.before"
            raise InvalidSettings(variable=VARIABLE, value=token, reason=reason)
        if match["action"] not in Action:
            reason = f"{match['action']!r} is none of raise, kill, hang"
            raise InvalidSettings(variable=VARIABLE, value=token, reason=reason)
        if where["undo"] and point == where["undo"]:
            point += ".inside"
        if point in found:
            raise InvalidSettings(variable=VARIABLE, value=token, reason=f"{point!r} is set twice")
        found[point] = Failpoint(point=point, action=Action(match["action"]), times=int(match["times"] or 1))
    return found


def kill_this_process() -> None:
    """End without any last word, as a crash would."""
    os.kill(os.getpid(), signal.SIGKILL)


class Failpoints:
    """The set failpoints of a coordinator."""

    def __init__(
        self,
        points: Mapping[str, Failpoint],
        counters: Counters,
        *,
        kill: Callable[[], None] = kill_this_process,
    ) -> None:
        self._points = points
        self._counters = counters
        self._kill = kill

    @property
    def armed(self) -> bool:
        """Whether any is set; without, coming by costs nothing."""
        return bool(self._points)

    async def reach(self, saga_id: str, point: str) -> None:
        """Come by ``point``.

        Raises:
            FailpointReached: when it is set to ``raise`` and not used up.
            StoreUnavailable: when the count cannot be taken.
        """
        failpoint = self._points.get(point)
        if failpoint is None or not await self._counters.take(saga_id, point, failpoint.times):
            return
        match failpoint.action:
            case Action.RAISE:
                raise FailpointReached(point=point)
            case Action.KILL:
                self._kill()
            case Action.HANG:
                await asyncio.Event().wait()
