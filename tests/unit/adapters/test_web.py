"""What the farm may fetch: the real client and connector, names from a table, one server on loopback."""

import http.server
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import httpcore
import pytest

from farm.adapters.guarded import resolve
from farm.adapters.open_internet import is_public
from farm.adapters.web import Web
from farm.errors import DesignNotFound, FarmError, FetchFailed, FetchRefused

LISTED = "shop.example"
"""An operator's own host: it may be private and speak http."""
NAMES = {
    LISTED: ["127.0.0.1"],
    "public.example": ["93.184.216.34"],
    "private.example": ["10.0.0.7"],
    "both.example": ["93.184.216.34", "192.168.1.4"],
    "six.example": ["fd00::7"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "compatible.example": ["::127.0.0.1"],
    "sixtofour.example": ["2002:7f00:1::1"],
    "teredo.example": ["2001:0:7f00:1::1"],
    "site.example": ["fec0::1"],
    "linked.example": ["fe80::1%eth0"],
    "shared.example": ["100.64.0.1"],
    "many.example": ["224.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
}


class _Server(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012  # shared on purpose

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to?"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/loop":
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/gone":
            self.send_error(404)
        else:
            data = b"x" * 100
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class Network(httpcore.SyncBackend):
    """Real sockets, but every address is the server on loopback; remembers where it was sent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connected: list[str] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self.connected.append(host)
        return super().connect_tcp("127.0.0.1", self._port, timeout, local_address, socket_options)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def network(port: int) -> Network:
    _Server.asked.clear()
    return Network(port)


@pytest.fixture
def web(network: Network) -> Iterator[Web]:
    client = Web(frozenset({LISTED}), timeout_s=5, resolve=look_up, network=network)
    yield client
    client.close()


def look_up(host: str, port: int) -> Sequence[str]:
    """Names from the table; numbers as this machine's resolver reads them, which asks nobody for those."""
    if host in NAMES:
        return NAMES[host]
    if not set(host) <= set("0123456789abcdefx.:"):
        raise OSError("no such name")
    return resolve(host, port)


REFUSED = [
    # numbers in every way that a resolver reads them
    "https://127.0.0.1/x",
    "https://127.1/x",
    "https://2130706433/x",
    "https://0x7f000001/x",
    "https://0x7f.1/x",
    "https://0177.0.0.1/x",
    "https://017700000001/x",
    "https://0/x",
    "https://0.0.0.0/x",
    "https://10.1.2.3/x",
    "https://172.16.0.1/x",
    "https://192.168.0.1/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/x",
    "https://198.18.0.1/x",
    "https://255.255.255.255/x",
    # IPv6, and IPv4 within
    "https://[::1]/x",
    "https://[::]/x",
    "https://[fe80::1]/x",
    "https://[fd00::1]/x",
    "https://[fec0::1]/x",
    "https://[ff02::1]/x",
    "https://[::127.0.0.1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:7f00:1]/x",
    "https://[::ffff:0:127.0.0.1]/x",
    "https://[64:ff9b::7f00:1]/x",
    "https://[2002:7f00:1::]/x",
    "https://[2001:0:7f00:1::]/x",
    # names that lead inside
    *(f"https://{name}/x" for name in NAMES if name not in (LISTED, "public.example")),
    # users, ports, schemes, and addresses that two readers read differently
    "https://public.example@127.0.0.1/x",
    "https://user:word@public.example/x",
    "https://public.example:password@private.example/x",
    "https://public.example\\@127.0.0.1/x",
    "https://public.example/x\r\nHost: private.example",
    "https://public.example /x",
    "https://public.example:22/x",
    "https://public.example:6379/x",
    "https://public.example:0/x",
    "https://public.example:99999/x",
    "http://public.example/x",
    "http://private.example/x",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://public.example/x",
    "dict://127.0.0.1:11211/stat",
    "data:image/png;base64,AAAA",
    "//127.0.0.1/x",
    "https:///x",
    "https://",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_not_on_the_open_web_is_refused(web: Web, network: Network, url: str) -> None:
    with pytest.raises(FetchRefused):
        web.read(url, limit_bytes=1000)
    assert network.connected == []


REDIRECTED = [url for url in REFUSED if url.partition(":")[0] in ("https", "http", "file", "gopher", "ftp")]


@pytest.mark.parametrize("url", [url for url in REDIRECTED if not set(url) & set(" \r\\")])  # no address can hold those
def test_a_redirect_there_is_refused_too(web: Web, network: Network, url: str) -> None:
    with pytest.raises(FetchRefused):
        web.read(f"http://{LISTED}/to?{url}", limit_bytes=1000)
    assert network.connected == ["127.0.0.1"], "only the first server was met"
    assert len(_Server.asked) == 1


def test_a_name_that_changes_its_mind_is_asked_once_and_met_where_it_was_looked_at(network: Network) -> None:
    """DNS rebinding: public when it is looked at, private a moment later."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    web = Web(frozenset(), timeout_s=5, resolve=rebinding, network=network)
    with pytest.raises(
        FetchFailed
    ):  # the server on loopback speaks no TLS; that it was reached by the public address counts
        web.read("https://changing.example/x", limit_bytes=1000)
    assert (asked, network.connected) == (["changing.example"], ["93.184.216.34"])
    with pytest.raises(FetchRefused):
        web.read("https://changing.example/x", limit_bytes=1000)
    assert network.connected == ["93.184.216.34"]
    web.close()


def test_a_listed_host_may_be_private_and_is_held_to_size_and_steps(web: Web) -> None:
    assert web.read(f"http://{LISTED}/x", limit_bytes=100)[0] == b"x" * 100
    assert web.read(f"http://{LISTED}/to?/x", limit_bytes=100)[0] == b"x" * 100
    cases: list[tuple[str, type[FarmError]]] = [
        ("/big", FetchRefused),
        ("/gone", DesignNotFound),
        ("/loop", FetchFailed),
    ]
    for path, error in cases:
        with pytest.raises(error):
            web.read(f"http://{LISTED}{path}", limit_bytes=99)


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_the_open_internet_is_open(text: str) -> None:
    assert is_public(text)
