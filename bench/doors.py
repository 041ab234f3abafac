"""Asks a live service what its OpenAPI document does not say: over bare sockets, as strange clients do.

Every readable path by ``GET`` and ``HEAD`` with headers of all kinds (ranges, versions, hosts, cookies, keys), and
multipart bodies made of pieces of such bodies. No answer may be an error of the farm, a head is the head of its
``GET``, parts have the length they say, every refusal is a problem with a code.

    python -m bench.doors                                    # a service of its own, with pictures to be had
    python -m bench.doors --url http://localhost:8000 --key farm_…
"""

import argparse
import json
import logging
import socket
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.adapters.embedded_store import EmbeddedStore
from serve_app.pages import PAGES
from tests.web.live_farm import LiveFarm
from tests.workshop import png

PATIENCE_S = 30.0
DESIGN = png((200, 16, 46, 255), 64)
MULTIPART = ("/v1/jobs?dry_run=true", "/v1/catalog-runs?dry_run=true", "/v1/preview")
Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole; ``None`` where the server only hung up."""

    status: int
    headers: dict[str, str]
    body: bytes


class Service:
    """A service under test, and the count of what was asked of it."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._address = (str(parts.hostname), parts.port or 80)
        self.url = url
        self.key = key
        self.asked: Counter[str] = Counter()
        self.answered: Counter[int] = Counter()

    def ask(self, method: str, path: str, headers: Headers, body: bytes = b"") -> Answer:
        """Send exactly this, with a host and a key where none is named, and read the answer."""
        named = {name.lower() for name, _ in headers}
        standard: Headers = [("Host", b"localhost"), ("Authorization", b"Bearer " + self.key.encode())]
        sent = [(name, value) for name, value in standard if name.lower() not in named] + headers
        if body or method == "POST":
            sent.append(("Content-Length", str(len(body)).encode()))
        head = f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode()
        head += b"".join(name.encode() + b": " + value + b"\r\n" for name, value in sent) + b"\r\n"
        with socket.create_connection(self._address, timeout=PATIENCE_S) as connection:
            connection.sendall(head + body)
            answer = HTTPResponse(connection, method=method)
            answer.begin()
            told = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        self.asked[method] += 1
        self.answered[told.status] += 1
        return told


def judge(answer: Answer, what: str) -> None:
    """What holds of every answer."""
    assert answer.status < 500, f"{what}: {answer.status} {answer.body[:300]!r}"
    if answer.status >= 400 and answer.headers.get("content-type", "").startswith("application/"):
        told = json.loads(answer.body) if answer.body else {"code": "", "hint": "", "status": answer.status}
        assert {"code", "hint"} <= told.keys(), f"{what}: no problem: {answer.body[:300]!r}"
        assert told["status"] == answer.status, what
    if answer.status == 206 and "content-range" in answer.headers:
        first, last = answer.headers["content-range"].removeprefix("bytes ").partition("/")[0].split("-")
        assert len(answer.body) == int(last) - int(first) + 1, what
    if answer.status == 416:
        assert answer.headers["content-range"].startswith("bytes */"), what
    if answer.status == 304:
        assert answer.body == b"", what


LONG = b"9" * 5000
NUMBERS = st.sampled_from([b"", b"0", b"1", b"7", b"-1", b"99999999999999999999", LONG, b"1e3", b"\xb2", b" 1", b"x"])
CONTROLS = bytes({*range(32), 127} - {9})
"""What no parser of HTTP lets into a header; without it more of what is asked gets through to the farm."""
BYTES = st.binary(max_size=40).map(lambda text: text.translate(None, CONTROLS))
PLAIN = st.sampled_from([b"0-3", b"5-", b"-7", b"0-" + LONG, LONG + b"-", b"-" + LONG, b"0-1,4-5", b"-0", b"100-, 0-"])
RANGE = PLAIN | st.lists(st.tuples(NUMBERS, NUMBERS).map(b"-".join), max_size=4).map(b",".join)
TAG = st.sampled_from([b"*", b'"x"', b'W/"x"', b'"a,b"', b'"', b"W/", b"%ETAG%", b"W/%ETAG%"])
TAGS = st.lists(TAG | BYTES, max_size=4)
MOMENTS = [b"Wed, 21 Oct 2015 07:28:00 GMT", b"0", b"Mon, 99 Zzz 99999 99:99:99 GMT"]
VALUES: dict[str, st.SearchStrategy[bytes]] = {
    "Range": RANGE.map(lambda text: b"bytes=" + text) | BYTES,
    "If-None-Match": TAGS.map(b", ".join),
    "If-Range": TAGS.map(b"".join),
    "If-Modified-Since": st.sampled_from(MOMENTS) | BYTES,
    "Last-Event-ID": NUMBERS,
    "Host": st.sampled_from([b"localhost:99999", b"[::1", b"a@b", b"10.0.0.1", b"LOCALHOST.", b"", b"x y"]),
    "Accept": BYTES,
    "Accept-Encoding": st.sampled_from([b"gzip", b"identity;q=0", b"*;q=0", b"br"]) | BYTES,
    "Authorization": st.sampled_from([b"", b"Bearer", b"Bearer \xff", b"Basic \xff", b"Bearer " + b"a" * 5000]),
    "Cookie": st.sampled_from([b"farm_session=x", b"farm_session=\xff;;=", b"=;"]) | BYTES,
    "Content-Encoding": st.sampled_from([b"gzip", b"identity"]),
    "X-Forwarded-Proto": st.sampled_from([b"https", b"javascript", b"\xff"]),
    "Origin": BYTES,
    "Forwarded": BYTES,
}  # fmt: skip
HEADER = st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))
READERS = st.sampled_from(["Range", "If-Range", "If-None-Match"]).flatmap(
    lambda name: st.tuples(st.just(name), VALUES[name])
)
HEADERS = st.lists(HEADER | READERS, max_size=4, unique_by=lambda header: header[0])
QUERY = st.sampled_from(
    ["", "?", "?limit=", "?cursor=", "?tail=", "?created_after=", "?redirect=", "?format=", "?%ff=%00"]
)
QUERIES = st.tuples(QUERY, NUMBERS.map(lambda text: text.decode("latin-1").strip().replace("\xb2", "%B2"))).map("".join)

