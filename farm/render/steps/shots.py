"""One shot after another: a view or a frame of the film, taken from the result cache, relit or path-traced."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from farm.concurrency import side_by_side
from farm.domain import keys
from farm.domain.fingerprint import frame_name
from farm.domain.ids import new_token
from farm.domain.request import Engine, Format
from farm.domain.shape import sides_px
from farm.domain.view import View
from farm.errors import BadPicture, BakeBroken, BakeMissing, FarmError, ViewExhausted
from farm.render import bakes, making
from farm.render.bulkhead import blocking
from farm.render.ports import TextureRef, ViewDone, ViewTask
from farm.render.results import report_of
from farm.render.steps.parts import Parts
from farm.render.tasks import drill
from farm.saga.step import StepContext

log = logging.getLogger(__name__)

_NOT_TO_BE_RELIT = (BakeMissing, BakeBroken, BadPicture)
"""What relighting a view may meet that the path tracer does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture to make: a view, or with ``frame`` and ``azimuth_deg`` one of the film's."""

    view: str
    frame: int | None = None
    azimuth_deg: float | None = None

    @property
    def called(self) -> str:
        """What its fingerprint calls it."""
        return self.view if self.azimuth_deg is None else frame_name(self.azimuth_deg)

    @property
    def baked_as(self) -> str:
        return bakes.part_name(self.view, self.azimuth_deg)


def stills(views: Sequence[str]) -> list[Shot]:
    return [Shot(view=view) for view in views]


def frames(count: int) -> list[Shot]:
    """The shots of a turntable, which begins at the front."""
    return [Shot(view=str(View.FRONT), frame=frame, azimuth_deg=360.0 * frame / count) for frame in range(count)]


def facts_of(ctx: StepContext) -> Mapping[str, Any]:
    """What determines a job's pictures; the designs as they were found to be, which their addresses do not tell."""
    return {**ctx.input, "designs": ctx.outputs["upload_design"]["designs"]}


