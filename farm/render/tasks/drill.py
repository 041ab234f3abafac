"""Drills of render workers: a view that crashes, hangs or comes out wrong on purpose, to prove what happens then.

Written in ``FARM_FAILPOINTS`` beside the saga's own points, separated by semicolons:

    worker.render=<crash|segv|hang|freeze|blank|truncate>[:view][*times]

``crash`` kills the worker (SIGKILL), ``segv`` makes it crash like a broken driver, ``hang`` lets it beat without ever
getting on, ``freeze`` stops the whole process, ``blank`` and ``truncate`` spoil the finished picture. Without a view it
meets every view; ``*times`` (default 1) counts per job, over all processes and crashes. The coordinator counts and
decides; a worker only ever sees the one word meant for its attempt, and without a drill none of this code runs.
"""

import os
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from farm.errors import InvalidSettings
from farm.saga.store import Counters

POINT = "worker.render"
_FORM = re.compile(r"(?P<kind>[a-z]+)(?::(?P<view>[a-z0-9_]+))?(?:\*(?P<times>[0-9]+))?")


class DrillKind(StrEnum):
    CRASH = "crash"
    SEGV = "segv"
    HANG = "hang"
    FREEZE = "freeze"
    BLANK = "blank"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill as written.

    Attributes:
        view: whom it meets; ``None``: every view.
        times: how often, per job.
    """

    kind: DrillKind
    view: str | None = None
    times: int = 1

    @property
    def point(self) -> str:
        """Its name where hits are counted."""
        return f"{POINT}={self.kind}" + (f":{self.view}" if self.view else "")


def parse(failpoints: str) -> tuple[Drill, ...]:
    """The drills among ``FARM_FAILPOINTS``.

    Raises:
        InvalidSettings: when one is not written as above.
    """
    drills = []
    for item in failpoints.split(";"):
        point, _, value = item.strip().partition("=")
        if point.strip() != POINT:
            continue
        form = _FORM.fullmatch(value.strip())
        if form is None or form["kind"] not in set(DrillKind):
            reason = f"write {POINT}=<{'|'.join(DrillKind)}>[:view][*times]"
            raise InvalidSettings(variable="FARM_FAILPOINTS", value=item.strip(), reason=reason)
        drills.append(Drill(kind=DrillKind(form["kind"]), view=form["view"], times=int(form["times"] or 1)))
    return tuple(drills)


async def meets(drills: Sequence[Drill], job_id: str, name: str, counters: Counters) -> DrillKind | None:
    """The drill that this attempt of view ``name`` must go through, if any; takes it off its count.

    Raises:
        StoreUnavailable: when the count cannot be taken.
    """
    for drill in drills:
        if drill.view in (None, name) and await counters.take(job_id, drill.point, drill.times):
            return drill.kind
    return None


def split(failpoints: str) -> tuple[str, str]:
    """A specification parted in two: the saga's own points, and the drills of render workers."""
    items = [item.strip() for item in failpoints.split(";") if item.strip()]
    ours = [item for item in items if item.partition("=")[0].strip() == POINT]
    return ";".join(item for item in items if item not in ours), ";".join(ours)


def strike(kind: DrillKind) -> None:
    """In the worker, in place of rendering: come to the end that was asked for."""
    if kind is DrillKind.CRASH:
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind is DrillKind.SEGV:
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind is DrillKind.FREEZE:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif kind is DrillKind.HANG:
        while True:
            time.sleep(1)


def spoil(kind: DrillKind, picture: Path) -> None:
    """In the worker, after rendering: ruin the picture file the way that was asked for."""
    if kind is DrillKind.TRUNCATE:
        os.truncate(picture, picture.stat().st_size // 2)
    elif kind is DrillKind.BLANK:
        from PIL import Image

        with Image.open(picture) as rendered:
            form, size, mode = rendered.format, rendered.size, rendered.mode
        Image.new(mode, size).save(picture, format=form)
