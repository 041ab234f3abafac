"""Tell systemd how a service stands (``sd_notify(3)``); where nobody asked for it, nothing is told."""

import contextlib
import os
import socket


def tell(*states: str) -> None:
    """Send states such as ``READY=1``, ``STATUS=…``, ``WATCHDOG=1`` to whoever started this process, if it listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # in the abstract namespace
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.connect(address)
        out.sendall("\n".join(states).encode())
