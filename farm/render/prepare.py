"""From what a caller sent to what a job is made of.

Everything that can be refused is refused here, before a trace is left.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.domain import template as templates
from farm.domain.placement import Placement
from farm.domain.request import RenderRequest
from farm.domain.template import Template
from farm.errors import DesignTooLarge, InvalidRequest
from farm.picture.decode import DecodeLimits
from farm.picture.decode_child import decode_in_child
from farm.picture.decode_nursery import Nurseries
from farm.picture.footprint import Footprint, check_visible, inspect
from farm.picture.ink import inspect_ink
from farm.picture.light import linear_rgb
from farm.settings import Settings

MAX_DESIGNS = 8
MESH = "mesh.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDesign:
    """A design after decoding: PNG bytes, sRGB, straight alpha.

    Attributes:
        notes: what its sender should know, each with ``code`` and ``message``.
    """

    data: bytes
    sha256: str
    width_px: int
    height_px: int
    notes: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job that is ready to be accepted.

    Attributes:
        request: the normalised request as plain JSON: placements, samples and background resolved.
        warnings: what the caller should know; the job runs all the same.
        urls: where designs are that the job itself fetches, in place of ``designs``.
    """

    request: Mapping[str, Any]
    designs: tuple[PreparedDesign, ...]
    template: Mapping[str, str]
    warnings: tuple[Mapping[str, Any], ...]
    urls: tuple[str, ...] = ()


def prepare(
    settings: Settings,
    request: RenderRequest,
    designs: Sequence[bytes | PreparedDesign],
    *,
    nurseries: Nurseries | None = None,
) -> Prepared:
    """Decode the designs, each in a child process with limits, and resolve the request against its template.

    Args:
        designs: files, or what came of one before, which is taken as it is.
        nurseries: where the children are born; without them each starts an interpreter of its own.

    Raises:
        BadDesign: when a design cannot be used; LowResolution: under the operator's floor.
        PrintOffCloth: when no print would show.
        InvalidRequest: when request, template and designs do not go together.
        NotFound: when there is no such template.
    """
    template, placements = _resolve(settings, request, len(designs))
    ready, warnings = [], []
    for number, given in enumerate(designs):
        design = given if isinstance(given, PreparedDesign) else decoded(settings, given, nurseries)
        ready.append(design)
        warnings += [{"pointer": f"/designs/{number}", **note} for note in design.notes]
    sizes = [(design.width_px, design.height_px) for design in ready]
    warnings += _inspected(settings, template, placements, sizes, request.fabric_color)
    return Prepared(
        request=normalise(request, placements),
        designs=tuple(ready),
        template=_facts(template),
        warnings=tuple(warnings),
    )


def prepare_unseen(settings: Settings, request: RenderRequest, designs: Sequence[PreparedDesign]) -> Prepared:
    """As `prepare`, of designs that were decoded before, and without a word about how well they will print.

    Raises:
        PrintOffCloth: when no print would show.
        InvalidRequest: when request, template and designs do not go together.
        NotFound: when there is no such template.
    """
    template, placements = _resolve(settings, request, len(designs))
    sizes = [(design.width_px, design.height_px) for design in designs]
    check_visible([(Footprint.of(one, *sizes[one.design]), template.panels[one.panel]) for one in placements])
    return Prepared(
        request=normalise(request, placements), designs=tuple(designs), template=_facts(template), warnings=()
    )


def prepare_later(settings: Settings, request: RenderRequest, urls: Sequence[str]) -> Prepared:
    """As `prepare`, for designs that the job itself fetches: everything is resolved and checked but for these.

    Raises:
        InvalidRequest: when request, template and number of designs do not go together.
        NotFound: when there is no such template.
    """
    template, placements = _resolve(settings, request, len(urls))
    return Prepared(
        request=normalise(request, placements), designs=(), template=_facts(template), warnings=(), urls=tuple(urls)
    )


