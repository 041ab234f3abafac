"""Designs and manifests from files, from an S3 server and from the web; and what may not be fetched."""

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.adapters.manifest_parquet import BATCH_ROWS
from farm.errors import DesignNotFound, DesignTooLarge, FetchFailed, FetchRefused, ManifestBroken
from farm.render.catalog.row import Fault
from farm.settings import Settings
from tests.contract.servers.s3 import BUCKET, S3Server

SETTINGS = Settings(home=Path("/nowhere"), design_max_bytes=1000, fetch_timeout_s=5.0, fetch_hosts="127.0.0.1")


class Site(http.server.BaseHTTPRequestHandler):
    """A small site that says what its path asks for."""

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data")
            self.end_headers()
            return
        if name == "/gone":
            self.send_error(404)
            return
        body = b"x" * 5000 if name in ("/large", "/endless") else b"design,size\na.png,64\n"
        self.send_response(200)
        if name != "/endless":
            self.send_header("Content-Length", str(len(body) + (10 if name == "/short" else 0)))
        if name != "/unknown":
            self.send_header("ETag", '"v1"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


# --- designs ----------------------------------------------------------------------------------------------------------


def test_a_file_has_an_identity_that_changes_with_it(tmp_path: Path) -> None:
    designs, path = Designs.of(SETTINGS), tmp_path / "ä b.png"
    path.write_bytes(b"one")
    data, identity = designs.fetch(path.as_uri())
    assert (data, identity) == (b"one", designs.identity(path.as_uri()))
    path.write_bytes(b"two")
    assert designs.identity(path.as_uri()) != identity
    path.unlink()
    with pytest.raises(DesignNotFound):
        designs.fetch(path.as_uri())
    with pytest.raises(DesignNotFound):
        designs.identity(tmp_path.as_uri())


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 1001)
    with pytest.raises(DesignTooLarge):
        Designs.of(SETTINGS).fetch((tmp_path / "large").as_uri())


def test_the_web_gives_a_design_and_its_version(site: str) -> None:
    designs = Designs.of(SETTINGS)
    data, identity = designs.fetch(f"{site}/a.png")
    assert data.startswith(b"design")
    assert identity is not None
    assert identity == designs.identity(f"{site}/a.png")
    assert designs.identity(f"{site}/unknown") is None
    assert designs.identity(f"{site}/a.png", remote=False) is None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/large", FetchRefused),
        ("/endless", FetchRefused),
        ("/short", FetchFailed),
        ("/gone", DesignNotFound),
        ("/moved", FetchRefused),
    ],
)
def test_what_the_web_may_not_do(site: str, path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Designs.of(SETTINGS).fetch(site + path)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/a.png",
        "https://127.0.0.1/a.png",
        "https://localhost/a.png",
        "https://[::1]/a.png",
        "https://[::ffff:127.0.0.1]/a.png",
        "https://10.0.0.8/a.png",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.1.1:8443/",
        "https://0.0.0.0/",
        "https://user:secret@example.com/a.png",
        "ftp://example.com/a.png",
    ],
)
def test_private_and_plain_addresses_are_refused(address: str) -> None:
    with pytest.raises(FetchRefused):
        Designs.of(replace(SETTINGS, fetch_hosts="")).fetch(address)


def test_s3_gives_a_design_and_its_version(moto_server: S3Server, s3_credentials: None) -> None:
    designs = Designs.of(replace(SETTINGS, s3_endpoint_url=moto_server.endpoint_url))
    client = boto3.client("s3", endpoint_url=moto_server.endpoint_url)
    client.put_object(Bucket=BUCKET, Key="spring/a.png", Body=b"one")
    data, identity = designs.fetch(f"s3://{BUCKET}/spring/a.png")
    assert (data, identity) == (b"one", designs.identity(f"s3://{BUCKET}/spring/a.png"))
    client.put_object(Bucket=BUCKET, Key="spring/a.png", Body=b"two")
    assert designs.identity(f"s3://{BUCKET}/spring/a.png") != identity
    with pytest.raises(DesignNotFound):
        designs.fetch(f"s3://{BUCKET}/spring/none.png")
    client.put_object(Bucket=BUCKET, Key="m/catalogue.csv", Body=b"design\nart/a.png\n")
    with open_manifest(f"s3://{BUCKET}/m/catalogue.csv", designs) as manifest:
        assert manifest.base == f"s3://{BUCKET}/m/"
        assert list(manifest.lines()) == [(1, {"design": "art/a.png"})]
    client.close()
    designs.s3.close()


# --- manifests --------------------------------------------------------------------------------------------------------


