"""The verdict on a 3D model: is it whole, is it this garment in its true size, and does it wear this print?

It reads the file by itself, from the container to the last vertex, and compares every vertex and the print beneath it
with the template's own mesh: what wrote the model is not asked.
"""

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import DracoPy
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from farm.picture.averages import Float, Squares, averages, ink_planes, light_planes
from farm.picture.texture import PanelTexture
from farm.picture.verdict import Verdict

DRACO = "KHR_draco_mesh_compression"
MOST_OFF_CM = 0.05
"""How far a vertex may lie from the mesh: compression rounds to less than a tenth of a millimetre."""
MOST_FABRIC_ERROR = 0.03
MOST_PRINT_ERROR = 0.03
"""Squared error of the print over its squared contrast to the cloth; ``python -m bench.model_verdict`` measures how far
honest models and false ones stay from it, at every size."""
MOST_STAINED = 0.01
"""Part of the plain cloth of a panel that has another colour: a print that does not belong there."""
_VISIBLE = 0.15
_CONTRAST = 0.05
_ENOUGH = 40
_OPENING_CM = 0.125
"""Side of the square of cloth through which both are looked at: fine enough for letters, too coarse for texels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """The garment as its template has it, see `blender.template.Mesh`.

    Attributes:
        panel_order: names for the numbers in ``panel``.
        points_cm: ``(V, 3)``; x to the wearer's left, y to the back, z up.
        faces: ``(F, 3)``.
        panel: ``(F,)``.
        corner_cm: ``(F, 3, 2)``, panel coordinates of every face corner.
        gain: by which all colours of cloth and ink are dimmed.
    """

    panel_order: tuple[str, ...]
    points_cm: NDArray[np.float32]
    faces: NDArray[np.int32]
    panel: NDArray[np.int8]
    corner_cm: NDArray[np.float32]
    gain: float


def judge_model(
    data: bytes,
    *,
    surface: Surface,
    textures: Mapping[str, PanelTexture],
    fabric: tuple[float, float, float],
    most_bytes: int,
) -> Verdict:
    """Judge a GLB.

    Args:
        surface: what it must show.
        textures: by panel name; may be empty.
        fabric: linear Rec.709.
        most_bytes: what a page can be asked to load.
    """
    measures: dict[str, float] = {"bytes": float(len(data))}
    failures: list[tuple[str, str]] = []
    if len(data) > most_bytes:
        failures.append(("too_large", f"it has {len(data)} bytes, more than {most_bytes}"))
    try:
        panels, inside = _read(data)
    except (ValueError, KeyError, IndexError, TypeError, OSError, struct.error, DracoPy.FileTypeException) as error:
        failures.append(("unreadable", f"it cannot be read: {type(error).__name__}: {error}"))
        return _verdict(failures, measures)
    failures += _mesh_failures(panels, inside, surface, measures)
    for name in surface.panel_order if not failures else ():
        if name in panels:
            failures += _cloth_failures(name, panels[name], surface, textures.get(name), fabric, measures)
    return _verdict(failures, measures)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One primitive: ``points (N, 3)`` in metres, y up; texture places ``(N, 2)``; colour factor; texture, sRGB."""

    points: NDArray[np.float32]
    faces: NDArray[np.uint32]
    uv: NDArray[np.float32] | None
    factor: tuple[float, ...]
    picture: NDArray[np.uint8] | None


def _read(data: bytes) -> tuple[dict[str, _Part], _Part]:
    """The outside's parts by panel, and the inside."""
    magic, version, length = struct.unpack_from("<4sII", data)
    if (magic, version, length) != (b"glTF", 2, len(data)):
        raise ValueError("it is not a whole GLB of version 2")
    text_bytes, kind = struct.unpack_from("<I4s", data, 12)
    document = json.loads(data[20 : 20 + text_bytes])
    binary_bytes, binary_kind = struct.unpack_from("<I4s", data, 20 + text_bytes)
    binary = data[28 + text_bytes :]
    if kind != b"JSON" or binary_kind != b"BIN\0" or len(binary) != binary_bytes:
        raise ValueError("its chunks are not whole")
    if DRACO not in document["extensionsRequired"]:
        raise ValueError("its mesh is not compressed")

    def view(index: int) -> bytes:
        found = document["bufferViews"][index]
        first, size = found.get("byteOffset", 0), found["byteLength"]
        if first + size > len(binary):
            raise ValueError(f"buffer view {index} ends outside the buffer")
        return bytes(binary[first : first + size])

    parts: dict[str, _Part] = {}
    for primitive in document["meshes"][0]["primitives"]:
        material = document["materials"][primitive["material"]]
        parts[material["name"]] = _part(document, primitive, material, view)
    return parts, parts.pop("inside")


