"""Garments as the command line shows them: a row each, a sheet for one, a line for a finding."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from farm.cli.console import size, whole_line
from farm.errors import TemplateBroken

if TYPE_CHECKING:
    from farm.domain.template import Template
    from farm.wardrobe.inspection import Finding
    from farm.wardrobe.shelf import Shelf

DEFAULT = "crew-tee"


def card(shelf: "Shelf", found: "Template | TemplateBroken") -> dict[str, Any]:
    """What `list` tells of a template, and `show` begins with."""
    if isinstance(found, TemplateBroken):
        return {"id": found.template, "active": False, "problems": [str(found.reason)]}
    broken = found.broken_seals()
    return {
        "id": found.id,
        "version": found.version,
        "name": found.name,
        "active": not broken,
        "default": found.id == DEFAULT,
        "kind": found.facts.get("kind", "sewn"),
        "added": shelf.is_added(found),
        "garment_size": found.facts.get("garment_size"),
        "panels": [str(panel) for panel in found.panels],
        "presets": sorted(found.presets),
        "size_bytes": sum(
            (found.folder / name).stat().st_size for name in found.files if (found.folder / name).exists()
        ),
        "hash": found.hash,
        "folder": str(found.folder),
        "problems": broken,
    }


def details(found: "Template") -> dict[str, Any]:
    """What `show` tells beyond the card."""
    return {
        "license": found.facts.get("license"),
        "panel_sizes_cm": {
            str(name): {
                "width": round(shape.bounds.width_cm, 2),
                "height": round(shape.bounds.height_cm, 2),
                "print_area": None if shape.print_area is None else _box(shape.print_area),
            }
            for name, shape in found.panels.items()
        },
        "preset_boxes_cm": {
            name: {
                "panel": str(box.panel),
                "x": box.x_cm,
                "y": box.y_cm,
                "width": box.width_cm,
                "height": box.height_cm,
            }
            for name, box in found.presets.items()
        },
        "cameras": found.facts.get("cameras", {}),
        "report": found.facts.get("drape") or found.facts.get("blend") or {},
        "notices": found.facts.get("notices", []),
        "files": dict(found.files),
    }


def cards_table(rows: Sequence[dict[str, Any]]) -> Table:
    """One row per template."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("template", no_wrap=True)
    table.add_column("version", no_wrap=True)
    table.add_column("garment", overflow="ellipsis", no_wrap=True, ratio=1)
    table.add_column("presets", justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("from", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=len("altered"))
    for row in rows:
        if "hash" not in row:
            table.add_row(
                row["id"], "", Text(row["problems"][0], style="red"), "", "", "", Text("broken", style="bold red")
            )
            continue
        state = Text("whole", style="green") if row["active"] else Text("altered", style="bold red")
        name = Text(row["id"], style="bold" if row["default"] else "")
        if row["default"]:
            name.append(" (default)", style="dim")
        origin = "added" if row["added"] else "farm"
        garment = f"{row['name']}, {row['garment_size']}" if row["kind"] == "sewn" else f"{row['name']} (.blend)"
        table.add_row(
            name, row["version"], garment, str(len(row["presets"])),
            size(row["size_bytes"]), origin, state,
        )  # fmt: skip
    return table


def _box(area: Any) -> dict[str, float]:
    return {"x": area.x_cm, "y": area.y_cm, "width": area.width_cm, "height": area.height_cm}


def template_sheet(facts: dict[str, Any], more: dict[str, Any]) -> RenderableType:
    """All that `show` tells, for a person."""
    state = ("whole", "green") if facts["active"] else ("altered", "bold red")
    parts: list[RenderableType] = [
        Text.assemble(
            (f"{facts['id']} {facts['version']}", "bold"), f"  {facts['name']}, {facts['garment_size']}  ", state
        ),
        Text(f"licence {more['license']}, {size(facts['size_bytes'])}, {'added' if facts['added'] else 'of the farm'}"),
        whole_line(facts["folder"], "dim"),
        *(Text(f"✗ {problem}", style="red") for problem in facts["problems"]),
        *(Text(f"⚠ {notice}", style="yellow") for notice in more["notices"]),
        Text(""),
    ]
    panels = _table("panel", "width", "height", "print area (left, top, width × height)")
    for name, shape in more["panel_sizes_cm"].items():
        area = shape["print_area"]
        where = "–" if area is None else f"{area['x']:g}, {area['y']:g}, {area['width']:g} × {area['height']:g}"
        panels.add_row(name, f"{shape['width']:.1f} cm", f"{shape['height']:.1f} cm", where)
    presets = _table("preset", "panel", "middle (x, y)", "box")
    for name, box in sorted(more["preset_boxes_cm"].items(), key=lambda row: (row[1]["panel"], row[0])):
        presets.add_row(
            name, box["panel"], f"{box['x']:g}, {box['y']:g} cm", f"{box['width']:g} × {box['height']:g} cm"
        )
    views = _table("view", "azimuth")
    for view, camera in more["cameras"].items():
        views.add_row(view, f"{camera['azimuth_deg']:g}°")
    files = _table("file", "SHA-256")
    for name, sha256 in more["files"].items():
        files.add_row(name, Text(sha256[:16], style="dim"))
    for table in (panels, presets, views, files):
        parts += [table, Text("")]
    plain = [f"{name} {value:g}" for name, value in more["report"].items() if isinstance(value, int | float)]
    parts += [Text(f"build: {', '.join(plain)}", style="dim"), whole_line(f"hash {facts['hash']}", "dim")]
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column)
    return table


def finding_line(finding: "Finding") -> Table:
    """One look, with its mark."""
    line = Table.grid(padding=(0, 2))
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True, min_width=5)
    line.add_column(overflow="fold")
    mark = Text("✓", style="green") if finding.ok else Text("✗", style="bold red")
    line.add_row(mark, finding.name, Text(finding.detail, style="" if finding.ok else "red"))
    return line
