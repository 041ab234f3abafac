"""The person at the shop, who changes a product in the shop's own admin, past the farm and its locks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.contract.medusa.shop import Shop

BY_HAND = ("https://hand/1.png", "https://hand/2.png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """One product; the shop made up its id."""

    shop: Shop
    product_id: str

    @classmethod
    def with_product(cls, shop: Shop, handle: str, urls: Sequence[str] = BY_HAND) -> "Merchant":
        made = shop.call(
            "POST",
            "/admin/products",
            {
                "title": "Tee",
                "handle": handle,
                "status": "published",
                "options": [{"title": "Size", "values": ["M", "L"]}],
                "variants": [{"title": size, "options": {"Size": size}, "prices": []} for size in ("M", "L")],
                "images": [{"url": url} for url in urls],
                "thumbnail": urls[0] if urls else None,
                "metadata": {"note": "mine"},
            },
        )
        return cls(shop=shop, product_id=made["product"]["id"])

    @property
    def path(self) -> str:
        return f"/admin/products/{self.product_id}"

    def look(self) -> dict[str, Any]:
        """What the shop says of the product: images in their order, thumbnail, metadata."""
        product = self.shop.call("GET", f"{self.path}?fields=id,thumbnail,metadata,*images")["product"]
        images = sorted(product["images"], key=lambda image: image["rank"])
        return {
            "images": [(image["id"], image["url"]) for image in images],
            "thumbnail": product["thumbnail"],
            "metadata": product["metadata"],
        }

    def ids(self) -> list[str]:
        return [image_id for image_id, _ in self.look()["images"]]

    def urls(self) -> list[str]:
        return [url for _, url in self.look()["images"]]

    def change(self, body: Mapping[str, Any]) -> None:
        self.shop.call("POST", self.path, body)

    def delete(self) -> None:
        self.shop.call("DELETE", self.path)

    def variant_ids(self) -> tuple[str, str]:
        """Of the sizes M and L."""
        variants = self.shop.call("GET", f"{self.path}?fields=id,*variants")["product"]["variants"]
        by_title = {variant["title"]: variant["id"] for variant in variants}
        return by_title["M"], by_title["L"]

    def assign(self, variant_id: str, image_ids: Sequence[str]) -> None:
        """Say that these pictures show that variant only."""
        self.shop.call("POST", f"{self.path}/variants/{variant_id}/images/batch", {"add": list(image_ids)})

    def shown_for(self, variant_id: str) -> set[str]:
        answer = self.shop.call("GET", f"{self.path}/variants/{variant_id}?fields=id,*images")
        return {image["id"] for image in answer["variant"]["images"]}
