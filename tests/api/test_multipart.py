"""Bodies as real clients send them, byte for byte over a real socket, through the layer of Serve's proxy."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis.asyncio
import uvicorn

from farm.settings import Settings
from serve_app.proxy import Gate, Guard, KeyGuard
from tests.api.conftest import Shopfront
from tests.api.test_jobs import DESIGN
from tests.ports import free_port

REQUEST = b'{"size": 64, "samples": 1, "product_id": "tee"}'
CSV = b"design,product_id\nhttps://shop.example/a.png,tee-1\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: everything before the last head is interim."""

    interim: bytes
    status: int
    json: Any


@dataclass(frozen=True, slots=True)
class Served:
    """A listening service; the key opens everything."""

    port: int
    key: str

    async def post(
        self,
        body: bytes,
        kind: str = "multipart/form-data; boundary=XX",
        *,
        path: str = "/v1/jobs?dry_run=true",
        pieces: int = 1,
        **headers: str,
    ) -> Answer:
        """Send a body in so many pieces, and read the answer."""
        told = {"Host": "localhost", "Authorization": f"Bearer {self.key}", "Content-Type": kind, "Connection": "close"}
        told |= {"Content-Length": str(len(body))} | {name.replace("_", "-"): text for name, text in headers.items()}
        head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in told.items() if text)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head.encode("latin-1") + b"\r\n")
            interim = b""
            if "Expect" in headers:
                interim = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                if b" 100 " not in interim:
                    return _answer(interim + await reader.read(), b"")
            step = max(1, -(-len(body) // pieces))
            for start in range(0, len(body), step):
                writer.write(body[start : start + step])
                await writer.drain()
                if pieces > 1:
                    await asyncio.sleep(0)
            return _answer(await asyncio.wait_for(reader.read(), 30), interim)
        finally:
            writer.close()


def _answer(text: bytes, interim: bytes) -> Answer:
    head, _, body = text.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        body = body.partition(b"\r\n")[2].partition(b"\r\n")[0]
    return Answer(interim, int(head.split()[1]), json.loads(body))


@pytest.fixture
async def served(shop: Shopfront, store_url: str) -> AsyncIterator[Served]:
    settings = Settings.load({"FARM_HOME": str(shop.workshop.settings.home)})
    port = free_port()
    async with redis.asyncio.Redis.from_url(store_url) as client:

        async def opening() -> Guard:
            return KeyGuard(settings, client)

        config = uvicorn.Config(Gate(shop.app, opening), host="127.0.0.1", port=port, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        yield Served(port, shop.client.headers["Authorization"].removeprefix("Bearer "))
        server.should_exit = True
        await serving


def body(
    design: bytes = b'name="design"; filename="a.png"',
    *,
    request: bytes = b'form-data; name="request"',
    more: bytes = b"",
    data: bytes = DESIGN,
    line: bytes = b"\r\n",
    before: bytes = b"",
    after: bytes = b"\r\n",
) -> bytes:
    """A job in two parts, whose design's disposition, lines, preamble and epilogue are as a client has them."""
    parts = [
        b"--XX", b"Content-Disposition: form-data; " + design, *([more] if more else []), b"", data,
        b"--XX", b"Content-Disposition: " + request, b"", REQUEST,
        b"--XX--",
    ]  # fmt: skip
    return before + line.join(parts) + after


RFC2047 = base64.b64encode("grün.png".encode())
CLIENTS = {
    "curl": body(more=b"Content-Type: image/png"),
    "a name in UTF-8": body('name="design"; filename="grün 🎨.png"'.encode()),
    "a name in Latin-1": body('name="design"; filename="grün.png"'.encode("latin-1")),
    "filename* alone": body(b"name=\"design\"; filename*=UTF-8''gr%C3%BCn.png"),
    ".NET": body(
        b'name=design; filename="=?utf-8?B?' + RFC2047 + b"?=\"; filename*=utf-8''gr%C3%BCn.png",
        request=b"form-data; name=request",
        more=b"Content-Type: image/png",
    ),
    "a name in pieces": body(b'name="design"; filename*0="gr"; filename*1="uen.png"'),
    "a quoted quote": body(rb'name="design"; filename="a\"b;name=x.png"'),
    "a path of Windows": body(rb'filename="C:\pictures\a.png"; name="design"'),
    "no file name": body(b'name="design"'),
    "no file name but a type": body(b'name="design"', more=b"Content-Type: image/png"),
    "an empty file name": body(b'name="design"; filename=""', more=b"Content-Type: application/octet-stream"),
    "names in capitals": body(b'NAME="design"; FileName="a.png"', request=b'FORM-DATA; Name="request"'),
    "the request as a file": body(request=b'form-data; name="request"; filename="blob"'),
    "PHP's brackets": body(b'name="design[]"; filename="a.png"'),
    "a folded header": body(b'name="design";\r\n filename="a.png"'),
    "base64": body(more=b"Content-Transfer-Encoding: base64", data=base64.encodebytes(DESIGN)),
    "a preamble and an epilogue": body(before=b"This is MIME.\r\n\r\n", after=b"\r\nThe end.\r\n--XX\r\nnot read"),
    "an empty line first": body(before=b"\r\n\r\n"),
    "no line at its end": body(after=b""),
    "line feeds alone": body(line=b"\n", after=b"\n"),
    "blanks behind boundaries": body().replace(b"--XX\r\n", b"--XX \t\r\n"),
    "a boundary inside": body(data=DESIGN + b"\r\n--XXX\r\n--X\r\n--XX-\r\r\n"),
}


async def test_a_job_as_clients_send_it(served: Served) -> None:
    for client, sent in CLIENTS.items():
        for pieces in (1, len(sent)):
            answer = await served.post(sent, pieces=pieces)
            assert answer.status == 200, (client, answer.json)
            assert answer.json["request"]["product_id"] == "tee", (client, "the other part is read too")
            assert answer.json["designs"][0]["width_px"] == 64, client


async def test_how_the_type_is_written(served: Served) -> None:
    for kind in (
        'multipart/form-data; boundary="XX"',
        "Multipart/Form-Data;boundary=XX",
        'multipart/form-data; charset=utf-8; Boundary="XX"',
    ):
        assert (await served.post(body(), kind)).status == 200, kind
    dotnet = body().replace(b"--XX", b"--5f8b0c2e-1:x'(y)+_,./=?")
    assert (await served.post(dotnet, 'multipart/form-data; boundary="5f8b0c2e-1:x\'(y)+_,./=?"')).status == 200
    bom = body().replace(REQUEST, b"\xef\xbb\xbf" + REQUEST)
    assert (await served.post(bom)).json["request"]["product_id"] == "tee"
    utf16 = body(request=b'form-data; name="request"\r\nContent-Type: application/json; charset=utf-16')
    told = await served.post(utf16.replace(REQUEST, REQUEST.decode().encode("utf-16")))
    assert told.json["request"]["product_id"] == "tee"
    plain = await served.post(b"\xef\xbb\xbf" + b'{"design_url": "https://shop.example/a.png"}', "application/json")
    assert plain.status == 200


BROKEN = {
    "cut in the design": body()[:120],
    "cut behind the design": body().partition(b"\r\n--XX\r\nContent-Disposition: form-data; name=\"request\"")[0],
    "no closing boundary": body().replace(b"--XX--\r\n", b""),
    "no boundary of its": body().replace(b"--XX", b"--YY"),
    "no name": body(b'filename="a.png"'),
    "no disposition": body().replace(b"Content-Disposition", b"X-Other"),
    "no empty line": b"--XX\r\nContent-Disposition: form-data; name=\"design\"\r\n--XX--\r\n",
    "an unknown part": body(request=b'form-data; name="wish"'),
    "the request twice": body(b'name="request"'),
    "a strange encoding": body(more=b"Content-Transfer-Encoding: x-uue"),
    "an unknown charset": body(request=b'form-data; name="request"\r\nContent-Type: text/plain; charset=nope'),
    "no UTF-8": body().replace(REQUEST, b'{"product_id": "\xff"}'),
    "nothing": b"",
    "too many parts": b"".join(b"--XX\r\nContent-Disposition: form-data; name=design\r\n\r\nx\r\n" for _ in range(200))
    + b"--XX--",
    "an endless head": body(b'name="design"; filename="' + b"a" * 100_000 + b'"'),
}  # fmt: skip


async def test_what_is_broken_is_refused_with_what_is_wrong(served: Served) -> None:
    for case, sent in BROKEN.items():
        answer = await served.post(sent)
        assert (answer.status, answer.json["code"]) == (422, "invalid_request"), (case, answer.json)
        assert answer.json["detail"], case
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f'multipart/form-data; boundary="{"b" * 999}',
    ):
        assert (await served.post(body(), kind)).status == 422, kind
    for kind in ("multipart/mixed; boundary=XX", "application/x-www-form-urlencoded", "text/plain"):
        assert (await served.post(body(), kind)).status == 415, kind
    for kind in ("multipart/form-data; boundary=XX", "application/json"):
        packed = await served.post(body(), kind, Content_Encoding="gzip")
        assert (packed.status, packed.json["code"]) == (415, "unsupported_media_type"), kind


MANIFEST_NAMES = (
    b'"spring.csv"',
    b'"C:\\a\\fr\xc3\xbchling.csv"',
    b'"=?utf-8?B?' + base64.b64encode("frühling.csv".encode()) + b"?=\"; filename*=utf-8''fr%C3%BChling.csv",
)


async def test_a_manifest_is_told_by_its_name_however_that_is_written(served: Served) -> None:
    for name in MANIFEST_NAMES:
        sent = body(b"name=manifest; filename=" + name, data=CSV).replace(REQUEST, b"{}")
        answer = await served.post(sent, path="/v1/catalog-runs?dry_run=true")
        assert (answer.status, answer.json["rows"]) == (200, 1), name
        assert answer.json["manifest"] in ("spring.csv", "frühling.csv")


async def test_expect_100_continue(served: Served) -> None:
    """Who waits to be asked is asked once the head is in order, and told at once where it is not."""
    asked = await served.post(body(), Expect="100-continue")
    assert asked.interim.startswith(b"HTTP/1.1 100 ")
    assert asked.status == 200
    for refused, status in (
        (await served.post(body(), Expect="100-continue", Authorization=""), 401),
        (await served.post(body(), Expect="100-continue", Content_Length="99999999999"), 413),
    ):
        assert (refused.interim, refused.status) == (b"", status), "no body is asked for that would be thrown away"
