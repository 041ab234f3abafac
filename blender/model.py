"""The interactive 3D model: the garment with its prints as one GLB, compressed with Draco. Needs no Blender.

In metres, upright, its front towards +Z as glTF has it, its hem on the ground. The outside is one primitive for each
panel; the inside is plain cloth with its faces turned round, so that a print does not show through to the inside of the
neck and the hem (:mod:`blender.skin`). A print is a texture that is moved over its panel. See docs/adr/0020.
"""

import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from blender.glb import Glb
from blender.protocol import ModelOrder, ModelReport, PanelPrint, ProtocolError
from blender.skin import Patch, Rectangle, Skin, skin_of
from blender.swatch import jpeg, normals, printed
from blender.template import Template, load_template
from blender.texture import linear_color

RELIEF_QUALITY = 82
_QUALITIES = (92, 86, 80, 74)
_COARSE_PX, _COARSE_QUALITY = 512, 100
"""A coarse print is seen texel by texel: what JPEG does to each is not averaged away. It is small at any quality."""
_LEAST_TEXTURE_PX = 256
_FLOAT, _UNSIGNED, _BYTE = 5126, 5125, 5121
_LINEAR, _MIPMAPPED, _CLAMP = 9729, 9987, 33071


def write_model(order: ModelOrder) -> ModelReport:
    """Build a model and write it; the same order gives the same bytes.

    Raises:
        ProtocolError: The template or a print cannot be read, or the model does not fit into ``max_bytes``.
    """
    started = time.perf_counter()
    out = Path(order.out)
    if not out.parent.is_dir():
        raise ProtocolError(f"out {out}: the folder does not exist")
    template = load_template(Path(order.template))
    skin = skin_of(template.folder, template.facts["hash"])
    reliefs: dict[str, bytes] = {}
    data = b""
    for side_px, quality in _sizes(min(order.texture_px, _finest_px(order))):
        model = _Model(template, skin, reliefs, order, side_px, quality)
        data = model.glb.pack()
        if len(data) <= order.max_bytes:
            out.write_bytes(data)
            return ModelReport(
                out=order.out,
                size_bytes=len(data),
                mesh_bytes=model.mesh_bytes,
                triangles=skin.triangles,
                texture_px=model.texture_px,
                total_s=time.perf_counter() - started,
                renderer=f"glb 2, dracopy {version('dracopy')}",
            )
    raise ProtocolError(f"the model has {len(data)} bytes at its coarsest, more than the {order.max_bytes} allowed")


def _finest_px(order: ModelOrder) -> int:
    """The longer side of the finest print: asked for more, a model gets no more."""
    sides = [1]
    for each in order.prints:
        try:
            with Image.open(each.path) as picture:
                sides.append(max(picture.size))
        except (OSError, SyntaxError) as exc:
            raise ProtocolError(f"print {each.path} cannot be read: {exc}") from exc
    return max(sides)


