"""Medusa's admin HTTP API, as far as the farm needs it: read a product, write a product, list products.

Whatever answers at the shop's address is not trusted: time and size are bounded, redirects are not followed, and what
does not look like Medusa's own answer counts for nothing. The key goes to no log and into no error.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from farm.adapters.border import border, said
from farm.domain.web_address import NoAddress, WebAddress, host_name
from farm.errors import FarmError, InvalidSettings, ShopForbidden, ShopRefused, ShopUnavailable

FIELDS = "id,thumbnail,metadata,*images"
PAGE = 50
RETRY_AFTER_MAX_S = 300.0
_IN_DOUBT = frozenset({408, 499})
_BUSY = frozenset({408, 409, 425, 429, 499})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a call may cost. ``call_s`` holds for the whole of it, from the connection to the answer's last byte."""

    connect_s: float = 5.0
    call_s: float = 20.0
    answer_max_bytes: int = 16_000_000


class MedusaApi:
    """The admin API at one address.

    Args:
        url: such as ``https://shop.example.com``; a path before ``/admin`` may follow.
        api_key: a secret key of the shop.
        http_hosts: hosts beside the machine itself that may be spoken to without encryption.

    Raises:
        InvalidSettings: when the address or the key cannot be used.
    """

    def __init__(self, url: str, api_key: str, *, http_hosts: Sequence[str] = (), limits: Limits | None = None) -> None:
        self._base = _checked_address(url, http_hosts)
        if not api_key or not api_key.isascii() or not api_key.isprintable() or ":" in api_key:
            raise InvalidSettings(
                variable="FARM_SHOP_API_KEY",
                value="(hidden)",
                reason="the shop needs a secret API key (Settings, Secret API Keys in its admin)",
            )
        self._auth = httpx.BasicAuth(api_key, "")
        self._limits = limits or Limits()
        self._encrypted = self._base.startswith("https:")
        self._tls: ssl.SSLContext | bool = httpx.create_ssl_context() if self._encrypted else False

    @asynccontextmanager
    async def session(self) -> AsyncIterator["MedusaSession"]:
        """A connection for a few calls in a row."""
        limits = self._limits
        async with httpx.AsyncClient(
            auth=self._auth,
            # Compressed answers are not asked for: their size is known only when it is too late.
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tshirt-farm"},
            timeout=httpx.Timeout(limits.call_s, connect=limits.connect_s),
            follow_redirects=False,
            verify=self._tls,
            # A proxy of the environment may see encrypted traffic only.
            trust_env=self._encrypted,
        ) as client:
            yield MedusaSession(client, self._base, limits)


