"""Reading a run's report: each slice once in all, from any page, and the first bytes before the last slice is read."""

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow.parquet
import pytest

from farm.adapters.file_store import FileStore
from tests.api.conftest import Open, Shopfront

SLICES, OF_ROWS, PAGE = 60, 2, 6


@pytest.fixture
async def shop(opened: Open) -> Shopfront:
    return await opened(catalog_batch_rows=OF_ROWS)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of all objects that were asked for."""
    asked: list[str] = []
    get = FileStore.get

    def counting(store: FileStore, key: str, **options: Any) -> bytes:
        asked.append(key)
        return get(store, key, **options)

    monkeypatch.setattr(FileStore, "get", counting)
    return asked


async def waiting(shop: Shopfront, count: int, **cells: Any) -> str:
    """A run that nobody works on."""
    name = shop.place.design("a.png")
    return await shop.place.start([{"design": name, "product_id": f"tee-{n}", **cells} for n in range(count)])


async def pages(shop: Shopfront, run: str, go_on: Callable[[dict[str, Any]], str | None], **asked: Any) -> list[Any]:
    rows: list[Any] = []
    following: str | None = ""
    while following is not None:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        answer = await shop.client.get(f"/v1/catalog-runs/{run}/report?{query}{following}")
        assert answer.status_code == 200, answer.text
        rows += answer.json()["rows"]
        following = go_on(answer.json())
    return [(row["row"], row["variant"]) for row in rows]


def by_cursor(page: dict[str, Any]) -> str | None:
    return f"&cursor={page['cursor']}" if page["cursor"] else None


def by_row(page: dict[str, Any]) -> str | None:
    return f"&after={page['rows'][-1]['row']}" if page["rows"] else None


async def test_pages_by_cursor_read_each_slice_once(shop: Shopfront, reads: list[str]) -> None:
    run = await waiting(shop, SLICES * OF_ROWS)
    reads.clear()
    assert await pages(shop, run, by_cursor, limit=PAGE) == [(row, 0) for row in range(1, SLICES * OF_ROWS + 1)]
    # Of a slice that is not done two objects are asked for: its part of the report, and then its rows.
    most = 2 * SLICES + 2 * SLICES * OF_ROWS // PAGE
    assert len(reads) <= most, f"{len(reads)} reads for {SLICES} slices"


async def test_pages_by_row_look_for_their_place_and_do_not_read_up_to_it(shop: Shopfront, reads: list[str]) -> None:
    run = await waiting(shop, SLICES * OF_ROWS)
    reads.clear()
    answer = await shop.client.get(f"/v1/catalog-runs/{run}/report?limit={PAGE}&after={(SLICES - 5) * OF_ROWS}")
    assert [row["row"] for row in answer.json()["rows"]] == [SLICES * OF_ROWS - 9 + n for n in range(PAGE)]
    assert len(reads) <= 2 * (7 + 1 + PAGE // OF_ROWS + 2), "a search by halves, and the page"
    assert len(await pages(shop, run, by_row, limit=PAGE)) == SLICES * OF_ROWS


async def test_a_page_may_end_between_the_colours_of_one_line(shop: Shopfront) -> None:
    run = await waiting(shop, 3, fabric_color="white|black|navy")
    wanted = [(row, variant) for row in (1, 2, 3) for variant in (0, 1, 2)]
    assert await pages(shop, run, by_cursor, limit=2) == wanted
    assert await pages(shop, run, by_cursor, limit=2, only="pending") == wanted
    assert await pages(shop, run, by_cursor, limit=2, only="failed") == []


@pytest.mark.parametrize("cursor", ["", "x", "1", "-1.0", "1.2.3", "9999999999.0", "١.٢", "1.0\n"])
async def test_what_is_no_cursor_is_refused(shop: Shopfront, cursor: str) -> None:
    run = await waiting(shop, 1)
    answer = await shop.client.get(f"/v1/catalog-runs/{run}/report", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_cursor_behind_the_end_is_the_end(shop: Shopfront) -> None:
    run = await waiting(shop, 1)
    answer = await shop.client.get(f"/v1/catalog-runs/{run}/report?cursor=999999999.0")
    assert (answer.json()["rows"], answer.json()["cursor"]) == ([], None)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_a_download_begins_before_everything_is_read(shop: Shopfront, reads: list[str], form: str) -> None:
    run = await waiting(shop, SLICES * OF_ROWS)
    path = f"/v1/catalog-runs/{run}/report"
    headers = [(name.lower().encode(), value.encode()) for name, value in shop.client.headers.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": f"format={form}".encode(), "root_path": "",
        "headers": [*headers, (b"host", b"localhost")], "server": ("localhost", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    body, read_at_first = b"", 0

    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if (message := next(asked, None)) is None:
            await asyncio.Event().wait()  # the client stays
        return message or {}

    async def send(message: Any) -> None:
        nonlocal body, read_at_first
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        elif message.get("body"):
            read_at_first = read_at_first or len(reads)
            body += message["body"]

    reads.clear()
    await shop.app(scope, receive, send)
    assert read_at_first < SLICES / 2
    assert len(reads) <= 2 * SLICES
    match form:
        case "csv":
            assert len(body.splitlines()) == SLICES * OF_ROWS + 1
        case "jsonl":
            assert [json.loads(line)["row"] for line in body.splitlines()] == list(range(1, SLICES * OF_ROWS + 1))
        case _:
            assert pyarrow.parquet.read_table(io.BytesIO(body)).num_rows == SLICES * OF_ROWS
