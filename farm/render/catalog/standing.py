"""The standing job: the one whose pictures a row's product shows already."""

from collections.abc import Mapping, Sequence
from typing import Any

from farm.errors import FarmError
from farm.render.bulkhead import blocking
from farm.render.catalog.kit import Kit, Wanted
from farm.render.catalog.ports import KnownDesign


async def standing_job(kit: Kit, wanted: Wanted, known: KnownDesign, tenant: str, *, look: bool = True) -> str | None:
    """The job whose pictures the row's product shows, if they are the ones that the row asks for and still whole.

    Args:
        look: whether to read the pictures; else the record is believed.
    """
    if wanted.request["media"] != "replace" or wanted.request["mode"] != "images-only" or wanted.request["model"]:
        return None
    product_id = str(wanted.row.product_id)
    page = await kit.jobs.records.list({"product_id": product_id, "tenant": tenant, "status": "completed"}, limit=16)
    colour = wanted.request["fabric_color"]
    record = next(
        (one for one in page.records if one["request"]["fabric_color"] == colour and not one.get("superseded_by")), None
    )
    if record is None or record.get("deleted"):
        return None
    data = {
        "tenant": tenant,
        "request": wanted.request,
        "designs": [{"sha256": known.sha256}],
        "template": wanted.template,
        "engine": wanted.engine,
    }
    fingerprints = kit.fingerprints(data)
    found = {item["view"]: item for item in record["artifacts"] if item["kind"] == "still"}
    if set(found) != set(fingerprints):
        return None
    if any(found[view].get("fingerprint") not in options for view, options in fingerprints.items()):
        return None
    whole = not look or await blocking(_all_whole, kit, list(found.values()))
    return str(record["id"]) if whole else None


def _all_whole(kit: Kit, artifacts: Sequence[Mapping[str, Any]]) -> bool:
    try:
        for item in artifacts:
            kit.parts.store.get(item["key"], sha256=item["sha256"])
    except FarmError as error:
        if error.retryable and error.code not in ("object_missing", "object_altered"):
            raise
        return False
    return True
