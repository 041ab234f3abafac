"""A picture's address: everything that determines the picture stands in it, and a tenant's key has signed it.

``/v1/pictures/<tenant>/<design>/<view>?<options>&key=<id>&signature=<…>``

The signature is HMAC-SHA-256, in base64url without padding, over the path behind ``/v1/pictures`` and the options,
decoded, sorted by name and encoded again, so that it does not matter in which order or spelling they come. The tenant's
key is made of the farm's own secret: whoever checks an address needs to look nothing up.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode

from farm.domain.ids import TENANT
from farm.domain.signing import SigningSecret
from farm.errors import InvalidRequest, PictureSignatureWrong

PREFIX = "/v1/pictures"
MOST_CHARACTERS = 8_000
"""Of path and query together; proxies and browsers take no more."""
MOST_OPTIONS = 32
_KEY_ID = re.compile(r"[0-9a-f]{12}")
_TOKEN = re.compile(r"farmpic_([a-z0-9][a-z0-9-]{0,39})_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureKey:
    """What a tenant signs addresses with.

    Attributes:
        secret: 43 characters; whoever has it can ask for any picture of the tenant's designs.
    """

    tenant: str
    id: str
    secret: str

    def __repr__(self) -> str:
        return f"PictureKey({self.tenant}, {self.id})"

    @property
    def token(self) -> str:
        """As it is handed to whoever signs."""
        return f"farmpic_{self.tenant}_{self.id}_{self.secret}"

    @classmethod
    def of(cls, farm: SigningSecret, tenant: str, key_id: str) -> Self:
        """The tenant's key of that id: made of the farm's secret, and kept nowhere.

        Raises:
            InvalidRequest: when that is no tenant's name.
        """
        check_tenant(tenant)
        return cls(tenant=tenant, id=key_id, secret=_base64(_mac(farm.value, f"picture key\0{tenant}\0{key_id}")))

    @classmethod
    def parse(cls, token: str) -> Self:
        """A key from its token.

        Raises:
            InvalidRequest: when it is none; it is not repeated.
        """
        found = _TOKEN.fullmatch(token.strip())
        if found is None:
            raise InvalidRequest(reason="that is no key for pictures: farmpic_<tenant>_<id>_<secret>")
        return cls(tenant=found[1], id=found[2], secret=found[3])

    def sign(self, designs: Sequence[str], view: str, options: Mapping[str, str]) -> str:
        """The signed address of a picture, from the path on.

        Args:
            options: of the request, as text, without what is its default; and ``expires``, Unix seconds.
        """
        path = f"/{self.tenant}/{','.join(designs)}/{view}"
        pairs = sorted([*options.items(), ("key", self.id)])
        query = urlencode([*pairs, ("signature", self._signature(path, pairs))], quote_via=quote)
        return f"{PREFIX}{path}?{query}"

    def _signature(self, path: str, pairs: Sequence[tuple[str, str]]) -> str:
        text = f"{path}?{urlencode(sorted(pairs), quote_via=quote)}"
        return _base64(_mac(self.secret.encode(), text))


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureAddress:
    """An address whose signature is right.

    Attributes:
        designs: ids, as they stand there.
        options: the request's, as text; without key, signature and ``expires``.
        expires_s: Unix time; ``None`` where it holds for as long as its key.
    """

    tenant: str
    key_id: str
    designs: tuple[str, ...]
    view: str
    options: Mapping[str, str]
    expires_s: int | None

    @classmethod
    def verified(cls, farm: SigningSecret, tenant: str, designs: str, view: str, query: str) -> Self:
        """Read an address; nothing in it is looked at before its signature is found right.

        Args:
            designs: ids with commas.
            query: as it came.

        Raises:
            PictureSignatureWrong: when it was not signed, or not so.
        """
        if len(tenant) + len(designs) + len(view) + len(query) > MOST_CHARACTERS:
            raise PictureSignatureWrong(reason=f"it is longer than {MOST_CHARACTERS} characters")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_OPTIONS, errors="strict")
        except ValueError as error:
            raise PictureSignatureWrong(reason="its query cannot be read") from error
        options = dict(pairs)
        signature, key_id = options.pop("signature", ""), options.get("key", "")
        if len(options) + 1 != len(pairs) or not _KEY_ID.fullmatch(key_id) or not TENANT.fullmatch(tenant):
            raise PictureSignatureWrong(reason="it names no key, has no signature, or says something twice")
        key = PictureKey.of(farm, tenant, key_id)
        wanted = key._signature(f"/{tenant}/{designs}/{view}", list(options.items()))
        if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
            raise PictureSignatureWrong(reason="its signature does not fit")
        del options["key"]
        expires = options.pop("expires", None)
        return cls(
            tenant=tenant,
            key_id=key_id,
            designs=tuple(designs.split(",")),
            view=view,
            options=options,
            expires_s=_moment(expires) if expires is not None else None,
        )


def check_tenant(tenant: str) -> None:
    """Whether that can be a tenant's name.

    Raises:
        InvalidRequest: when it cannot.
    """
    if not TENANT.fullmatch(tenant):
        raise InvalidRequest(reason="a tenant has 1 to 40 small letters, digits and dashes")


def new_key_id() -> str:
    """Of a new key."""
    return secrets.token_hex(6)


def _moment(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        reason = "it is a time in whole Unix seconds"
        raise InvalidRequest(reason=f"/expires: {reason}", errors=[{"pointer": "/expires", "reason": reason}])
    return int(text)


def _mac(secret: bytes, text: str) -> bytes:
    return hmac.new(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
