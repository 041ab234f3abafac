"""A server process for a test: it is up when the block begins, and gone when the block ends."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 60.0
_STOP_S = 10.0


class ServerDidNotStart(RuntimeError):
    """Says what the server printed, so that the failure explains itself."""


def accepts(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(
    command: Sequence[str | Path], *, log: Path, is_up: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` for the length of the block.

    Raises:
        ServerDidNotStart: it ended, or did not answer within `START_S`; with the end of its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        ends_s = time.monotonic() + START_S
        while not is_up():
            if process.poll() is not None or time.monotonic() > ends_s:
                text = log.read_text("utf-8", "replace")[-2000:]
                raise ServerDidNotStart(f"{command[0]} (exit status {process.poll()}) did not come up:\n{text}")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
