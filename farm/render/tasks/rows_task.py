"""Rows of a batch as one task: designs fetched and decoded, composed, relit, judged, stored; bakes stay open between.

What one row meets is answered for that row; what meets the process (the store, its lease, memory) is raised.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from blender.protocol import ViewOrder
from farm.domain.artifact import Artifact, Kind
from farm.domain.placement import Placement
from farm.domain.request import Format
from farm.domain.shape import sides_px
from farm.domain.template import Template
from farm.errors import AttemptOvertaken, BadPicture, FarmError, RenderError, describe
from farm.picture.decode_server import Pixels
from farm.picture.footprint import Footprint, check_visible, inspect
from farm.picture.notice import Notice
from farm.picture.texture import PanelTexture
from farm.render.catalog.outputs import output_key
from farm.render.catalog.ports import DesignSource, RowsTask
from farm.render.catalog.weather import is_weather
from farm.render.ports import ObjectStore
from farm.render.results import Kept, ResultCache
from farm.render.tasks.compose_task import composed, facts_of
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.judge import judge_with
from farm.render.tasks.view_task import still_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A picture: its file, who made it on which device."""

    data: bytes
    renderer: str
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBench:
    """What a worker process lays out for rows.

    Attributes:
        decode: in a child process with limits.
        find: the template of that id and hash on this node.
        folder: for a picture's file on its way.
        relight: makes the picture of an order, of that template, with these textures.
        fingerprints: of a row's views, see `farm.render.making`.
        check_lease: raises when the attempt was overtaken; asked before each row is stored.
        dpi_floor: prints under it are refused.
    """

    store: ObjectStore
    designs: DesignSource
    decode: Callable[[bytes], Pixels]
    find: Callable[[Mapping[str, str]], Template]
    relight: Callable[[ViewOrder, Template, Sequence[PanelTexture]], Taken]
    results: ResultCache
    fingerprints: Callable[[Mapping[str, Any]], Mapping[str, tuple[str, ...]]]
    check_lease: Callable[[], None]
    folder: Path
    threads: int
    dpi_floor: float = 0.0


def relight_rows(task: RowsTask, *, bench: RowBench, progress: Progress) -> list[dict[str, Any]]:
    """Do all rows, one after the other; those of one design share its decoding."""
    answers = []
    last: dict[str, _Fetched] = {}
    for number, row in enumerate(task.rows):
        progress.enter(f"row {number + 1} of {len(task.rows)}", number / len(task.rows))
        began_s = time.perf_counter()
        try:
            answer = _row(task, row, bench, last)
        except AttemptOvertaken:
            raise  # nothing of this counts any more
        except FarmError as error:
            if is_weather(error):
                raise
            answer = {"error": describe(error)}
        answers.append({"i": row["i"], "seconds": round(time.perf_counter() - began_s, 5), **answer})
    progress.enter("done", 1.0)
    return answers


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A design, read but not decoded yet: a row that was made before, of a design that is known, needs no pixels."""

    data: bytes
    identity: str | None
    sha256: str
    decoded: list[Pixels]


def _row(task: RowsTask, row: Mapping[str, Any], bench: RowBench, last: dict[str, _Fetched]) -> dict[str, Any]:
    request: Mapping[str, Any] = row["request"]
    design = last.get(row["design"])
    if design is None:
        data, identity = bench.designs.fetch(row["design"])
        design = _Fetched(data, identity, hashlib.sha256(data).hexdigest(), [])
        last.clear()  # one at a time: rows of one design follow each other
        last[row["design"]] = design
    facts = {
        "tenant": task.tenant,
        "request": request,
        "designs": [{"sha256": design.sha256}],
        "template": row["template"],
        "engine": row["engine"],
    }
    fingerprints = {view: found[0] for view, found in bench.fingerprints(facts).items()}
    form, sides = Format(request["format"]), sides_px(request)
    key_of = {view: output_key(task.tenant, row["job"], task.token, view + form.suffix) for view in fingerprints}
    kept = {} if task.force else _kept(task, design, bench, fingerprints, key_of)
    renderer, device = "", "cpu"
    views = []
    for view, found in kept.items():
        renderer, device = found.renderer, found.device
        views.append(_shown(view, found.sha256, found.size_bytes, sides, fingerprints[view], cached=True))
    left = [view for view in fingerprints if view not in kept]
    template = bench.find(row["template"])
    # A design that nobody has looked at yet is read even where its pictures are kept: its size tells of what to warn,
    # and is written down with its identity.
    looked_at, *known_px = row.get("known") or ("", 0, 0)
    pixels = _decoded(design, bench) if left or looked_at != design.sha256 else None
    height_px, width_px = reversed(known_px) if pixels is None else pixels.pixels.shape[:2]
    notes = design.decoded[0].warnings if design.decoded else ()
    warnings = _warnings(notes, (width_px, height_px), request, template, bench.dpi_floor)
    textures = () if pixels is None else _composed(pixels, request, template, bench)
    for view in left:
        began_s = time.perf_counter()
        taken = _picture(view, request, template, textures, bench)
        renderer, device = taken.renderer, taken.device
        bench.check_lease()
        sha256 = bench.store.put(key_of[view], taken.data, content_type=form.content_type)
        bench.store.get(key_of[view], sha256=sha256)
        views.append(_shown(view, sha256, len(taken.data), sides, fingerprints[view], cached=False))
        artifact = Artifact(
            kind=Kind.STILL,
            name=view + form.suffix,
            key=key_of[view],
            sha256=sha256,
            size_bytes=len(taken.data),
            content_type=form.content_type,
            width_px=sides[0],
            height_px=sides[1],
            view=view,
            fingerprint=fingerprints[view],
        )
        seconds = time.perf_counter() - began_s
        bench.results.keep(
            task.tenant, [design.sha256], artifact, renderer=taken.renderer, device=taken.device, seconds=seconds
        )
    order = list(request["views"])
    views.sort(key=lambda one: order.index(one["view"]))
    return {
        "sha256": design.sha256,
        "identity": design.identity,
        "design_px": (width_px, height_px),
        "renderer": renderer,
        "device": device,
        "warnings": warnings,
        "views": views,
    }


def _kept(
    task: RowsTask, design: _Fetched, bench: RowBench, fingerprints: Mapping[str, str], key_of: Mapping[str, str]
) -> dict[str, Kept]:
    """The views that were made before, copied to where this row's are wanted."""
    found = {
        view: bench.results.take(task.tenant, [design.sha256], [fingerprint], key_of[view])
        for view, fingerprint in fingerprints.items()
    }
    kept = {view: one for view, one in found.items() if one is not None}
    if kept:
        bench.check_lease()
    return kept