PIECES = [
    b"--XX\r\n", b"--XX--", b"--XX \t\n", b"\r\n", b"\n", b"\r\n\r\n", b"Content-Disposition: form-data; ",
    b"name=design",
    b'name="request"', b"name=manifest", b"; filename=\"a.png\"", b"; filename*=utf-8''%ff.csv", b"; filename*0=a",
    b'; filename="=?utf-8?B?/////w==?="', b"Content-Type: application/json; charset=", b"utf-7", b"utf-16", b"idna",
    b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"=ff", b"{}", b'{"size": 64}', b"{", b"\xff\x00",
    b"design,product_id\nhttps://a.example/b.png,t\n", DESIGN, DESIGN[:40],
]  # fmt: skip
PART = st.tuples(
    st.sampled_from([b"name=design", b'name="request"', b"name=manifest", b'name="design[]"', b""]),
    st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([DESIGN, b"{}", b'{"size": 64, "samples": 1}', b"design\nhttps://a.example/b.png\n", b""]) | BYTES,
).map(lambda part: b"--XX" + part[2] + b"Content-Disposition: form-data; " + part[0] + part[1] + part[2] * 2 + part[3])
BODY = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join) | st.lists(PART, max_size=4).map(
    lambda parts: b"\r\n".join([*parts, b"--XX--\r\n"])
)
KINDS = st.sampled_from(
    [b"multipart/form-data; boundary=XX", b'Multipart/Form-Data; Boundary="XX"', b"multipart/form-data",
     b"application/json", b"multipart/form-data; boundary*=utf-8''XX", b"multipart/form-data; boundary=\xff",
     b"text/csv"]
)  # fmt: skip

ADDRESSED = {
    "/v1/jobs?dry_run=true": "design_url",
    "/v1/catalog-runs?dry_run=true": "manifest_url",
    "/v1/webhooks": "url",
}
FRAGMENTS = [
    "https://", "http://", "//", "https:", "[", "]", "[::1]", "@", ":", "99999999", "-1", "/", "\\", "?", "#", "%",
    "%zz", ".", "..", "grün", "🎨", "\u2100", "\ud800", "\0", "\n", "\t", " ", "xn--a", "a" * 70, "shop.example",
    "127.0.0.1", "0x7f.1", "\u0663", "file:", "s3://",
]  # fmt: skip
ADDRESS = st.lists(st.sampled_from(FRAGMENTS), max_size=6).map(lambda parts: "".join(parts)[:2000]) | st.lists(
    st.sampled_from(FRAGMENTS), max_size=4
).map(lambda parts: "https://" + "".join(parts)[:2000])


def read_fuzz(service: Service, paths: list[str], examples: int) -> None:
    """``GET`` and ``HEAD`` of every path under all kinds of headers."""
    etags = {path: service.ask("GET", path, []).headers.get("etag", '"none"').encode() for path in paths}
    versioned = [path for path in paths if etags[path] != b'"none"']

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(paths) | st.sampled_from(versioned), QUERIES, HEADERS)
    def run(path: str, query: str, given_headers: Headers) -> None:
        headers = [(name, value.replace(b"%ETAG%", etags[path])) for name, value in given_headers]
        what = f"{path}{query[:60]} {[(name, value[:60]) for name, value in headers]}"
        got, headed = (_asked(service, method, path + query, headers) for method in ("GET", "HEAD"))
        if got is None or headed is None:
            assert got is headed, f"{what}: {got} {headed}"
            return
        judge(got, f"GET {what}")
        assert headed.body == b""
        judge(headed, f"HEAD {what}")
        if "Range" not in {name for name, _ in headers} and "/events" not in path:
            told = ("content-length", "etag", "content-type", "cache-control", "accept-ranges")
            assert headed.status == got.status, f"HEAD {what}: {headed.status}, GET {got.status}"
            if got.status != 200 or "metrics" not in path:
                differing = [name for name in told if headed.headers.get(name) != got.headers.get(name)]
                assert differing == [], f"HEAD {what}: {differing}"

    run()


