"""A server as a child of this process: up when the block begins, gone when it ends, and gone too when we are killed."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.contract.servers.process import ServerDidNotStart

_STOP_S = 15.0


@contextmanager
def child(
    command: Sequence[str | Path],
    *,
    log: Path,
    is_up: Callable[[], bool],
    within_s: float,
    user: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stop_with: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` for the length of the block.

    Raises:
        ServerDidNotStart: it ended, or is not up ``within_s``; with the end of its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_dying_with_us(user), *map(str, command)],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        ends_s = time.monotonic() + within_s
        while not is_up():
            if process.poll() is not None or time.monotonic() > ends_s:
                text = log.read_text("utf-8", "replace")[-2000:]
                raise ServerDidNotStart(f"{command[0]} (exit status {process.poll()}) did not come up:\n{text}")
            time.sleep(0.1)
        yield process
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _dying_with_us(user: str | None) -> list[str]:
    # A test run that passes its time limit leaves without a word to its children.
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServerDidNotStart("there is no setpriv program (package util-linux)")
    identity = []
    if user is not None:
        entry = pwd.getpwnam(user)
        identity = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
    return [setpriv, *identity, "--pdeathsig=KILL", "--"]