def prepare_fetched(
    settings: Settings, request: Mapping[str, Any], number: int, data: bytes
) -> tuple[PreparedDesign, list[dict[str, Any]]]:
    """One design of a job that is under way, decoded; and what the caller should know of it.

    Args:
        request: normalised.
        number: which of the job's designs.

    Raises:
        BadDesign: when it cannot be used; LowResolution: under the operator's floor.
        PrintOffCloth: when it is the only one, and would show nowhere.
        NotFound: when the template is gone.
    """
    design = decoded(settings, data)
    warnings: list[dict[str, Any]] = [{"pointer": f"/designs/{number}", **note} for note in design.notes]
    template = templates.find(settings.template_folders, str(request["template"]))
    # Others' places are left out, but each keeps its number among all.
    sizes = [(design.width_px, design.height_px) if index == number else None for index in range(MAX_DESIGNS)]
    placements = [Placement.model_validate(one) for one in request["placements"]]
    return design, warnings + _inspected(settings, template, placements, sizes, str(request["fabric_color"]))


def _resolve(settings: Settings, request: RenderRequest, designs: int) -> tuple[Template, tuple[Placement, ...]]:
    template = templates.find(settings.template_folders, request.template)
    if not 1 <= designs <= MAX_DESIGNS:
        raise InvalidRequest(reason=f"send 1 to {MAX_DESIGNS} designs, not {designs}")
    if request.effective_model and MESH not in template.files:
        reason = f"{template.id} is no sewn garment: there is no mesh in it that a 3D model could be made of"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/model", "reason": reason}])
    return template, template.placements(request.preset, request.placements, designs)


def _facts(template: Template) -> dict[str, str]:
    return {"id": template.id, "version": template.version, "hash": template.hash}


def _inspected(
    settings: Settings,
    template: Template,
    placements: Sequence[Placement],
    sizes: Sequence[tuple[int, int] | None],
    fabric_color: str,
) -> list[dict[str, Any]]:
    """What is to be said of each print; of designs whose size is not known, nothing."""
    known = [(number, one, size) for number, one in enumerate(placements) if (size := sizes[one.design]) is not None]
    prints = [(Footprint.of(one, *size), template.panels[one.panel]) for _, one, size in known]
    if len(known) == len(placements):  # another's print may show
        check_visible(prints)
    warnings = []
    for (number, placement, _), (footprint, panel) in zip(known, prints, strict=True):
        notices = inspect(footprint, panel, floor_dpi=settings.dpi_floor)
        for notice in (*notices, *inspect_ink(placement, linear_rgb(fabric_color))):
            warnings.append({"pointer": f"/placements/{number}", "code": notice.code, "message": notice.message})
    return warnings


def normalise(request: RenderRequest, placements: Sequence[Placement]) -> dict[str, Any]:
    """The request as plain JSON with every default written out."""
    return {
        **request.model_dump(mode="json"),
        "placements": [placement.model_dump(mode="json") for placement in placements],
        "preset": None if request.placements else request.preset,
        "model": request.effective_model,
        "samples": request.effective_samples,
        "background_color": request.effective_background,
    }


def decoded(settings: Settings, data: bytes, nurseries: Nurseries | None = None) -> PreparedDesign:
    """One file, decoded in a child process with limits.

    Raises:
        BadDesign: when it cannot be used.
    """
    if len(data) > settings.design_max_bytes:
        raise DesignTooLarge(size_bytes=len(data), limit_bytes=settings.design_max_bytes)
    limits = DecodeLimits(max_bytes=settings.design_max_bytes, max_pixels=settings.design_max_pixels)
    if nurseries is None:
        found = decode_in_child(data, limits, settings.decode_deadline_s)
    else:
        with nurseries.taken() as nursery:
            found = decode_in_child(data, limits, settings.decode_deadline_s, start=nursery.bear)
    return PreparedDesign(
        data=found.png,
        sha256=hashlib.sha256(found.png).hexdigest(),
        width_px=found.facts.width_px,
        height_px=found.facts.height_px,
        notes=tuple({"code": note.code, "message": note.message} for note in found.warnings),
    )
