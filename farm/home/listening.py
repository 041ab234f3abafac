"""Who listens at a TCP port of this machine, as the kernel tells it. Linux only, like the farm."""

import os
import socket
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENING = b"0A"


def listeners(port: int) -> set[int]:
    """The inodes of the sockets that listen at ``port``, on whatever address."""
    ending = b":%04X" % port
    found: set[int] = set()
    for table in _TABLES:
        if not table.exists():  # a machine may have no IPv6
            continue
        with table.open("rb") as lines:
            next(lines)
            for line in lines:
                # number, local address:port, remote one, state, queues, timers, retries, user, timeout, inode
                _, local, _, state, *_, inode = line.split(maxsplit=10)[:10]
                if state != _LISTENING:
                    break  # those that listen come first; of the others there may be tens of thousands
                if local.endswith(ending):
                    found.add(int(inode))
    return found


def inode_of(door: socket.socket) -> int:
    """The inode by which the kernel lists an open socket."""
    return os.fstat(door.fileno()).st_ino
