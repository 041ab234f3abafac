"""What can be rendered, and what a product has: templates, presets, products."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from farm.domain import template as templates
from farm.domain.colour import FABRIC_NAMES
from farm.domain.ids import PRODUCT_ID
from farm.domain.template import Template
from farm.errors import NotFound, TemplateBroken
from farm.render.bulkhead import blocking
from farm.render.ports import MediaEntry
from farm.settings import Settings
from serve_app.auth import Reader
from serve_app.job_json import base_of, job_json
from serve_app.json_body import JsonAnswer
from serve_app.operations import problems
from serve_app.schemas import FabricJson, JobList, MediaJson, PresetJson, TemplateJson
from serve_app.services import TheServices

router = APIRouter()

ProductId = Annotated[str, Path(pattern=f"^{PRODUCT_ID.pattern}$", examples=["tee-1"])]


@router.get("/templates", response_model=list[TemplateJson], tags=["templates"], responses=problems())
async def list_templates(services: TheServices, who: Reader) -> JsonAnswer:
    """The garments."""
    return JsonAnswer([_shown(template) for template in await blocking(_templates, services.settings)])


@router.get("/fabrics", response_model=list[FabricJson], tags=["templates"], responses=problems())
async def list_fabrics(who: Reader) -> JsonAnswer:
    """The fabric colours that have a name; any other colour may be asked for as ``#rrggbb``."""
    shown = {colour: name for name, colour in reversed(FABRIC_NAMES.items())}  # a colour's first name counts
    return JsonAnswer([{"name": name.replace("-", " "), "hex": colour} for colour, name in reversed(shown.items())])


@router.get("/presets", response_model=list[PresetJson], tags=["templates"], responses=problems(404))
async def list_presets(
    services: TheServices,
    who: Reader,
    template: Annotated[str | None, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="Of this garment.")] = None,
) -> JsonAnswer:
    """The named places for a print, of all garments or of one."""
    found = await blocking(_templates, services.settings)
    if template is not None:
        found = [one for one in found if one.id == template]
        if not found:
            raise NotFound(kind="template", id=template)
    rows = [
        {
            "name": name, "template": one.id, "panel": str(box.panel),
            "x_cm": box.x_cm, "y_cm": box.y_cm, "width_cm": box.width_cm, "height_cm": box.height_cm,
        }
        for one in found
        for name, box in one.presets.items()
    ]  # fmt: skip
    return JsonAnswer(rows)


@router.get("/products/{product_id}/jobs", response_model=JobList, tags=["products"], responses=problems())
async def product_jobs(
    request: Request,
    services: TheServices,
    who: Reader,
    product_id: ProductId,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JsonAnswer:
    """A product's history: its jobs, newest first."""
    records, following = await services.service.list(
        product_id=product_id, tenant=who.tenant, cursor=cursor, limit=limit
    )
    return JsonAnswer({"jobs": [job_json(record, request) for record in records], "cursor": following})


@router.get("/products/{product_id}/media", response_model=MediaJson, tags=["products"], responses=problems(404, 502))
async def product_media(request: Request, services: TheServices, who: Reader, product_id: ProductId) -> JsonAnswer:
    """A product's pictures, as the shop has them."""
    product = await services.catalog.get_product(who.tenant, product_id)
    if product is None:
        raise NotFound(kind="product", id=product_id)
    media: list[dict[str, Any]] = [
        {"id": entry.id, "url": _address(entry, request), "job_id": entry.job_id, "view": entry.view,
         "fabric_color": entry.fabric_color}
        for entry in product.media
    ]  # fmt: skip
    addresses = {entry.url: shown["url"] for entry, shown in zip(product.media, media, strict=True)}
    thumbnail = addresses.get(product.thumbnail or "", product.thumbnail)
    return JsonAnswer({"id": product.id, "media": media, "thumbnail": thumbnail})


def _address(entry: MediaEntry, request: Request) -> str:
    """A picture's public address; one that lies in a folder of this machine is shown through the API."""
    if not entry.url.startswith("file:") or entry.job_id is None:
        return entry.url
    return f"{base_of(request)}/jobs/{entry.job_id}/outputs/{entry.url.rpartition('/')[2]}"


def _templates(settings: Settings) -> list[Template]:
    found = []
    for folder in templates.every(settings.template_folders):
        try:
            found.append(templates.find(settings.template_folders, folder.name))
        except (TemplateBroken, NotFound):
            continue  # one that is just being built, or damaged: `farm doctor` names it
    return found


def _shown(template: Template) -> dict[str, Any]:
    return {
        "id": template.id,
        "name": template.name,
        "version": template.version,
        "hash": template.hash,
        "presets": sorted(template.presets),
        "preset_boxes": {
            name: {
                "panel": str(box.panel),
                "x_cm": box.x_cm,
                "y_cm": box.y_cm,
                "width_cm": box.width_cm,
                "height_cm": box.height_cm,
            }
            for name, box in template.presets.items()
        },
        "panels": {
            str(panel): {
                "bounds": {
                    "x_min_cm": shape.bounds.x_cm,
                    "y_min_cm": shape.bounds.y_cm,
                    "x_max_cm": shape.bounds.right_cm,
                    "y_max_cm": shape.bounds.bottom_cm,
                },
                "outline_cm": [list(point) for point in shape.outline_cm],
                "print_area": None
                if shape.print_area is None
                else {
                    "x_cm": shape.print_area.x_cm,
                    "y_cm": shape.print_area.y_cm,
                    "width_cm": shape.print_area.width_cm,
                    "height_cm": shape.print_area.height_cm,
                },
            }
            for panel, shape in template.panels.items()
        },
    }
