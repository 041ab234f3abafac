"""A server in front of a real S3 server that does to requests what networks and clouds do."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Kind(StrEnum):
    """What happens to a request."""

    ANSWER = "answer"  # this answer (an error, unless there is a `body`), and nothing is done
    SILENCE = "silence"  # nothing is done and nothing is answered for `seconds`
    LATE = "late"  # it is done `seconds` later, whether or not the client still waits
    LOSE = "lose"  # it is done, and the connection breaks before the answer
    TRUNCATE = "truncate"  # the answer's body stops half-way
    DRIP = "drip"  # the answer's body comes byte by byte
    ALTER = "alter"  # one byte of the body is another: of the request where it has a body, else of the answer


@dataclass(kw_only=True)
class Fault:
    """Befalls the next ``times`` requests of this ``method`` whose path holds ``path``."""

    kind: Kind
    method: str
    times: int = 1_000_000
    path: str = ""
    status: int = 500
    code: str = "InternalError"
    body: str = ""
    seconds: float = 0.0


@dataclass(kw_only=True)
class FaultyServer:
    endpoint_url: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Methods of all requests, in order."""
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of all requests, in order; ``bodies`` likewise."""
    bodies: list[bytes] = field(default_factory=list)


@contextmanager
def faulty(upstream_url: str) -> Iterator[FaultyServer]:
    """A proxy before ``upstream_url`` (which must not check signatures) for the length of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    state = FaultyServer(endpoint_url=f"http://127.0.0.1:{server.server_port}")
    server.farm = (state, urlsplit(upstream_url), threading.Lock(), threading.Event())  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.farm[3].set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the test's own failure says what is needed."""

    def _serve(self) -> None:
        state, upstream, lock, over = self.server.farm  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with lock:
            state.seen.append(self.command)
            state.requests.append((self.command, self.path, dict(self.headers.items())))
            state.bodies.append(body)
            fault = next(
                (f for f in state.faults if f.method == self.command and f.path in self.path and f.times), None
            )
            if fault is not None:
                fault.times -= 1
        with suppress(BrokenPipeError, ConnectionResetError):
            if fault is not None and fault.kind is Kind.ANSWER:
                self._answer(fault.status, {}, fault.body.encode() or _error_body(fault.code))
                return
            if fault is not None and fault.kind is Kind.SILENCE:
                over.wait(fault.seconds)
                self.close_connection = True
                return
            if fault is not None and fault.kind is Kind.LATE:
                over.wait(fault.seconds)
                fault = None
            alters = fault is not None and fault.kind is Kind.ALTER
            if alters and body:
                body = _altered(body)
            status, headers, data = self._forward(upstream.hostname, upstream.port, body)
            if alters and data:
                data = _altered(data)
            if fault is None or alters:
                self._answer(status, headers, data)
            elif fault.kind is Kind.LOSE:
                self.close_connection = True
            else:
                self._half_answer(fault, status, headers, data, over)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve

    def _forward(self, host: str, port: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            dropped = ("connection", "transfer-encoding", "date", "server")
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in dropped}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self._head(status, headers, len(data))
        if self.command != "HEAD":
            self.wfile.write(data)

    def _half_answer(
        self, fault: Fault, status: int, headers: dict[str, str], data: bytes, over: threading.Event
    ) -> None:
        self._head(status, headers, len(data))
        self.close_connection = True
        if fault.kind is Kind.TRUNCATE:
            self.wfile.write(data[: len(data) // 2])
            return
        ends_s = time.monotonic() + fault.seconds
        for position in range(len(data)):
            self.wfile.write(data[position : position + 1])
            if time.monotonic() > ends_s or over.wait(0.05):
                return

    def _head(self, status: int, headers: dict[str, str], size_bytes: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD" or not headers:
            self.send_header("Content-Length", str(size_bytes))
        self.end_headers()


def _altered(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def _error_body(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>drill</Message></Error>".encode()