def _part(document: Mapping[str, Any], primitive: Mapping[str, Any], material: Mapping[str, Any], view: Any) -> _Part:
    mesh = DracoPy.decode(view(primitive["extensions"][DRACO]["bufferView"]))
    count = document["accessors"][primitive["attributes"]["POSITION"]]["count"]
    if count != len(mesh.points):
        raise ValueError(f"{material['name']} names {count} vertices and has {len(mesh.points)}")
    cloth = material["pbrMetallicRoughness"]
    picture, places = None, mesh.tex_coord if "TEXCOORD_0" in primitive["attributes"] else None
    if "baseColorTexture" in cloth:
        moved = cloth["baseColorTexture"].get("extensions", {}).get("KHR_texture_transform", {})
        if places is not None:
            places = places * np.float32(moved.get("scale", (1, 1))) + np.float32(moved.get("offset", (0, 0)))
        texture = document["textures"][cloth["baseColorTexture"]["index"]]
        with Image.open(io.BytesIO(view(document["images"][texture["source"]]["bufferView"]))) as opened:
            picture = np.asarray(opened.convert("RGB"))
    return _Part(
        points=mesh.points,
        faces=mesh.faces,
        uv=places,
        factor=tuple(cloth["baseColorFactor"][:3]),
        picture=picture,
    )


def _mesh_failures(
    panels: Mapping[str, _Part], inside: _Part, surface: Surface, measures: dict[str, float]
) -> list[tuple[str, str]]:
    """Whether it is this garment, whole, upright and in metres."""
    wanted = {name for number, name in enumerate(surface.panel_order) if (surface.panel == number).any()}
    if set(panels) != wanted:
        return [("wrong_mesh", f"it has the panels {', '.join(sorted(panels))}, not {', '.join(sorted(wanted))}")]
    triangles = sum(len(part.faces) for part in panels.values())
    measures["triangles"] = float(triangles)
    if triangles != len(surface.faces) or len(inside.faces) < len(surface.faces):
        return [("wrong_mesh", f"it has {triangles} triangles outside, {len(inside.faces)} inside")]
    tree = cKDTree(_upright(surface.points_cm))
    off, _ = tree.query(np.concatenate([part.points for part in panels.values()]))
    measures["most_off_cm"] = 100 * float(off.max())
    if measures["most_off_cm"] > MOST_OFF_CM:
        return [("wrong_mesh", f"a vertex lies {measures['most_off_cm']:.2f} cm off the garment")]
    return []


