"""A port of this machine for a server that a test is about to start."""

import errno
import random
import socket

FIRST, LAST = 21_000, 31_999
"""Below what Linux hands out to whoever binds port 0 (32768 to 60999), and above the workers of Ray (10002 to 19999).

A port that was free a moment ago would otherwise be gone before the server asks for it: Ray takes dozens as it starts.
"""


def free_port() -> int:
    """A port on loopback that nobody holds and that nobody is given unasked."""
    while True:
        port = random.randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
        return port
