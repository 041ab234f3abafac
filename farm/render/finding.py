"""Finding jobs by a part of their id or of their product, as people remember them."""

from collections.abc import Mapping
from typing import Any

from farm.domain.ids import JOB_ID
from farm.saga.records import Records

LOOKED_THROUGH = 1000
"""Records one question looks through: nothing indexes parts of words, and nobody reads further than that in one go."""
_PAGE = 200


async def find(
    records: Records, text: str, filters: Mapping[str, str | None], *, cursor: str | None = None, limit: int = 50
) -> tuple[list[Mapping[str, Any]], str | None]:
    """Records whose id or product has ``text`` in it, in capitals or not, newest first.

    Args:
        filters: what their index must have besides; those that are ``None`` count for nothing.

    Returns:
        The records, at most ``limit``, and the cursor from which to look further back. There may be one though nothing
        was found: only so many records are looked through at once. A whole product is found wherever it stands.

    Raises:
        InvalidRequest: when the cursor is none of ours.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    if JOB_ID.fullmatch(text):
        record = await records.get(text)
        return ([record] if record is not None and _has(record, wanted) else []), None
    if await records.count({**wanted, "product_id": text}):
        # By its index: of a product that is named in full, its own jobs are meant, however old.
        page = await records.list({**wanted, "product_id": text}, cursor=cursor, limit=limit)
        return [record for record in page.records if _has(record, {})], page.cursor
    found: list[Mapping[str, Any]] = []
    looked = 0
    while looked < LOOKED_THROUGH:
        page = await records.list(wanted, cursor=cursor, limit=_PAGE)
        places = [place for place, record in enumerate(page.records, 1) if _matches(record, text.lower())]
        if len(found) + len(places) > limit:  # the cursor shall stand behind the last one that is answered
            last = places[limit - len(found) - 1]
            page = await records.list(wanted, cursor=cursor, limit=last)
        found += [record for record in page.records if _matches(record, text.lower())]
        looked, cursor = looked + len(page.records), page.cursor
        if cursor is None or len(found) >= limit:
            break
    return found, cursor


def _matches(record: Mapping[str, Any], part: str) -> bool:
    return _has(record, {}) and (part in record["id"] or part in str(record["product_id"] or "").lower())


def _has(record: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return not record.get("deleted") and all(record.get(name) == value for name, value in wanted.items())
