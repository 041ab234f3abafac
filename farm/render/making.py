"""How a request's pictures are made: by which engine, from which bakes; and the fingerprints they may have then.

Chosen once, when a job is accepted, and journaled with it: a bake that is made or taken away meanwhile changes nothing
but what a relit view comes from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from farm.domain.fingerprint import fingerprint
from farm.domain.request import Engine, Mode
from farm.domain.shape import sides_px
from farm.domain.view import View
from farm.errors import BakeMissing, BakeTooSmall, FilmBakeMissing
from farm.render import bakes
from farm.render.bakes import Bake
from farm.render.ports import ObjectStore
from farm.settings import Settings

DEVICES = ("cpu", "optix", "cuda", "hip", "oneapi")
"""Kinds of device that Cycles may have rendered on where the settings leave it open; the commonest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a job's pictures are made.

    Attributes:
        asked: the request's engine.
        stills, film: the engine of the views and of the film's frames; empty where there are none.
        bake: whose light the first relit picture comes from, the beginning of its id; empty where nothing is relit.
        delta_e: the worst mean ΔE00 inside the print that was measured for the views, if it was.
        why: in words, for a person who asked for ``auto``.
        sources: the bake of each view, where they differ; not journaled, looked up again.
    """

    asked: str = str(Engine.CYCLES)
    stills: str = ""
    film: str = ""
    bake: str = ""
    delta_e: float | None = None
    why: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> str:
        """The engine in one word: of the stills, else of the film."""
        return self.stills or self.film or str(Engine.CYCLES)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the journal and in the job's record."""
        told: dict[str, Any] = {"asked": self.asked, "chosen": self.chosen, "stills": self.stills, "film": self.film}
        told |= {"bake": self.bake, "delta_e": self.delta_e, "why": self.why}
        return {name: value for name, value in told.items() if value not in ("", None)}


def choose(settings: Settings, store: ObjectStore, request: Mapping[str, Any], template: Mapping[str, str]) -> Making:
    """The engine for a normalised request; asks the store only where the request leaves `cycles`. Blocking.

    Args:
        template: ``id`` and ``hash`` of the request's template.

    Raises:
        BakeMissing, FilmBakeMissing, BakeTooSmall: when relit pictures are asked for and the template is not baked so.
        StorageUnavailable, StorageForbidden: as the store met them.
    """
    asked, mode = Engine(request["engine"]), Mode(request["mode"])
    views = tuple(request["views"]) if mode.stills else ()
    frames = settings.film_frames if mode.film else 0
    if asked is Engine.CYCLES:
        engine = str(Engine.CYCLES)
        return Making(asked=str(asked), stills=engine if views else "", film=engine if frames else "")
    made = bakes.finished(store, template["id"], template["hash"])
    size_px, frame_px = min(sides_px(request)), min(frame_sides_px(request))
    names = [bakes.part_name(View.FRONT, 360.0 * frame / frames) for frame in range(frames)]
    if asked is Engine.RELIGHT:
        _require(made, template["id"], views, size_px)
        _require_film(made, template["id"], names, frame_px)
    samples = int(request["samples"])
    stills, why = _within(settings, made, views, size_px, samples) if asked is Engine.AUTO else (True, "")
    film, why_film = _film_within(settings, made, names, frame_px) if asked is Engine.AUTO else (True, "")
    engines = {True: str(Engine.RELIGHT), False: str(Engine.CYCLES)}
    sources = sources_of(made, views, size_px) if stills else {}
    from_film = sources_of(made, names, frame_px) if film else {}
    return Making(
        asked=str(asked),
        stills=engines[stills] if views else "",
        film=engines[film] if frames else "",
        bake=next(iter({**sources, **from_film}.values()), "").rpartition(" ")[2],
        delta_e=_delta_e(made, views, size_px),
        why="; ".join(filter(None, (why, why_film))),
        sources=sources,
    )


