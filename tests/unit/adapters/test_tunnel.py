"""Through an operator's proxy: to the address that was looked at, for the name that the certificate shows."""

import asyncio
import base64
import datetime
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from farm.adapters.web import Web
from farm.adapters.web_post import WebPost
from farm.errors import FarmError, FetchFailed, FetchRefused, WebhookFailed, WebhookRefused

NAMES = {"public.example": ["93.184.216.34"], "six.example": ["2606:4700::1111"], "private.example": ["10.0.0.7"]}


def look_up(host: str, port: int) -> Sequence[str]:
    if host not in NAMES and not host[-1].isdigit():
        raise OSError("no such name")
    return NAMES.get(host, [host])


class Secure(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"picture")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of ``public.example`` and ``six.example``; with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("public.example"), x509.DNSName("six.example")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


class Proxy:
    """A proxy that leads every CONNECT to one server; or refuses."""

    def __init__(self, server_port: int) -> None:
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.refuses = False
        self._server_port = server_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://us%40er:pass@127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.heads.append(head.decode())
            self.asked.append(head.decode().split()[1])
            if self.refuses:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self._server_port)) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Secure)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    running = Proxy(server.server_port)
    for name in ("all_proxy", "ALL_PROXY", "https_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", running.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield running
    running.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def web(proxy: Proxy) -> Iterator[Web]:
    opened = Web(frozenset(), timeout_s=5.0, resolve=look_up)
    yield opened
    opened.close()


def post(url: str) -> int:
    return asyncio.run(WebPost(timeout_s=5.0, resolve=look_up).send(url, headers={}, body=b"{}")).status


def test_the_proxy_is_told_the_address_and_the_name_is_the_certificates(proxy: Proxy, web: Web) -> None:
    assert web.read("https://public.example/a.png", limit_bytes=10)[0] == b"picture"
    assert web.read("https://six.example/a.png", limit_bytes=10)[0] == b"picture"
    assert post("https://public.example/hook") == 204
    assert proxy.asked == ["93.184.216.34:443", "[2606:4700::1111]:443", "93.184.216.34:443"]
    assert not any("example" in head for head in proxy.heads)
    basic = base64.b64encode(b"us@er:pass").decode()
    assert all(f"Proxy-Authorization: Basic {basic}" in head for head in proxy.heads)


def test_what_leads_inside_is_not_asked_of_the_proxy(proxy: Proxy, web: Web) -> None:
    for url in ("https://private.example/", "https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/"):
        with pytest.raises(FetchRefused):
            web.read(url, limit_bytes=10)
        with pytest.raises(WebhookRefused):
            post(url)
    assert proxy.asked == []


def test_a_name_that_only_the_proxy_knows_leads_nowhere(proxy: Proxy, web: Web) -> None:
    """What it means could not be looked at."""
    with pytest.raises(FetchFailed):
        web.read("https://elsewhere.example/", limit_bytes=10)
    assert proxy.asked == []


@pytest.mark.parametrize("no_proxy", ["public.example", ".example", "*"])
def test_no_proxy_is_honoured(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, no_proxy: str) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    reached: list[str] = []

    class Nowhere(httpcore.SyncBackend):
        def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.NetworkStream:
            reached.append(host)
            raise httpcore.ConnectError("this test leaves the machine alone")

    web = Web(frozenset(), timeout_s=5.0, resolve=look_up, network=Nowhere())
    with pytest.raises(FetchFailed):
        web.read("https://public.example/", limit_bytes=10)
    assert (reached, proxy.asked) == (["93.184.216.34"], [])
    web.close()


def test_a_proxy_that_refuses_or_that_nobody_can_speak_to_is_named(
    proxy: Proxy, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.refuses = True
    told: list[FarmError] = []
    for url in (proxy.url, "socks5://127.0.0.1:1", "http://[", "https://127.0.0.1:1"):
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(FetchFailed) as caught:
            web.read("https://public.example/", limit_bytes=10)
        with pytest.raises(WebhookFailed) as also:
            post("https://public.example/")
        told += [caught.value, also.value]
    assert ["403" in error.message for error in told] == [True, True] + [False] * 6
    assert all("HTTPS_PROXY" in error.message for error in told[2:])
    assert not any("pass" in error.message for error in told)
