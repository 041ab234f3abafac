"""Pictures' addresses: what is signed, and which keys hold."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.domain.picture_address import PREFIX, PictureAddress, PictureKey
from farm.domain.picture_ring import MOST_KEYS, PictureRing
from farm.domain.signing import SigningSecret
from farm.errors import InvalidRequest, PictureKeyRetired, PictureSignatureWrong

FARM = SigningSecret(b"0123456789abcdef0123456789abcdef")
KEY = PictureKey.of(FARM, "shop", "0123456789ab")
NAMES = st.text(min_size=1, max_size=12).filter(lambda name: name not in ("key", "signature", "expires"))
WORDS = st.dictionaries(NAMES, st.text(max_size=20), max_size=8)


def opened(url: str, farm: SigningSecret = FARM) -> PictureAddress:
    path, _, query = url.partition("?")
    tenant, designs, view = path.removeprefix(f"{PREFIX}/").split("/")
    return PictureAddress.verified(farm, tenant, designs, view, query)


def test_a_signature_is_what_anybody_can_compute() -> None:
    url = KEY.sign(["dsn_1", "dsn_2"], "front_0deg", {"size": "512", "fabric_color": "#336699"})
    assert url == (
        "/v1/pictures/shop/dsn_1,dsn_2/front_0deg?fabric_color=%23336699&key=0123456789ab&size=512"
        "&signature=gZW0RwVH6yfg7lnLPCwaJ4TYINRCNPcQDEALdOKesRU"
    )
    text = b"/shop/dsn_1,dsn_2/front_0deg?fabric_color=%23336699&key=0123456789ab&size=512"
    mac = hmac.new(KEY.secret.encode(), text, "sha256").digest()
    assert url.endswith(base64.urlsafe_b64encode(mac).rstrip(b"=").decode())


@given(WORDS)
def test_what_was_signed_is_read_and_the_token_signs_the_same(options: dict[str, str]) -> None:
    signing = PictureKey.parse(KEY.token)
    found = opened(signing.sign(["dsn_1"], "front_0deg", options))
    assert (found.options, found.tenant, found.designs, found.view) == (options, "shop", ("dsn_1",), "front_0deg")


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_else_stands_there_is_refused_and_nothing_else_happens(query: str, tenant: str) -> None:
    with pytest.raises(PictureSignatureWrong):
        PictureAddress.verified(FARM, tenant, "dsn_1", "front_0deg", query)


def test_neither_another_farm_nor_another_tenant_signs_for_this_one() -> None:
    url = KEY.sign(["dsn_1"], "front_0deg", {})
    other = SigningSecret(b"f" * 32)
    with pytest.raises(PictureSignatureWrong):
        opened(url, other)
    with pytest.raises(PictureSignatureWrong):
        opened(url.replace("/shop/", "/shops/"))
    assert PictureKey.of(FARM, "shops", KEY.id).secret != KEY.secret


@pytest.mark.parametrize(
    "token", ["", "farm_1_2", "farmpic_shop_0123456789ab_short", "farmpic_Sh op_0123456789ab_" + "x" * 43]
)
def test_what_is_no_key_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        PictureKey.parse(token)
    assert not token or token not in str(raised.value)


def test_a_key_tells_its_secret_only_in_its_token() -> None:
    assert KEY.secret not in repr(KEY)
    assert KEY.secret in KEY.token


def test_an_old_key_holds_until_then_and_no_later_rotation_prolongs_it() -> None:
    ring = PictureRing().rotated("a", 0.0, old_s=0.0).rotated("b", 100.0, old_s=50.0)
    ring = PictureRing.from_json(ring.to_json())
    ring.check("a", 149.0)
    ring.check("b", 1e12)
    ring = ring.rotated("c", 140.0, old_s=1000.0)
    with pytest.raises(PictureKeyRetired):
        ring.check("a", 150.0)
    ring.check("b", 1139.0)
    with pytest.raises(PictureKeyRetired):
        ring.check("b", 1140.0)
    with pytest.raises(PictureKeyRetired):
        ring.check("d", 0.0)
    for number in range(40):
        ring = ring.rotated(str(number), 2000.0, old_s=0.0)
    assert len(ring.keys) == MOST_KEYS
