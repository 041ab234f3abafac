"""An inspection: is a template whole, and do its pictures come out right?"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from blender.protocol import VIEW_AZIMUTH_DEG
from farm.adapters.shipped_light import Light, stale_light
from farm.domain.template import Template
from farm.errors import BakeBroken, FarmError, TemplateChildFailed
from farm.wardrobe.probe import Probe, probe

APART_DELTA_E = 1.6
"""Of a small picture of 16 samples from the same relit: two such traces differ by about 0.9."""
_MAPS = ("panel", "x_cm", "y_cm", "coverage", "shade")
_NEEDED = ("name", "license", "panel_order", "cameras", "camera", "finish", "cycles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one look.

    Attributes:
        detail: what was seen, or what is wrong.
    """

    name: str
    ok: bool
    detail: str


def inspect(template: Template, *, render: bool = True) -> Iterator[Finding]:
    """Look at a template from the cheap to the dear: seals, facts, maps, build report, probes.

    Args:
        render: whether Blender is asked too; takes seconds.
    """
    looks: list[tuple[str, Callable[[Template], str]]] = [
        ("seal", _seal),
        ("facts", _facts),
        ("maps", _maps),
        ("build", _build),
        ("light", _light),
    ]
    sound = True
    for name, look in looks:
        try:
            finding = Finding(name=name, ok=True, detail=look(template))
        except _Wrong as wrong:
            finding = Finding(name=name, ok=False, detail=str(wrong))
        sound = sound and finding.ok
        yield finding
    if render and sound:
        yield from _probes(template)


class _Wrong(Exception):
    """What a look found, a sentence."""


def _seal(template: Template) -> str:
    broken = template.broken_seals()
    if broken:
        raise _Wrong("; ".join(broken))
    return f"{len(template.files)} files and template.json are as they were built"


def _facts(template: Template) -> str:
    missing = [name for name in _NEEDED if name not in template.facts]
    missing += [f"camera {view}" for view in VIEW_AZIMUTH_DEG if view not in template.facts.get("cameras", ())]
    if missing:
        raise _Wrong(f"template.json lacks {', '.join(missing)}")
    if not template.panels:
        raise _Wrong("there is no panel to print on")
    for name, box in template.presets.items():
        shape = template.panels.get(box.panel)
        if shape is None or not shape.contains(box.x_cm, box.y_cm):
            raise _Wrong(f"the preset {name} does not lie on the panel {box.panel}")
    return f"{len(template.panels)} panels, {len(template.presets)} presets, {len(VIEW_AZIMUTH_DEG)} cameras"


def _maps(template: Template) -> str:
    """That the verdict's maps are there for every view and show the garment."""
    try:
        with np.load(template.folder / "verdict.npz", allow_pickle=False) as arrays:
            for view in VIEW_AZIMUTH_DEG:
                found = {name: arrays[f"{view}/{name}"] for name in _MAPS}
                if len({array.shape for array in found.values()}) != 1:
                    raise _Wrong(f"the maps of {view} differ in size")
                if found["panel"].max() >= len(template.facts["panel_order"]) or not (found["panel"] >= 0).any():
                    raise _Wrong(f"the maps of {view} show no panel of this garment")
                if not all(np.isfinite(array).all() for array in found.values()):
                    raise _Wrong(f"the maps of {view} hold numbers that are none")
    except (OSError, KeyError, ValueError) as error:
        raise _Wrong(f"verdict.npz: {error}") from error
    return f"{len(VIEW_AZIMUTH_DEG)} views"


def _build(template: Template) -> str:
    """What the build measured of itself; a template that failed its checks was never written."""
    report = template.facts.get("drape") or template.facts.get("blend")
    if not report:
        raise _Wrong("the build left no report")
    if "square_cm" in report:
        width, height = report["square_cm"]
        return f"a shop's file: the texture square is {width:.1f} × {height:.1f} cm, uneven by {report['spread']:.1%}"
    plain = {name: value for name, value in report.items() if isinstance(value, int | float)}
    return ", ".join(f"{name} {value:g}" for name, value in plain.items())


def _light(template: Template) -> str:
    """That the light in the folder, if there is any, belongs to this version, and each file is the one it was."""
    try:
        if stale_light(template.folder, template.hash):
            raise _Wrong(f"it is of another version: `farm template bake {template.id} --ship` renews it")
        light = Light.read(template.folder, template.hash)
        if light is None:
            return "none came with it: pictures are traced until it is baked"
        size_bytes = 0
        for part in light.bake.parts.values():
            data = light.files[part.key].read_bytes()
            size_bytes += len(data)
            if hashlib.sha256(data).hexdigest() != part.sha256:
                raise _Wrong(f"{part.name}.light was altered")
    except (BakeBroken, OSError) as error:
        raise _Wrong(str(error)) from error
    worst = light.bake.delta_e(light.bake.parts)
    return f"{len(light.bake.parts)} views at {light.bake.size_px} px, {size_bytes / 1e6:.1f} MB, ΔE00 {worst:.2f}"


def _probes(template: Template) -> Iterator[Finding]:
    """Small pictures, judged; and one of them beside the same one relit, where light came with the template."""
    try:
        probes, apart = probe(template, Light.read(template.folder, template.hash))
    except TemplateChildFailed as error:
        yield Finding(name="probe", ok=False, detail=f"{error}\n{error.fields.get('log', '')}".strip())
        return
    except FarmError as error:
        yield Finding(name="probe", ok=False, detail=str(error))
        return
    yield _judged(probes)
    if apart is not None:
        told = f"a relit picture lies ΔE00 {apart:.2f} from the traced one"
        yield Finding(name="relit", ok=apart <= APART_DELTA_E, detail=f"{told}, {APART_DELTA_E} is allowed")


def _judged(probes: Sequence[Probe]) -> Finding:
    failed = [one for one in probes if one.reason]
    if failed:
        told = "; ".join(f"{one.view} on {one.fabric_color}: {one.reason}" for one in failed[:3])
        return Finding(name="probe", ok=False, detail=f"{len(failed)} of {len(probes)} pictures are wrong: {told}")
    return Finding(name="probe", ok=True, detail=f"{len(probes)} small pictures passed their verdict")