class Camera:
    """Makes the shots of one attempt of a job's rendering."""

    def __init__(self, parts: Parts, ctx: StepContext) -> None:
        self._parts = parts
        self._ctx = ctx
        # Jobs that were accepted by an earlier version say nothing of their engine: they are traced.
        self._engine: Mapping[str, Any] = ctx.input.get("engine", {})
        self._facts = facts_of(ctx)
        self._designs = [design["sha256"] for design in self._facts["designs"]]
        self._sources: dict[int, dict[str, str]] = {}

    def engine(self, shot: Shot) -> str:
        """The engine that was chosen for a shot."""
        return str(self._engine.get("stills" if shot.frame is None else "film", Engine.CYCLES))

    async def kept(self, shots: Sequence[Shot]) -> dict[Shot, ViewDone]:
        """Those of the shots that are in the result cache, copied under attempts of their own.

        A forced job takes nothing; nor does one whose workers are to fail in a drill: it would not meet it.
        """
        if not self._takes:
            return {}
        wanted = {shot: await self._wanted(shot) for shot in shots}
        every = [one for some in wanted.values() for one in some]
        known = await blocking(self._parts.results.among, self._ctx.input["tenant"], self._designs, every)
        likely = {shot: tuple(one for one in some if one in known) for shot, some in wanted.items()}
        async with side_by_side() as group:
            looked = {shot: group.create_task(self._taken(shot, some)) for shot, some in likely.items() if some}
        return {shot: done for shot, look in looked.items() if (done := look.result()) is not None}

    async def make(self, shot: Shot, token: str, attempt: int) -> ViewDone:
        """Relight or trace a shot, and keep it for equal work once it has passed its verdict.

        Where another job makes the very picture at the moment, its end is awaited and its picture taken.

        Raises:
            FarmError: as the worker met it; `ViewExhausted` where another attempt at relighting would end the same.
        """
        wanted = await self._wanted(shot) if self._takes else ()
        if not wanted:
            return await self._made(shot, token, attempt)
        async with self._parts.flights.turn(wanted[0], int(self._ctx.input["request"]["priority"])) as made:
            done = await self._taken(shot, wanted) if made else None
            return done or await self._made(shot, token, attempt)

    @property
    def _takes(self) -> bool:
        """Whether pictures of other jobs will do."""
        asked = self._ctx.input
        kept = self._parts.settings.cache_days > 0
        return kept and not asked.get("force") and not drill.parse(asked.get("failpoints", ""))

    async def _made(self, shot: Shot, token: str, attempt: int) -> ViewDone:
        task = self.task(shot, token, attempt)
        done = await (self._relit(task) if self.engine(shot) == Engine.RELIGHT else self._parts.workers.render(task))
        seconds = float(done.report.get("total_s") or 0.0)
        engine = making.engine_of(done.report)
        found = making.fingerprint_of(
            self._facts,
            shot.called,
            engine=engine,
            renderer=(renderer := str(done.report.get("renderer", ""))),
            device=(device := str(done.report.get("device", ""))),
        )
        report = {**done.report, "engine": engine}
        done = replace(done, artifact=replace(done.artifact, fingerprint=found), report=report)
        # Kept before it is journaled: whoever is killed in between finds it here and renders nothing again.
        await blocking(
            self._parts.results.keep, self._ctx.input["tenant"], self._designs, done.artifact,
            renderer=renderer, device=device, seconds=seconds,
        )  # fmt: skip
        return done

    def task(self, shot: Shot, token: str, attempt: int) -> ViewTask:
        """What a worker is told."""
        ctx = self._ctx
        return ViewTask(
            tenant=ctx.input["tenant"],
            job_id=ctx.saga_id,
            token=token,
            view=shot.view,
            attempt=attempt,
            request=ctx.input["request"],
            textures=tuple(TextureRef(**texture) for texture in ctx.outputs["compose_design"]["textures"]),
            deadline_s=self._parts.settings.view_timeout_s,
            azimuth_deg=shot.azimuth_deg,
            frame=shot.frame,
            failpoints=ctx.input.get("failpoints", ""),
            template_hash=ctx.input["template"]["hash"],
        )

    async def _relit(self, task: ViewTask) -> ViewDone:
        """Relight; a job that left the choice to the farm is traced where that fails."""
        try:
            return await self._parts.workers.relight(task)
        except _NOT_TO_BE_RELIT as error:
            if self._engine.get("asked") == Engine.AUTO:
                log.warning("job %s: %s is traced: %s", task.job_id, task.name, error)
                return await self._parts.workers.render(task)
            if not error.retryable:
                raise
            # Relighting is arithmetic: what failed its verdict would fail it again.
            reason, cause = error.message, error.to_dict()
            raise ViewExhausted(view=task.name, attempts=task.attempt, reason=reason, cause=cause) from error

    async def _taken(self, shot: Shot, wanted: Sequence[str]) -> ViewDone | None:
        ctx, request = self._ctx, self._ctx.input["request"]
        form = Format.PNG if shot.frame is not None else Format(request["format"])
        name = (shot.view if shot.frame is None else f"frame_{shot.frame:04d}") + form.suffix
        key = keys.work(ctx.input["tenant"], ctx.saga_id, new_token()) + name
        kept = await blocking(self._parts.results.take, ctx.input["tenant"], self._designs, wanted, key)
        if kept is None:
            return None
        view, report = (shot.view if shot.frame is None else None), report_of(kept)
        report = {**report, "engine": making.engine_of(report)}
        return ViewDone(artifact=kept.artifact(name=name, key=key, view=view), report=report)

    async def _wanted(self, shot: Shot) -> tuple[str, ...]:
        """The fingerprints that a good picture of a shot may have."""
        if self.engine(shot) == Engine.RELIGHT:
            return making.relit_fingerprints(self._facts, shot.called, await self._source(shot))
        return making.traced_fingerprints(self._parts.settings, self._facts, shot.called)

    async def _source(self, shot: Shot) -> str:
        """Who would relight a shot now; empty where nobody could, or the store does not say."""
        request, template = self._ctx.input["request"], self._ctx.input["template"]
        size_px = min(sides_px(request) if shot.frame is None else making.frame_sides_px(request))
        if size_px not in self._sources:
            try:
                made = await blocking(bakes.finished, self._parts.store, template["id"], template["hash"])
            except FarmError as error:
                log.warning("job %s: the bakes cannot be looked at: %s", self._ctx.saga_id, error)
                return ""
            names = {name for bake in made for name in bake.parts}
            self._sources[size_px] = making.sources_of(made, sorted(names), size_px)
        return self._sources[size_px].get(shot.baked_as, "")
