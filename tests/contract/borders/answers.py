"""HTTP answers as broken, old and hostile servers give them; most begin well, else only the first line is met."""

import gzip
import json
from typing import Any

from hypothesis import strategies as st

_ODD_TEXT = st.sampled_from(
    [b"", b"0", b"-1", b"3", b"99999999999999999999", b"1, 1", b"x", b"\xc2\xb2", b"\xff\xfe", b"\x00", b"a" * 70_000]
)
_VALUES: dict[bytes, st.SearchStrategy[bytes]] = {
    b"Location": st.sampled_from(
        ["/grün.png".encode(), b"/gr\xfcn", "👕".encode(), b"https://[", b"//", b"http://a..b/", b"?", b"http://127.0.0.1:1/",
         b"\\\\evil", b"file:///etc/passwd", b"https://xn--/", "http://ä/".encode(), b"data:,x", b"", b"/" * 9000]
    ),
    b"Content-Length": _ODD_TEXT,
    b"Transfer-Encoding": st.sampled_from([b"chunked", b"gzip, chunked", b"identity", b"x"]),
    b"Content-Encoding": st.sampled_from([b"gzip", b"x-gzip", b"deflate", b"br", b"aws-chunked", b"\xff"]),
    b"Content-Range": st.sampled_from([b"bytes 0-0/3", b"bytes */*", b"bytes 0-0/x", b"lines 1-2/3"]),
    b"Content-Type": st.sampled_from([b"text/html", b"image/png", b"application/xml", b"\xff/;;"]),
    b"ETag": st.sampled_from([b'"0cc175b9c0f1b6a831c399e269772661"', b"W/x", b"", b"\xff", "ü".encode()]),
    b"Last-Modified": st.sampled_from(
        [b"Mon, 05 Jan 2026 10:00:00 GMT", b"x", b"", b"Mon, 99 Foo 0000", b"0001-01-01T00:00:00Z", b"9" * 30]
    ),
    b"Retry-After": st.sampled_from([b"1", b"x", b"9" * 40, b"Mon, 99 Foo 0000", b"\xc2\xb2"]),
    b"Connection": st.sampled_from([b"close", b"keep-alive", b"upgrade"]),
    b"x-amz-bucket-region": st.sampled_from([b"nowhere-1", b"\xff", b"a b"]),
    b"x-amz-checksum-crc32": st.sampled_from([b"AAAAAA==", b"x"]),
    b"x-amz-expiration": st.just(b"\xff"),
    b"Date": _ODD_TEXT,
}  # fmt: skip
_HEADER = st.sampled_from(sorted(_VALUES)).flatmap(lambda name: _VALUES[name].map(lambda value: name + b": " + value))
_GARBAGE_LINE = st.sampled_from(
    [b"no colon", b": no name", b" folded", b"a b: c", b"\xff: \xff", b"x" * 200_000, b"\x00"]
)

_IMAGE = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["img_1", 5, None, "\ud800"]),
        "url": st.sampled_from(["https://shop.example/a.png", 5, None, ["x"]]),
        "rank": st.sampled_from([0, "1", "x", None, 1e300, [1]]),
    },
)
_PRODUCT: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["tee", 1, None, "\ud800"]),
        "thumbnail": st.sampled_from([None, "https://shop.example/t.png", 5]),
        "images": st.one_of(st.none(), st.lists(st.one_of(_IMAGE, st.just("x")), max_size=3), st.just(3)),
        "metadata": st.sampled_from(
            [None, {}, {"render_x": 1}, {"render_a-b": {"media": [{}]}}, [], "x", {"render_a": {"media": None}}]
        ),
    },
)
_JSON = st.one_of(
    st.builds(lambda product: json.dumps({"product": product, "products": [product]}).encode(), _PRODUCT),
    st.sampled_from([b"{", b"[]", b"[" * 30_000, b"null", b'{"product":1}', b"NaN", b'"\\ud800"', b'{"products":{}}']),
)
_XML = st.sampled_from(
    [
        b"<Error><Code>SlowDown</Code><Message>\xc3\xa4</Message></Error>",
        b"<Error><Code>PermanentRedirect</Code><Endpoint>nowhere.invalid</Endpoint></Error>",
        b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>a b</Region></Error>",
        b"<Error>", b"<a/>", b"<?xml version='1.0'?>", b"\xff\xfe<", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
        b"<ListBucketResult><Contents><Key>k</Key><Size>x</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>k</Key><Size>1</Size><LastModified>0</LastModified></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents/></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%ff%00</Key><Size>1</Size></Contents></ListBucketResult>",
        b"<CopyObjectResult><LastModified>never</LastModified></CopyObjectResult>",
        b"<DeleteResult><Error><Key>k</Key></Error></DeleteResult>",
    ]
)  # fmt: skip
_BODY = st.one_of(
    st.binary(max_size=40), _JSON, _XML, st.just(gzip.compress(b"x" * 100)), st.just(b"3\r\nabc\r\n0\r\n\r\n")
)


def _whole(status: int, headers: list[bytes], body: bytes, *, sized: bool) -> bytes:
    head = [b"HTTP/1.1 %d Said" % status, *headers]
    if sized:
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


_STATUS = st.one_of(
    st.just(200),
    st.sampled_from([204, 206, 301, 302, 304, 307, 400, 403, 404, 408, 416, 429, 500, 503]),
    st.integers(100, 999),
)
_LIKELY = st.builds(_whole, _STATUS, st.lists(_HEADER, max_size=4), _BODY, sized=st.booleans())
_ODD = st.builds(_whole, _STATUS, st.lists(st.one_of(_HEADER, _GARBAGE_LINE), max_size=5), _BODY, sized=st.booleans())
_GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"", b"HTTP/1.1 200\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 xx OK\r\n\r\n",
                     b"ICY 200 OK\r\n\r\n",
                     b"HTTP/1.1 100 Continue\r\n\r\n" * 50, b"\x16\x03\x01\x02\x00", b"SSH-2.0-x\r\n", b"\r\n" * 5000]),
)  # fmt: skip


def _cut(answer: bytes, at: float) -> bytes:
    return answer[: int(len(answer) * at)]


ANSWERS = st.one_of(
    _LIKELY, _LIKELY, _ODD, _GARBAGE, st.builds(_cut, st.one_of(_LIKELY, _ODD), st.floats(0, 1, allow_nan=False))
)
"""Bytes on the wire."""
