"""A server on loopback that answers every request with the bytes it was told to, whatever they are."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_HEAD_BYTES = 1 << 16
_PATIENCE_S = 2.0


@dataclass(kw_only=True)
class Peer:
    """Attributes: ``says`` to each request; ``resets`` the connection behind it in place of closing it."""

    port: int
    says: bytes = b""
    resets: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def peer() -> Iterator[Peer]:
    """Up within the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        state = Peer(port=server.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, state), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, state: Peer) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.settimeout(_PATIENCE_S)
            _request(connection)
            connection.sendall(state.says)
            if state.resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _HEAD_BYTES:
        packet = connection.recv(_HEAD_BYTES)
        if not packet:
            return
        data += packet
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if b"\r\nexpect: 100-continue" in head.lower():
        return  # an answer in place of "go on"
    left = int(lengths[0]) - len(body) if lengths else 0
    while left > 0 and (packet := connection.recv(left)):
        left -= len(packet)
