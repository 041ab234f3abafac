"""Addresses as people write them and servers send them, read as browsers read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.domain.web_address import NoAddress, WebAddress, host_name

READ = {
    "https://shop.example/grün.png": "https://shop.example/gr%C3%BCn.png",
    "https://shop.example/a b.png?q=é&c=a b#part": "https://shop.example/a%20b.png?q=%C3%A9&c=a%20b",
    "https://shop.example/👕.png": "https://shop.example/%F0%9F%91%95.png",
    "https://bücher.example/ß": "https://xn--bcher-kva.example/%C3%9F",
    "https://👕.example/": "https://xn--6p8h.example/",
    "https://faß.example/": "https://xn--fa-hia.example/",
    "https://ｓｈｏｐ。example/": "https://shop.example/",
    "HTTPS://Shop.Example:443": "https://shop.example/",
    "https://shop.example/a/../b/%2e/c": "https://shop.example/b/c",
    # what is encoded already, a signature above all, is left as it is
    "https://shop.example/x?X-Amz-Signature=ab%2Fc&k=~%7e+|": "https://shop.example/x?X-Amz-Signature=ab%2Fc&k=~%7e+|",
    # numbers become what they mean, for whoever looks at them
    "https://①②⑦.0.0.1/": "https://127.0.0.1/",
    "https://0x7f.1/": "https://127.0.0.1/",
}
REFUSED = [
    "", "shop.example/a", "//shop.example/a", "https:shop.example/a", "https:///a", "https://", "ftp://shop.example/a",
    "https://[::1", "https://user@shop.example/", "https://@shop.example/", "https://user:word@shop.example/",
    "https://shop.example:0/", "https://shop.example:99999/", "https://shop .example/", "https://shop.example\\@a/",
    "https://shop.example/\r\nHost: a", "https://shop.example/\x00", "https://shop.example/\ud800", "https://a..example/",
    f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/", "https://a%2fb/", "https://ex\u00adample%00/",
]  # fmt: skip


@pytest.mark.parametrize(("written", "read"), READ.items())
def test_it_is_read_as_browsers_do(written: str, read: str) -> None:
    assert WebAddress.of(written).url == read
    assert WebAddress.of(read).url == read


@pytest.mark.parametrize("written", REFUSED)
def test_what_is_no_address_is_refused_in_words(written: str) -> None:
    with pytest.raises(NoAddress) as caught:
        WebAddress.of(written)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/grün.png".encode(), "https://shop.example/gr%C3%BCn.png"),
        ("/grün.png".encode("latin-1"), "https://shop.example/gr%C3%BCn.png"),
        ("👕.png?größe=ü".encode(), "https://shop.example/d/%F0%9F%91%95.png?gr%C3%B6%C3%9Fe=%C3%BC"),
        ("//bücher.example/".encode(), "https://xn--bcher-kva.example/"),
        (b"?a", "https://shop.example/d/e?a"),
        (b"http://other.example:8080", "http://other.example:8080/"),
    ],
)
def test_a_redirect_in_raw_bytes_leads_where_browsers_go(location: bytes, url: str) -> None:
    assert WebAddress.of("https://shop.example/d/e").to(location).url == url


@given(st.text(), st.binary())
def test_whatever_is_written_is_an_address_in_ascii_or_refused(text: str, location: bytes) -> None:
    for written in (text, f"https://{text}", f"https://a.example/{text}"):
        try:
            address = WebAddress.of(written)
            address = address.to(location)
        except NoAddress:
            continue
        assert address.url.isascii()
        assert address.url.isprintable()
        assert " " not in address.url
        assert WebAddress.of(address.url) == address, "a second reader sees the same host"


def test_an_operators_hosts_are_compared_in_the_same_form() -> None:
    assert host_name("Bücher.example") == "xn--bcher-kva.example"
    assert host_name("::1") == "::1"
    assert host_name("no host") == "no host"
    assert WebAddress.of("https://[::1]:8443/a").host == "::1"
    assert WebAddress.of("https://[::1]:8443/a").host_and_port == "[::1]:8443"
    assert WebAddress.of("https://bücher.example/a").host_and_port == "xn--bcher-kva.example"
