"""A receiver of webhooks on loopback: keeps what came whole, answers what the test says."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

HOST = "127.0.0.1"


@dataclass(slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The event, if the reference library accepts its signature; it raises otherwise."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(slots=True)
class Receiver:
    """Attributes: answers: statuses of the next requests, then 204; headers: of every answer; slow_s: before each."""

    url: str
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    slow_s: float = 0.0
    drip_s: float = 0.0

    @property
    def types(self) -> list[str]:
        import json

        return [json.loads(one.body)["type"] for one in self.received]


class Server(ThreadingHTTPServer):
    """Says nothing of senders that were killed, and leaves no connection open behind it."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in tuple(self._open):
            with suppress(OSError):  # its sender has left
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, *_: Any) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size_bytes = int(self.headers["Content-Length"])
            body = self.rfile.read(size_bytes)
            if len(body) < size_bytes:  # its sender was killed in the middle of it
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.path, headers, body))
            status = receiver.answers.pop(0) if receiver.answers else 204
            time.sleep(receiver.slow_s)
            try:
                if receiver.drip_s:
                    for character in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000:
                        self.wfile.write(bytes([character]))
                        self.wfile.flush()
                        time.sleep(receiver.drip_s)
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:  # whoever sent it has left
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = Server((HOST, 0), Handler)
    receiver = Receiver(f"http://{HOST}:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