class MedusaSession:
    """A few calls in a row.

    Errors of a write carry ``in_doubt``: whether the shop may have done it, or may do it yet.
    """

    def __init__(self, client: httpx.AsyncClient, base: str, limits: Limits) -> None:
        self._client = client
        self._base = base
        self._limits = limits

    async def product(self, product_id: str) -> Mapping[str, Any] | None:
        """One product, ``None`` when the shop says that there is none."""
        status, answer = await self._call("GET", _path(product_id), {"fields": FIELDS}, product_id=product_id)
        return None if status == 404 else _member(answer, "product", dict)

    async def write(self, product_id: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Change one product; returns it as it is then, ``None`` when the shop says that there is none."""
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        status, answer = await self._call("POST", _path(product_id), {"fields": FIELDS}, data, product_id=product_id)
        return None if status == 404 else _member(answer, "product", dict)

    async def products(self) -> AsyncIterator[Mapping[str, Any]]:
        """All products of the shop, page by page."""
        offset = 0
        while True:
            params = {"fields": FIELDS, "order": "id", "limit": str(PAGE), "offset": str(offset)}
            _, answer = await self._call("GET", "/admin/products", params)
            page = _member(answer, "products", list)
            for product in page:
                yield product
            offset += len(page)
            if len(page) < PAGE:
                return

    async def _call(
        self, method: str, path: str, params: Mapping[str, str], data: bytes | None = None, *, product_id: str = ""
    ) -> tuple[int, Any]:
        headers = {} if data is None else {"Content-Type": "application/json"}
        with border(self._failed, httpx.HTTPError, TimeoutError):
            async with (
                asyncio.timeout(self._limits.call_s),
                self._client.stream(method, self._base + path, params=params, content=data, headers=headers) as answer,
            ):
                text = await self._read(answer)
            return answer.status_code, self._judged(answer, text, product_id)

    def _failed(self, error: Exception) -> FarmError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            return ShopUnavailable(reason=f"no connection: {said(error)}", in_doubt=False)
        if isinstance(error, TimeoutError):
            return ShopUnavailable(reason=f"no answer within {self._limits.call_s:g} s", in_doubt=True)
        return ShopUnavailable(reason=f"the answer was lost: {said(error)}", in_doubt=True)

    async def _read(self, answer: httpx.Response) -> bytes:
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ShopUnavailable(reason="the answer is compressed though nobody asked for that", in_doubt=True)
        text = bytearray()
        async for chunk in answer.aiter_raw():
            text += chunk
            if len(text) > self._limits.answer_max_bytes:
                reason = f"the answer is longer than {self._limits.answer_max_bytes} bytes"
                raise ShopUnavailable(reason=reason, in_doubt=True)
        return bytes(text)

    def _judged(self, answer: httpx.Response, text: bytes, product_id: str) -> Any:
        status = answer.status_code
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        said = found if isinstance(found, dict) else {}
        # Only Medusa's own 404 counts: a wrong address or a proxy in a bad moment says 404 too, and must not be
        # taken for a product that is gone.
        if (200 <= status < 300 and found is not None) or (status == 404 and said.get("type") == "not_found"):
            return found
        raise _failure(status, answer.headers, said, product_id)


def _failure(status: int, headers: httpx.Headers, said: Mapping[str, Any], product_id: str) -> FarmError:
    message = _printable(said.get("message"))
    if status in _BUSY or status >= 500:
        reason = f"it answers {status}{message and f' ({message})'}"
        in_doubt = status >= 500 or status in _IN_DOUBT
        return ShopUnavailable(reason=reason, in_doubt=in_doubt, retry_after_s=_retry_after_s(headers))
    if status < 300 or status == 404:
        reason = f"what answers {status} at FARM_SHOP_URL is not a Medusa shop's admin API"
        return ShopUnavailable(reason=reason, in_doubt=status < 300)
    if status < 400:
        reason = f"it redirects to {_host(headers.get('Location', ''))}; FARM_SHOP_URL must be the final address"
    elif status in (401, 403):
        reason = f"it answers {status}; FARM_SHOP_API_KEY must be a valid secret API key"
        return ShopForbidden(product_id=product_id, reason=reason, in_doubt=False, taken=False)
    elif status == 413:
        reason = "the product has more pictures than one change may carry (413); remove some"
    else:
        reason = f"it answers {status}{message and f' ({message})'}"
    taken = status == 400 and "already exists" in message
    return ShopRefused(product_id=product_id, reason=reason, in_doubt=False, taken=taken)


def _checked_address(url: str, http_hosts: Sequence[str]) -> str:
    def refusal(reason: str, shown: str = "(hidden)") -> InvalidSettings:
        return InvalidSettings(variable="FARM_SHOP_URL", value=shown, reason=reason)

    try:
        address = WebAddress.of(url)
    except NoAddress as error:
        raise refusal(f"{error}; the key belongs into FARM_SHOP_API_KEY") from error
    if "?" in address.url or "#" in url:
        raise refusal("it must have no query or fragment; the key belongs into FARM_SHOP_API_KEY")
    listed = {host_name(name) for name in http_hosts}
    if address.scheme == "http" and not _is_loopback(address.host) and address.host not in listed:
        reason = "without https anybody on the way could read the key; FARM_SHOP_HTTP_HOSTS lists exceptions"
        raise refusal(reason, address.url)
    return address.url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: str) -> str:
    """Of a redirect; the rest of such an address may be secret."""
    try:
        return _printable(urlsplit(url).hostname) or "another page"
    except ValueError:
        return "nowhere"


def _path(product_id: str) -> str:
    return f"/admin/products/{quote(product_id, safe='')}"


def _member(answer: Any, name: str, kind: type) -> Any:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, kind):
        raise ShopUnavailable(reason=f"its answer has no {name}: is FARM_SHOP_URL a Medusa shop?", in_doubt=True)
    return found


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Seconds that the shop asks to be left alone: a number or a date, bounded."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        wait_s = float(text[:9])
    else:
        try:
            wait_s = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)


def _printable(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(character if character.isprintable() else " " for character in text[:200])
