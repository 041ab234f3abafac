"""What a job wants of its product, in short."""

from collections.abc import Sequence

from farm.render.ports import Association, MediaEntry, Product

TENANT, PRODUCT = "shop", "tee:1"


def by_hand(media_id: str, url: str = "") -> MediaEntry:
    return MediaEntry(id=media_id, url=url or f"https://hand/{media_id}")


def wanted(
    job_id: str,
    *,
    views: Sequence[str] = ("front", "back"),
    color: str = "#ffffff",
    replace: bool = True,
    film: bool = False,
    urls: dict[str, str] | None = None,
) -> Association:
    """Entries ``<job>.<view>`` at ``https://farm/<job>/<view>``, or at ``urls[view]``; the front is the thumbnail."""
    address = {view: f"https://farm/{job_id}/{view}" for view in views} | (urls or {})
    return Association(
        job_id=job_id,
        fabric_color=color,
        entries=tuple(
            MediaEntry(id=f"{job_id}.{view}", url=address[view], job_id=job_id, view=view, fabric_color=color)
            for view in views
        ),
        thumbnail=address.get("front"),
        replace=replace,
        metadata={"film.mp4": f"https://farm/{job_id}/film.mp4"} if film else {},
    )


def ids(product: Product | None) -> list[str]:
    assert product is not None
    return [entry.id for entry in product.media]


def owners(product: Product | None) -> dict[str, str | None]:
    assert product is not None
    return {entry.id: entry.job_id for entry in product.media}
