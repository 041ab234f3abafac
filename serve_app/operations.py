"""What OpenAPI says of operations that no model can: refusals, and bodies and addresses that are read by hand."""

from typing import Any

from serve_app.problems import MEDIA_TYPE

_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems an operation may answer, beside those that every one may."""
    words = {
        400: "The request cannot be read.",
        401: "No valid key.",
        403: "The key may not do that.",
        404: "There is no such thing, or it is another tenant's.",
        409: "Not now: the state does not allow it.",
        410: "What it needs is no longer kept.",
        413: "Too large.",
        415: "Of the wrong kind.",
        416: "There are no such bytes.",
        424: "Another server did not deliver what the request names; a retry may help.",
        422: "The request is at fault; `errors` says where.",
        429: "Too many requests, or too many jobs.",
        421: "This service does not answer to that Host.",
        500: "The farm is at fault.",
        502: "The shop refused.",
        503: "A part of the farm is away; nothing was accepted.",
    }
    every = {401, 403, 422, 429, 500, 503}
    return {status: {"description": words[status], **_PROBLEM} for status in sorted(every | set(statuses))}


MULTIPART: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "design": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1},
                        "request": {"type": "string", "description": "The request as JSON text.", "default": "{}"},
                    },
                    "required": ["design"],
                },
                "encoding": {"request": {"contentType": "application/json"}},
                "example": {"request": '{"product_id": "tee-1", "fabric_color": "navy"}'},
            }
        },
    }
}
"""The body of what takes designs: files, and the request's JSON."""

JOB_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **MULTIPART["requestBody"]["content"],
            "application/json": {
                "schema": {"$ref": "#/components/schemas/JobBody"},
                "example": {"design_url": "https://shop.example/nordlys.png", "product_id": "tee-1"},
            },
        },
    }
}
"""The body of a new job: files and the request's JSON, or JSON that says where the design is."""

DESIGN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"design": {"type": "string", "format": "binary"}},
                    "required": ["design"],
                }
            },
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", "image/jpeg")},
        },
    }
}
"""The body of a design alone: a form, or the file itself."""

PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/PictureBody"},
                "example": {"design_id": "dsn_01kawr3v00000000000000000a", "fabric_color": "navy", "size": 512},
            }
        },
    }
}
"""The body of a picture."""


def _option(name: str, about: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": {"type": kind, **more}}


ADDRESS: dict[str, Any] = {
    "parameters": [
        _option("template", "The garment.", maxLength=64),
        _option("preset", "A named place on it.", maxLength=64),
        _option("placements", "Free layers, as a job's, in JSON.", maxLength=6_000),
        _option("fabric_color", "The cloth.", maxLength=40),
        _option("background_color", "Behind it.", maxLength=40),
        _option("shadow", "none or soft", maxLength=8),
        _option("size", "The longer side in pixels.", "integer", minimum=64, maximum=4096),
        _option("aspect", "Width to height, as 4:5.", maxLength=16),
        _option("format", "auto, webp, avif, jpeg or png", maxLength=8),
        _option("v", "Whatever you like: another value is another address.", maxLength=64),
        _option("expires", "Unix seconds; without it the address holds as long as its key.", "integer", minimum=0),
        _option("key", "Which of the tenant's keys signed.", maxLength=12),
        _option("signature", "By that key, of all the rest.", maxLength=43),
    ]
}
"""What may stand in a picture's address; see `farm.domain.picture_address`."""