def _sizes(texture_px: int) -> list[tuple[int, int]]:
    """Finest first: print sides and JPEG qualities to try until the file is small enough."""
    sizes = [(texture_px, _COARSE_QUALITY)] if texture_px <= _COARSE_PX else []
    sizes += [(texture_px, quality) for quality in _QUALITIES]
    while texture_px > _LEAST_TEXTURE_PX:
        texture_px = max(_LEAST_TEXTURE_PX, texture_px * 3 // 4)
        sizes.append((texture_px, _QUALITIES[-1]))
    return sizes


class _Model:
    """A GLB in the making."""

    def __init__(
        self, template: Template, skin: Skin, reliefs: dict[str, bytes], order: ModelOrder, side_px: int, quality: int
    ) -> None:
        """Put it together.

        Args:
            reliefs: normal maps by file, once encoded: only prints change from one try to the next.
        """
        self.mesh_bytes = self.texture_px = 0
        self._template, self._reliefs, self._order = template, reliefs, order
        self._side_px, self._quality = side_px, quality
        self._gain = float(template.facts["finish"]["albedo_gain"])
        self.glb = Glb()
        self._images: dict[str, int] = {}
        prints = {each.panel: each for each in order.prints}
        primitives = [self._panel(name, patch, prints.get(name)) for name, patch in skin.panels.items()]
        primitives.append(self._patch(skin.inside, self.glb.add("materials", {"name": "inside", **self._cloth()})))
        self.glb.add("meshes", {"name": template.facts["id"], "primitives": primitives})
        self.glb.add("nodes", {"name": template.facts["id"], "mesh": 0})
        self.glb.add("scenes", {"nodes": [0]})
        self.glb.document |= {
            "asset": {
                "version": "2.0",
                "generator": "tshirt-farm",
                "extras": {"template": template.facts["id"], "template_version": str(template.facts["version"])},
            },
            "scene": 0,
            "extensionsUsed": [
                "KHR_draco_mesh_compression", "KHR_materials_sheen", "KHR_materials_specular", "KHR_texture_transform",
            ],
            "extensionsRequired": ["KHR_draco_mesh_compression"],
        }  # fmt: skip

    def _panel(self, panel: str, patch: Patch, wanted: PanelPrint | None) -> dict[str, Any]:
        relief = self._template.panels[panel]["relief"]
        covered: Rectangle = relief["x_cm"], relief["y_cm"], relief["width_cm"], relief["height_cm"]
        material = self._cloth()
        if wanted is not None:
            pixels, place = printed(wanted, self._order.fabric_color, self._side_px)
            self.texture_px = max(self.texture_px, *pixels.shape[:2])
            picture = self._texture(f"print {panel}", jpeg(pixels, self._quality)) | _moved(covered, place)
            material["pbrMetallicRoughness"] |= {"baseColorFactor": [*[self._gain] * 3, 1], "baseColorTexture": picture}
        material["normalTexture"] = self._texture(*self._relief(panel, relief))
        return self._patch(patch, self.glb.add("materials", {"name": panel, **material}))

    def _cloth(self) -> dict[str, Any]:
        """Cotton as the template's own finish says: rough, with little shine and a soft sheen."""
        finish: Mapping[str, float] = self._template.facts["finish"]["principled"]
        fabric = [round(value * self._gain, 6) for value in linear_color(self._order.fabric_color)]
        sheen = round(float(finish.get("Sheen Weight", 0.0)), 4)
        return {
            "pbrMetallicRoughness": {
                "baseColorFactor": [*fabric, 1],
                "metallicFactor": 0,
                "roughnessFactor": round(float(finish.get("Roughness", 0.8)), 4),
            },
            "extensions": {
                # Blender's 0.5 is glTF's 1: the reflectance of an index of refraction of 1.5.
                "KHR_materials_specular": {
                    "specularFactor": round(2 * float(finish.get("Specular IOR Level", 0.2)), 4)
                },
                "KHR_materials_sheen": {
                    "sheenColorFactor": [sheen] * 3,
                    "sheenRoughnessFactor": round(float(finish.get("Sheen Roughness", 0.5)), 4),
                },
            },
        }

    def _relief(self, panel: str, relief: Mapping[str, float]) -> tuple[str, bytes]:
        file = "relief_sleeve.png" if panel.startswith("sleeve") else f"relief_{panel}.png"
        if file in self._reliefs:
            return file, self._reliefs[file]
        finish = self._template.facts["finish"]
        map_ = normals(
            self._template.folder / file,
            width_cm=relief["width_cm"],
            height_cm=relief["height_cm"],
            depth_cm=finish["relief_height_cm"] * finish["bump_strength"],
        )
        self._reliefs[file] = jpeg(map_, RELIEF_QUALITY)
        return file, self._reliefs[file]

    def _texture(self, name: str, data: bytes) -> dict[str, Any]:
        """A texture by name; one that is there already is used again."""
        if name not in self._images:
            if not self._images:
                self.glb.add(
                    "samplers", {"magFilter": _LINEAR, "minFilter": _MIPMAPPED, "wrapS": _CLAMP, "wrapT": _CLAMP}
                )
            image = self.glb.add(
                "images", {"name": name, "mimeType": "image/jpeg", "bufferView": self.glb.add_view(data)}
            )
            self._images[name] = self.glb.add("textures", {"name": name, "source": image, "sampler": 0})
        return {"index": self._images[name]}

    def _patch(self, patch: Patch, material: int) -> dict[str, Any]:
        self.mesh_bytes += len(patch.data)
        accessors: dict[str, dict[str, Any]] = {
            "POSITION": {"type": "VEC3", "min": patch.low, "max": patch.high},
            "NORMAL": {"type": "VEC3"},
            "COLOR_0": {"type": "VEC4", "componentType": _BYTE, "normalized": True},
            "TEXCOORD_0": {"type": "VEC2"},
        }
        return {
            "attributes": {
                name: self.glb.add("accessors", {"componentType": _FLOAT, "count": patch.vertices, **accessors[name]})
                for name in accessors
                if name in patch.attributes
            },
            "indices": self.glb.add(
                "accessors", {"componentType": _UNSIGNED, "count": patch.indices, "type": "SCALAR"}
            ),
            "material": material,
            "extensions": {
                "KHR_draco_mesh_compression": {
                    "bufferView": self.glb.add_view(patch.data),
                    "attributes": patch.attributes,
                },
            },
        }


def _moved(place: Rectangle, covered: Rectangle) -> dict[str, Any]:
    """What takes coordinates over one rectangle of a panel to those over another."""
    if place == covered:
        return {}
    scale = [place[2] / covered[2], place[3] / covered[3]]
    offset = [(place[0] - covered[0]) / covered[2], (place[1] - covered[1]) / covered[3]]
    return {"extensions": {"KHR_texture_transform": {"offset": offset, "scale": scale}}}