def body_fuzz(service: Service, examples: int) -> None:
    """Multipart bodies out of pieces."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(MULTIPART), KINDS, BODY, st.booleans())
    def run(path: str, kind: bytes, body: bytes, expects: bool) -> None:
        headers: Headers = [("Content-Type", kind)]
        if expects:
            headers.append(("Expect", b"100-continue"))
        answer = _asked(service, "POST", path, headers, body)
        if answer is not None:
            judge(answer, f"POST {path} {kind!r} {body[:300]!r}")

    run()


def address_fuzz(service: Service, examples: int) -> None:
    """Addresses of designs, manifests and webhooks, alone and as a cell of a manifest beside a good row."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(sorted(ADDRESSED)), ADDRESS)
    def run(path: str, address: str) -> None:
        body = json.dumps({ADDRESSED[path]: address}).encode()
        answer = _asked(service, "POST", path, [("Content-Type", b"application/json")], body)
        assert answer is not None, address
        judge(answer, f"POST {path} {address!r}")
        cell = address.encode("utf-8", "replace").replace(b'"', b'""')
        manifest = b'design,product_id\n"' + cell + b'",bad\nhttps://shop.example/a.png,good\n'
        form = b'--XX\r\nContent-Disposition: form-data; name=manifest; filename="a.csv"\r\n\r\n' + manifest
        kind: Headers = [("Content-Type", b"multipart/form-data; boundary=XX")]
        planned = _asked(service, "POST", MULTIPART[1], kind, form + b"\r\n--XX--")
        assert planned is not None, address
        judge(planned, f"a row of {address!r}")
        if planned.status == 200:
            assert json.loads(planned.body)["to_render"] >= 1, f"the row beside {address!r} is not planned"

    run()


def _asked(service: Service, method: str, path: str, headers: Headers, body: bytes = b"") -> Answer | None:
    """``None`` where the server's own parser refused what is no HTTP and hung up."""
    try:
        return service.ask(method, path, headers, body)
    except (HTTPException, ConnectionError):
        return None


@contextmanager
def own_service() -> Iterator[tuple[Service, list[str]]]:
    """A service with a completed job, and the paths of what can be read of it."""
    with tempfile.TemporaryDirectory(prefix="doors-") as folder:
        store = EmbeddedStore.start(Path(folder) / "store")
        try:
            with LiveFarm(Path(folder) / "home", store.url, requests_per_minute=10**9) as farm:
                request = {"size": 64, "samples": 1, "product_id": "tee", "views": ["front_0deg"]}
                with httpx.Client(base_url=farm.url, headers={"Authorization": f"Bearer {farm.key}"}) as client:
                    sent = client.post(
                        "/v1/jobs", files={"design": DESIGN}, data={"request": json.dumps(request)}
                    ).json()
                    assert "completed" in client.get(f"/v1/jobs/{sent['id']}/events", timeout=60).text
                here = f"/v1/jobs/{sent['id']}"
                paths = [here, f"{here}/log", f"{here}/events", f"{here}/views/front_0deg", "/v1/products/tee/media"]
                paths += [f"{here}/outputs/{name}" for name in ("front_0deg.png", "manifest.json", "none")]
                yield Service(farm.url, farm.key), paths
        finally:
            store.stop()


READABLE = [
    "/healthz", "/readyz", "/openapi.json", "/session", "/static/js/job.js", "/static/none", "/nowhere", "/v1/jobs",
    "/v1/templates", "/v1/presets", "/v1/catalog-runs", "/v1/webhooks", "/v1/products/tee/jobs",
    *(path.format(job_id="x", run_id="y") for path in PAGES),
]  # fmt: skip
"""What every farm answers and what stays as it is between a ``GET`` and its ``HEAD``."""


def main() -> None:
    """Fuzz, tell the counts; the first wrong answer ends it with what was asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="", help="of a live service; a service of its own where it is left out")
    parser.add_argument("--key", default="")
    parser.add_argument("--examples", type=int, default=1000)
    arguments = parser.parse_args()
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # it warns of each request that is no HTTP
    if arguments.url:
        service = Service(arguments.url.rstrip("/"), arguments.key)
        _run(service, READABLE, arguments.examples)
        return
    with own_service() as (service, paths):
        _run(service, READABLE + paths, arguments.examples)


def _run(service: Service, paths: list[str], examples: int) -> None:
    read_fuzz(service, paths, examples)
    body_fuzz(service, examples)
    address_fuzz(service, examples)
    print(f"asked {sum(service.asked.values())} times: {dict(service.asked)}")
    print(f"answered: {dict(sorted(service.answered.items()))}")


if __name__ == "__main__":
    main()