def read(path: Path | str) -> list[tuple[int, object]]:
    with open_manifest(str(path), Designs.of(SETTINGS)) as manifest:
        return list(manifest.lines())


def test_csv_line_by_line_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b'\xef\xbb\xbfdesign,size\r\na.png,1\r\n"b,\n.png",2\nonly\n1,2,3\n\n\xff.png,3\nc.png,4\n')
    found = read(path)
    assert [number for number, _ in found] == [1, 2, 3, 4, 5, 6]
    assert found[0][1] == {"design": "a.png", "size": "1"}
    assert found[1][1] == {"design": "b,\n.png", "size": "2"}
    assert found[5][1] == {"design": "c.png", "size": "4"}
    assert [isinstance(line, Fault) for _, line in found] == [False, False, True, True, True, False]


def test_a_long_csv_is_numbered_through_its_blocks(tmp_path: Path) -> None:
    path = tmp_path / "m.csv.gz"
    lines = [f"{'x' * 90}{n}.png,{n}" for n in range(1, 30_001)]
    lines[20_000] = "broken"
    path.write_bytes(gzip.compress(b"design,size\n" + "\n".join(lines).encode()))
    found = read(path)
    assert [number for number, _ in found] == list(range(1, 30_001))
    assert [number for number, line in found if isinstance(line, Fault)] == [20_001]
    assert all(line["size"] == str(number) for number, line in found if isinstance(line, dict))


def test_json_lines_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    lines = [b'{"design": "a", "views": ["front_0deg"]}', b"", b"[1]", b"{", b"x" * 3_000_000, b'{"design": "b"}']
    path.write_bytes(b"\n".join(lines))
    found = read(path)
    assert [number for number, _ in found] == [1, 2, 3, 4, 5]
    assert [isinstance(line, Fault) for _, line in found] == [False, True, True, True, False]


def test_parquet_with_lists_and_structs(tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    rows = [{"design": f"{n}.png", "fabric_color": ["white", "navy"], "size": n} for n in range(BATCH_ROWS + 3)]
    parquet.write_table(pa.Table.from_pylist(rows), path)
    found = read(path)
    assert [number for number, _ in found] == list(range(1, BATCH_ROWS + 4))
    assert found[-1][1] == rows[-1]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.csv", b"product,size\n1,2\n"),
        ("m.csv", b"design,size,size\n1,2,3\n"),
        ("m.csv", b""),
        ("m.parquet", b"PAR1 no parquet"),
        ("m.csv.gz", b"no gzip"),
        ("m.xlsx", b"x"),
    ],
)
def test_what_is_no_manifest_is_refused_with_a_reason(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ManifestBroken):
        read(tmp_path / name)
    with pytest.raises(ManifestBroken):
        read(tmp_path / "not-there.csv")


def test_a_manifest_from_the_web(site: str) -> None:
    with open_manifest(f"{site}/spring/m.csv", Designs.of(SETTINGS)) as manifest:
        assert manifest.base == f"{site}/spring/"
        assert manifest.name == "m"
        assert list(manifest.lines()) == [(1, {"design": "a.png", "size": "64"})]


def test_a_page_has_no_hold_on_a_report(tmp_path: Path) -> None:
    """The report of a run is read back as it was written, whichever kind of file."""
    from farm.adapters.report_file import SCHEMA, open_report
    from farm.render.catalog.report import ReportRow

    good = ReportRow(row=1, product_id="t", job_id="j", status="completed", outputs={"front_0deg": "u"}, cached=True)
    bad = ReportRow(row=2, product_id="=cmd()", status="failed", code="bad_design", message="m", hint="h")
    for suffix in (".parquet", ".csv", ".jsonl"):
        path = tmp_path / f"report{suffix}"
        with open_report(path) as sink:
            sink.add([good])
            sink.add([bad])
        assert [item.name for item in tmp_path.iterdir() if item.name.startswith(".")] == []
    table = parquet.read_table(tmp_path / "report.parquet")
    assert table.schema.equals(SCHEMA)
    first, second = table.to_pylist()
    assert (first["row"], first["outputs"], first["cached"]) == (1, [("front_0deg", "u")], True)
    assert (second["status"], second["code"], second["outputs"]) == ("failed", "bad_design", [])
    lines = (tmp_path / "report.csv").read_text().splitlines()
    assert len(lines) == 3
    assert "'=cmd()" in lines[2], "no formula for a spreadsheet"
    assert json.loads((tmp_path / "report.jsonl").read_text().splitlines()[1])["code"] == "bad_design"