def _cloth_failures(
    name: str,
    part: _Part,
    surface: Surface,
    texture: PanelTexture | None,
    fabric: tuple[float, float, float],
    measures: dict[str, float],
) -> list[tuple[str, str]]:
    """Whether a panel has its colours, and its print where it must be."""
    mine = surface.panel == surface.panel_order.index(name)
    corners = _upright(surface.points_cm)[surface.faces[mine].reshape(-1)]
    # No farther than a true vertex can be: a search without a bound takes a minute where the panel is another one.
    off, nearest = cKDTree(corners).query(part.points, distance_upper_bound=MOST_OFF_CM / 100)
    if not np.isfinite(off).all():
        return [("wrong_mesh", f"what is called {name} does not lie where {name} does")]
    flat_cm = surface.corner_cm[mine].reshape(-1, 2)[nearest]
    # The middles of the faces too: twice as many places to look at.
    flat_cm = np.concatenate([flat_cm, flat_cm[part.faces].mean(axis=1)])
    wanted = np.broadcast_to(np.asarray(fabric, np.float32), (len(flat_cm), 3)).copy()
    bare = wanted.copy()
    if texture is not None:
        ink = _ink(texture, flat_cm)
        wanted = wanted * (1 - ink[:, 3:]) + ink[:, :3]
    seen = _seen(part, flat_cm) / np.float32(surface.gain)
    error, contrast = _graded(seen) - _graded(wanted), _graded(wanted) - _graded(bare)
    printed = np.abs(contrast).max(axis=1) > _CONTRAST
    failures = []
    if (~printed).any():
        measures[f"{name}_fabric_error"] = float(np.abs(np.median(error[~printed], axis=0)).max())
        if measures[f"{name}_fabric_error"] > MOST_FABRIC_ERROR:
            failures.append(("wrong_colours", f"the cloth of {name} has another colour than it must have"))
        measures[f"{name}_stained"] = float((np.abs(error[~printed]).max(axis=1) > _VISIBLE).mean())
        if measures[f"{name}_stained"] > MOST_STAINED:
            failures.append(("wrong_print", f"{name} has a print where none must be"))
    if printed.sum() >= _ENOUGH:
        measures[f"{name}_print_error"] = float((error[printed] ** 2).sum() / (contrast[printed] ** 2).sum())
        if measures[f"{name}_print_error"] > MOST_PRINT_ERROR:
            failures.append(("wrong_print", f"the print on {name} is missing, another one, or misplaced"))
    return failures


def _ink(texture: PanelTexture, flat_cm: NDArray[np.float32]) -> Float:
    """What is printed round each place ``(N, 2)``: linear light, premultiplied, and alpha."""
    height, width = texture.pixels.shape[:2]
    across, down = width / texture.width_cm, height / texture.height_cm
    x, y = (flat_cm.astype(np.float64) - (texture.x_cm, texture.y_cm)).T
    squares = Squares(x=x * across, y=y * down, wide=_OPENING_CM * across, high=_OPENING_CM * down)
    return averages(ink_planes(texture.pixels), squares)


def _seen(part: _Part, flat_cm: NDArray[np.float32]) -> Float:
    """Linear colour round every vertex and every face's middle, ``(N + F, 3)``.

    Args:
        flat_cm: where those places lie on the panel, ``(N + F, 2)``.
    """
    factor = np.asarray(part.factor, np.float32)
    if part.picture is None or part.uv is None:
        return np.broadcast_to(factor, (len(flat_cm), 3))
    uv = np.concatenate([part.uv, part.uv[part.faces].mean(axis=1)]).astype(np.float64)
    centres, sides = [], []
    for axis, side_px in ((0, part.picture.shape[1]), (1, part.picture.shape[0])):
        covered_cm = np.ptp(flat_cm[:, axis]) / max(float(np.ptp(uv[:, axis])), 1e-6)
        side = min(_OPENING_CM / covered_cm, 1.0) * side_px
        # Outside its picture a viewer repeats the rim, which is cloth.
        centres.append(np.clip(uv[:, axis] * side_px, side / 2, side_px - side / 2))
        sides.append(side)
    squares = Squares(x=centres[0], y=centres[1], wide=sides[0], high=sides[1])
    return averages(light_planes(part.picture), squares) * factor


def _upright(points_cm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Metres, y up, the front towards +z, the lowest point on the ground."""
    low, high = points_cm.min(axis=0), points_cm.max(axis=0)
    x, y, z = points_cm.T
    return np.asarray(np.stack([x, z - low[2], (low[1] + high[1]) / 2 - y], axis=1) / 100, np.float32)


def _graded(linear: NDArray[np.floating[Any]]) -> Float:
    """Light as the eye grades it."""
    return np.asarray((np.maximum(linear, 0) + 0.03) ** 0.45, np.float32)


def _verdict(failures: list[tuple[str, str]], measures: dict[str, float]) -> Verdict:
    return Verdict(
        ok=not failures,
        code=failures[0][0] if failures else "ok",
        reasons=tuple(reason for _, reason in failures),
        measures=measures,
    )
