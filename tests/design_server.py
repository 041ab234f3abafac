"""A web server of designs on loopback: ``/gone…`` is not there, ``/….csv`` is a manifest, all else is a picture."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.workshop import png

MANIFEST = b"design,product_id\nshirts/a.png,web-1\nshirts/b.png,web-2\n"


class _Designs(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        data = MANIFEST if self.path.endswith(".csv") else png((200, 16, len(self.path), 255), 8)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{self.path}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def design_server() -> Iterator[str]:
    """Its address, while it answers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Designs)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
