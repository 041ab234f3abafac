"""Step 4: every view is rendered, judged and stored under its attempt's prefix."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from farm.concurrency import all_of
from farm.domain import keys
from farm.domain.fingerprint import MODEL
from farm.domain.ids import new_token
from farm.domain.request import Engine, Mode
from farm.errors import FarmError, ViewExhausted
from farm.render import making
from farm.render.bulkhead import blocking
from farm.render.ports import FilmTask, ModelTask, TextureRef, ViewDone
from farm.render.steps.compose_design import COMPOSED
from farm.render.steps.extras import Extras
from farm.render.steps.losses import Losses, failure
from farm.render.steps.parts import Parts
from farm.render.steps.previews import previewing
from farm.render.steps.shots import Camera, Shot, facts_of, frames, stills
from farm.render.trail import FILM
from farm.saga.clock import sleep
from farm.saga.retry import RetryPolicy
from farm.saga.step import StepContext

_RNG = Random()


class RenderDesign:
    """Takes from the result cache what was made before, fans the other views out, and journals each as it is finished.

    Idempotency: a view or frame noted as done is not rendered again; each attempt writes under a prefix of its own, and
    only the noted one counts.
    Compensation: the attempts' files are removed. Running tasks were stopped before, and their end confirmed.
    """

    name = "render_design"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.retry = parts.retry
        self.timeout_s = parts.settings.render_timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        mode = Mode(ctx.input["request"]["mode"])
        artifacts: list[dict[str, Any]] = []
        made: dict[str, dict[str, Any]] = {}
        camera = Camera(self._parts, ctx)
        losses = Losses.of(ctx, self._parts.settings.job_failures)
        if mode.stills:
            artifacts += await self._stills(ctx, camera, made, losses)
        await ctx.reach("inside")
        extras = Extras(ctx, kept=bool(artifacts))
        if mode.film:
            await extras.make(FILM, lambda: self._film(ctx, camera, losses))
        if ctx.input["request"].get("model", False):
            await extras.make(MODEL, lambda: self._model(ctx, losses))
        return {"artifacts": artifacts + await extras.whole(), "made": made} | extras.told()

    async def compensate(self, ctx: StepContext) -> None:
        prefix = keys.work(ctx.input["tenant"], ctx.saga_id)
        await ctx.reach("inside")
        await blocking(_delete_all_but, self._parts.store, prefix, prefix + COMPOSED)

    async def _stills(
        self, ctx: StepContext, camera: Camera, made: dict[str, dict[str, Any]], losses: Losses
    ) -> list[dict[str, Any]]:
        done = {note["view"]: note["artifact"] for note in ctx.notes if note.get("event") == "view_done"}
        made |= {note["view"]: _made(note["report"]) for note in ctx.notes if note.get("event") == "view_done"}
        tries = {note["view"]: note["attempt"] for note in ctx.notes if note.get("event") == "view_attempt"}
        views: Sequence[str] = ctx.input["request"]["views"]

        async def finished(view: str, result: ViewDone) -> None:
            artifact = result.artifact.to_dict()
            await ctx.note({"event": "view_done", "view": view, "artifact": artifact, "report": dict(result.report)})
            done[view], made[view] = artifact, _made(result.report)

        async def one(shot: Shot) -> None:
            view = shot.view

            async def attempt(number: int) -> None:
                token = new_token()
                await ctx.note({"event": "view_attempt", "view": view, "attempt": number, "token": token})
                try:
                    result = await camera.make(shot, token, number)
                except FarmError as error:
                    await ctx.note({"event": "view_failed", "view": view, "attempt": number, **failure(error)})
                    raise
                await finished(view, result)

            await _persistently(ctx, view, self._view_retry, tries.get(view, 0), attempt, losses)

        for shot, result in (await camera.kept(stills([view for view in views if view not in done]))).items():
            await finished(shot.view, result)
        left = [shot for shot in stills(views) if shot.view not in done]
        traced = [shot.view for shot in left if camera.engine(shot) == Engine.CYCLES]
        async with previewing(self._parts, ctx, camera, traced, done):
            await all_of(one(shot) for shot in left)
        return [done[view] for view in views]

    async def _model(self, ctx: StepContext, losses: Losses) -> dict[str, Any]:
        done: list[dict[str, Any]] = [note["artifact"] for note in ctx.notes if note.get("event") == "model_done"]
        tries = [note["attempt"] for note in ctx.notes if note.get("event") == "model_attempt"]

        async def attempt(number: int) -> None:
            token = new_token()
            await ctx.note({"event": "model_attempt", "attempt": number, "token": token})
            try:
                result = await self._parts.workers.model(
                    ModelTask(
                        tenant=ctx.input["tenant"],
                        job_id=ctx.saga_id,
                        token=token,
                        attempt=number,
                        request=ctx.input["request"],
                        textures=tuple(TextureRef(**texture) for texture in ctx.outputs["compose_design"]["textures"]),
                        deadline_s=self._parts.settings.view_timeout_s,
                        failpoints=ctx.input.get("failpoints", ""),
                        template_hash=ctx.input["template"]["hash"],
                    )
                )
            except FarmError as error:
                await ctx.note({"event": "model_failed", "attempt": number, **failure(error)})
                raise
            artifact = replace(result.artifact, fingerprint=_model_fingerprint(ctx, result)).to_dict()
            await ctx.note({"event": "model_done", "artifact": artifact, "report": dict(result.report)})
            done.append(artifact)

        if not done:
            await _persistently(ctx, MODEL, self._view_retry, max(tries, default=0), attempt, losses)
        return done[-1]

    async def _film(self, ctx: StepContext, camera: Camera, losses: Losses) -> dict[str, Any]:
        count, fps = ctx.input["film_frames"], ctx.input["film_fps"]
        done = {note["frame"]: note["artifact"] for note in ctx.notes if note.get("event") == "frame_done"}
        tries = {note["frame"]: note["attempt"] for note in ctx.notes if note.get("event") == "frame_failed"}

        async def finished(shot: Shot, result: ViewDone) -> None:
            artifact = result.artifact.to_dict()
            told = {"engine": making.engine_of(result.report), "cached": bool(result.report.get("cached"))}
            told |= {name: result.report[name] for name in ("attempt_s", "device", "threads") if name in result.report}
            await ctx.note({"event": "frame_done", "frame": shot.frame, "artifact": artifact, **told})
            done[shot.frame] = artifact

        async def one(shot: Shot) -> None:
            async def attempt(number: int) -> None:
                try:
                    result = await camera.make(shot, new_token(), number)
                except FarmError as error:
                    # Without a note of its begin, which would double a film's journal: of a frame only failures count.
                    told = {"frame": shot.frame, "attempt": number}
                    await ctx.note({"event": "frame_failed", **told, **failure(error)})
                    raise
                await finished(shot, result)

            before = tries.get(shot.frame, 0)
            await _persistently(ctx, f"frame_{shot.frame:04d}", self._view_retry, before, attempt, losses)

        for shot, result in (await camera.kept([one for one in frames(count) if one.frame not in done])).items():
            await finished(shot, result)
        await all_of(one(shot) for shot in frames(count) if shot.frame not in done)
        films: list[dict[str, Any]] = []

        async def encode(_: int) -> None:
            task = FilmTask(
                tenant=ctx.input["tenant"],
                job_id=ctx.saga_id,
                token=new_token(),
                frames=tuple(done[frame] for frame in range(count)),
                fps=fps,
            )
            films.append((await self._parts.workers.encode(task)).to_dict())

        await _persistently(ctx, FILM, self._view_retry, 0, encode, losses)
        return films[-1]

    @property
    def _view_retry(self) -> RetryPolicy:
        settings = self._parts.settings
        return RetryPolicy(
            max_attempts=settings.view_attempts, base_s=settings.backoff_base_s, max_wait_s=settings.backoff_max_s
        )


def _model_fingerprint(ctx: StepContext, done: ViewDone) -> str:
    report = done.report
    renderer, device = str(report.get("renderer", "")), str(report.get("device", ""))
    return making.fingerprint_of(facts_of(ctx), MODEL, engine=str(Engine.CYCLES), renderer=renderer, device=device)


def _made(report: Mapping[str, Any]) -> dict[str, Any]:
    """Who made a picture, in short."""
    told = {"engine": making.engine_of(report), "renderer": report.get("renderer"), "device": report.get("device")}
    return {**told, "cached": bool(report.get("cached"))}


async def _persistently(
    ctx: StepContext,
    name: str,
    policy: RetryPolicy,
    before: int,
    attempt: Callable[[int], Awaitable[Any]],
    losses: Losses,
) -> None:
    """Try a view until it succeeds or its attempts are spent; an attempt that a crash cut short does not count."""
    failures = 0
    started_s = ctx.clock.monotonic_s()
    while True:
        try:
            await attempt(before + failures + 1)
            return
        except FarmError as error:
            failures += 1
            losses.count(error)
            elapsed_s = ctx.clock.monotonic_s() - started_s
            wait_s = policy.wait_s(error, failures=failures, elapsed_s=elapsed_s, rng=_RNG)
            if wait_s is None:
                raise _final(error, name, failures) from error
            await sleep(ctx.clock, wait_s)


def _final(error: FarmError, name: str, attempts: int) -> FarmError:
    """What ends the step: its attempts are spent, so it shall not begin all over again for this view."""
    if not error.retryable:
        return error
    return ViewExhausted(view=name, attempts=attempts, reason=error.message, cause=error.to_dict())


def _delete_all_but(store: Any, prefix: str, kept: str) -> None:
    store.delete([item.key for item in store.list(prefix) if not item.key.startswith(kept)])