def frame_sides_px(request: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of a film's frames: as of the stills, but even, as films want it."""
    width_px, height_px = sides_px(request)
    return width_px - width_px % 2, height_px - height_px % 2


def sources_of(made: Sequence[Bake], names: Sequence[str], size_px: int) -> dict[str, str]:
    """Who relights each of these views, as reports and fingerprints name it; those without a bake are left out."""
    found = {name: bakes.serving(made, name, size_px) for name in names}
    return {name: bake.renderer for name, bake in found.items() if bake is not None}


def _require(made: Sequence[Bake], template: str, views: Sequence[str], size_px: int) -> None:
    for view in views:
        if bakes.serving(made, view, size_px) is not None:
            continue
        most_px = bakes.largest(made, view)
        pointed = [{"pointer": "/engine", "reason": f"{view} is not baked at {size_px} px or more"}]
        if most_px:
            raise BakeTooSmall(template=template, size_px=size_px, baked_px=most_px, errors=pointed)
        raise BakeMissing(template=template, view=view, size_px=size_px, errors=pointed)


def _require_film(made: Sequence[Bake], template: str, names: Sequence[str], size_px: int) -> None:
    if any(bakes.serving(made, name, size_px) is None for name in names):
        pointed = [{"pointer": "/engine", "reason": f"not all {len(names)} frames are baked at {size_px} px or more"}]
        raise FilmBakeMissing(template=template, frames=len(names), size_px=size_px, errors=pointed)


def _within(
    settings: Settings, made: Sequence[Bake], views: Sequence[str], size_px: int, samples: int
) -> tuple[bool, str]:
    """Whether all views are baked as finely as asked and measured within the operator's bound; and why not.

    All views of a job, or none: a set of pictures is looked at side by side.
    """
    missing = [view for view in views if bakes.serving(made, view, size_px) is None]
    if missing:
        return False, f"traced: {missing[0]} is not baked at {size_px} px or more"
    baked = min((bake.parts[view].samples for view in views if (bake := bakes.serving(made, view, size_px))), default=0)
    if samples > baked:
        return False, f"traced: {samples} samples are asked for and the bake has {baked}"
    worst, bound = _delta_e(made, views, size_px), settings.relight_max_delta_e
    if worst is None and views:
        return False, "traced: the bake's error was not measured"
    if worst is not None and worst > bound:
        return False, f"traced: the bake's measured ΔE00 of {worst:.2f} is over the bound of {bound:g}"
    return True, "" if worst is None else f"relit: the bake's measured ΔE00 of {worst:.2f} is within {bound:g}"


def _film_within(settings: Settings, made: Sequence[Bake], names: Sequence[str], size_px: int) -> tuple[bool, str]:
    """As `_within`: frames between the views are not measured, what was measured in their bakes stands for them."""
    found = [bakes.serving(made, name, size_px) for name in names]
    if not all(found):
        return False, "film traced: not all frames are baked"
    errors = [
        part.error["delta_e_mean"]
        for bake in found
        if bake is not None
        for part in bake.parts.values()
        if "delta_e_mean" in part.error
    ]
    if names and (not errors or max(errors) > settings.relight_max_delta_e):
        return False, "film traced: the bake's error is over the bound, or was not measured"
    return True, ""


def _delta_e(made: Sequence[Bake], views: Sequence[str], size_px: int) -> float | None:
    """The worst error of these views; ``None`` where one was not measured."""
    found = [(bakes.serving(made, view, size_px), view) for view in views]
    worst = max((bake.delta_e([view], size_px) if bake else float("inf") for bake, view in found), default=float("inf"))
    return None if worst == float("inf") else round(worst, 4)


@cache
def cycles() -> str:
    """Who traces paths on this farm, as a view's report says; empty where Blender is not installed."""
    try:
        return f"cycles {version('bpy')}"
    except PackageNotFoundError:
        return ""


def engine_of(report: Mapping[str, Any]) -> str:
    """The engine that a picture's report tells."""
    relit = str(report.get("renderer", "")).startswith(bakes.RELIGHTER.partition(" ")[0])
    return str(Engine.RELIGHT if relit else Engine.CYCLES)


def fingerprint_of(data: Mapping[str, Any], view: str, *, engine: str, renderer: str = "", device: str = "cpu") -> str:
    """A picture's fingerprint.

    Args:
        data: a saga's input: ``tenant``, ``designs``, ``request`` and ``template``.
        view: see `farm.domain.fingerprint.fingerprint`.
        engine: that made it; the request may have left it open.
    """
    return fingerprint(
        tenant=data["tenant"],
        view=view,
        designs=[design["sha256"] for design in data["designs"]],
        request={**data["request"], "engine": engine},
        template_hash=data["template"]["hash"],
        renderer=renderer,
        device=device,
    )


def traced_fingerprints(settings: Settings, data: Mapping[str, Any], view: str) -> tuple[str, ...]:
    """Those that a path-traced picture made here may have: the kind of device may be open until it is rendered."""
    devices = DEVICES if settings.render_device == "auto" else (settings.render_device,)
    if not cycles():
        return ()
    return tuple(
        fingerprint_of(data, view, engine=str(Engine.CYCLES), renderer=cycles(), device=device) for device in devices
    )


def relit_fingerprints(data: Mapping[str, Any], view: str, source: str) -> tuple[str, ...]:
    """The one that a picture relit by ``source`` has; see `sources_of`."""
    return (fingerprint_of(data, view, engine=str(Engine.RELIGHT), renderer=source),) if source else ()
