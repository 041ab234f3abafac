"""The forecast of a job: by which engine it would be made, what of it is kept already, time and cost."""

import os
from typing import Any

from farm.domain.request import Engine, Mode
from farm.domain.shape import sides_px
from farm.render import bakes, making
from farm.render.estimate import HOUR_S, JOB_S, MODEL_S, USUAL, Paces, core_seconds
from farm.render.ports import ObjectStore
from farm.render.prepare import Prepared
from farm.render.results import ResultCache
from farm.render.steps.shots import Shot, frames, stills
from farm.settings import Settings


def forecast(
    settings: Settings,
    store: ObjectStore,
    results: ResultCache,
    prepared: Prepared,
    *,
    tenant: str,
    force: bool,
    paces: Paces = USUAL,
) -> dict[str, Any]:
    """Look ahead; blocking.

    Args:
        force: nothing that is kept would be used.
        paces: what was learned of this farm.

    Returns:
        ``engine``: see `farm.render.making`; ``views``: of each its name, its ``fingerprint`` and whether it is
        ``cached``, which nobody knows of a design that is still to be fetched; ``frames_cached``; ``core_s``, and of
        that ``estimated_seconds`` on as many cores as this machine has, and ``estimated_cost``. Where the kind of
        device is open, a fingerprint is that of a CPU.

    Raises:
        BakeMissing, FilmBakeMissing, BakeTooSmall: when it is to be relit and its template is not baked so.
        StorageUnavailable, StorageForbidden: as the store met them.
    """
    request, mode = prepared.request, Mode(prepared.request["mode"])
    engine = making.choose(settings, store, request, prepared.template)
    data = {
        "tenant": tenant,
        "request": request,
        "designs": [{"sha256": design.sha256} for design in prepared.designs],
        "template": prepared.template,
    }
    designs = [design.sha256 for design in prepared.designs]
    relit = Engine.RELIGHT in (engine.stills, engine.film)
    made = bakes.finished(store, prepared.template["id"], prepared.template["hash"]) if relit else []

    def wanted(shot: Shot) -> tuple[str, ...]:
        if not designs:
            return ()
        if (engine.stills if shot.frame is None else engine.film) == Engine.RELIGHT:
            sides = sides_px(request) if shot.frame is None else making.frame_sides_px(request)
            source = making.sources_of(made, [shot.baked_as], min(sides)).get(shot.baked_as, "")
            return making.relit_fingerprints(data, shot.called, source)
        return making.traced_fingerprints(settings, data, shot.called)

    count = settings.film_frames if mode.film else 0
    shots = [*stills(request["views"] if mode.stills else ()), *frames(count)]
    asked = {shot: wanted(shot) for shot in shots}
    every = [one for some in asked.values() for one in some]
    known = results.among(tenant, designs, every) if every and not force else set()

    def look(shot: Shot) -> tuple[str | None, bool]:
        kept = results.find(tenant, designs, [one for one in asked[shot] if one in known])
        return (kept.fingerprint if kept else next(iter(asked[shot]), None)), kept is not None

    views = []
    for shot in shots:
        if shot.frame is None:
            found, cached = look(shot)
            views.append({"view": shot.view, "fingerprint": found, "cached": cached})
    kept_frames = sum(look(shot)[1] for shot in shots if shot.frame is not None)
    core_s = core_seconds(engine.stills, request, sum(not view["cached"] for view in views), paces=paces)
    core_s += core_seconds(engine.film, request, count - kept_frames, paces=paces) if count else 0.0
    core_s += MODEL_S if request.get("model") else 0.0
    core_s += JOB_S
    return {
        "engine": engine.to_dict(),
        "views": views,
        "frames_cached": kept_frames,
        "core_s": round(core_s, 2),
        "estimated_seconds": round(core_s / (os.cpu_count() or 1), 2),
        "estimated_cost": round(core_s / HOUR_S * settings.price_cpu_hour, 6),
        "currency": settings.currency,
    }