def _composed(
    pixels: Pixels, request: Mapping[str, Any], template: Template, bench: RowBench
) -> Sequence[PanelTexture]:
    designs = {0: pixels.pixels}
    facts = _facts(template.folder)
    return list(composed(request, designs, template=template.folder, facts=facts, threads=bench.threads))


def _shown(
    view: str, sha256: str, size_bytes: int, sides: tuple[int, int], fingerprint: str, *, cached: bool
) -> dict[str, Any]:
    return {
        "view": view,
        "sha256": sha256,
        "size_bytes": size_bytes,
        "width_px": sides[0],
        "height_px": sides[1],
        "fingerprint": fingerprint,
        "cached": cached,
    }


def _decoded(design: _Fetched, bench: RowBench) -> Pixels:
    if not design.decoded:
        design.decoded.append(bench.decode(design.data))
    return design.decoded[0]


def _warnings(
    notes: Sequence[Notice],
    design_px: tuple[int, int],
    request: Mapping[str, Any],
    template: Template,
    floor_dpi: float,
) -> list[dict[str, str]]:
    """As `farm.render.prepare` warns of an ordinary job.

    Raises:
        LowResolution: under the operator's floor; PrintOffCloth: when no print would show.
    """
    placements = [Placement.model_validate(data) for data in request["placements"]]
    prints = [(Footprint.of(one, *design_px), template.panels[one.panel]) for one in placements]
    check_visible(prints)
    found = [{"pointer": "/designs/0", "code": note.code, "message": note.message} for note in notes]
    for number, (footprint, panel) in enumerate(prints):
        for notice in inspect(footprint, panel, floor_dpi=floor_dpi):
            found.append({"pointer": f"/placements/{number}", "code": notice.code, "message": notice.message})
    return found


def _picture(
    view: str, request: Mapping[str, Any], template: Template, textures: Sequence[PanelTexture], bench: RowBench
) -> Taken:
    """Relight and judge one view.

    Raises:
        BadPicture: when the verdict is against it.
    """
    order = still_order(
        request, view, template=template.folder, out=bench.folder / "picture", threads=bench.threads, device="cpu"
    )
    try:
        taken = bench.relight(order, template, textures)
    except (ValueError, ArithmeticError, LookupError, OSError) as error:
        raise RenderError(view=view, reason=f"{type(error).__name__}: {error}") from error
    judgement = judge_with(template.folder, textures)(taken.data, order)
    if judgement.reason:
        raise BadPicture(view=view, reason=judgement.reason)
    return taken


@lru_cache(maxsize=8)
def _facts(template: Path) -> Mapping[str, Any]:
    return facts_of(template)
