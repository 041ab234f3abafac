"""Children for `farm.picture.decode_child` without the start of an interpreter each: born of a process that is warm.

The mother has imported what decoding needs, has an empty environment, and never sees a byte of a design: she forks one
child for each, hands it the pipes that came with the order, and tells how it ended. So a design still has a process of
its own with limits of its own, ready in milliseconds in place of a fifth of a second of processor time.
"""

import contextlib
import fcntl
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from farm.errors import DesignDecodeFailed
from farm.picture.decode_child import ENVIRONMENT, Child, main

_BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from farm.picture.decode_nursery import mother; mother(int(sys.argv[2]))"
)
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_NUMBER = struct.Struct("!i")
PIPE_BYTES = 1 << 20
"""The most that Linux gives to whoever is not root."""
BIRTH_S = 20.0
"""The longest that the mother's own start and a birth may take."""


class Nursery:
    """One mother; one child at a time. Not for several threads: see `Nurseries`."""

    def __init__(self) -> None:
        self._mother: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def bear(self) -> Child:
        """A child that waits for its order on its standard input.

        Raises:
            DesignDecodeFailed: when none can be born.
        """
        for last in (False, True):
            try:
                return self._bear()
            except (OSError, EOFError) as error:  # the mother died: a new one is warm in a moment
                self.close()
                if last:
                    raise DesignDecodeFailed(reason=f"no decoder could be started: {error}") from error
        raise AssertionError

    def _bear(self) -> Child:
        line = self._line or self._start()
        near: list[IO[bytes]] = []
        far: list[int] = []
        for mode in ("wb", "rb", "rb"):
            reads, writes = os.pipe()
            if len(near) < 2:  # errors are short
                _widen(writes)
            near.append(os.fdopen(writes if mode == "wb" else reads, mode, buffering=0))
            far.append(reads if mode == "wb" else writes)
        try:
            socket.send_fds(line, [b"d"], far)
            pid = _receive(line, time.monotonic() + BIRTH_S)
        except BaseException:
            for pipe in near:
                pipe.close()
            raise
        finally:
            for fd in far:
                os.close(fd)
        return _Born(self, pid, line, *near)

    def _start(self) -> socket.socket:
        ours, hers = socket.socketpair()
        with hers:
            self._mother = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOTSTRAP, _PACKAGE_ROOT, str(hers.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=(hers.fileno(),),
                start_new_session=True,
            )
        self._line = ours
        return ours

    def close(self) -> None:
        """End the mother."""
        line, mother = self._line, self._mother
        self._line = self._mother = None
        if line is not None:
            line.close()
        if mother is not None:
            mother.kill()
            mother.wait()


class _Born:
    """One child, as `Child` wants it."""

    def __init__(
        self, nursery: Nursery, pid: int, line: socket.socket, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]
    ) -> None:
        self._nursery = nursery
        self._pid = pid
        self._line = line
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._status: int | None = None

    def wait(self, timeout: float) -> int:
        if self._status is None:
            try:
                self._status = _receive(self._line, time.monotonic() + timeout)
                self._line.sendall(b"r")  # only now may its number be another's
            except TimeoutError:
                raise
            except (OSError, EOFError):
                self._nursery.close()
                self._status = -signal.SIGKILL
        return self._status

    def kill(self) -> None:
        if self._status is None:
            # Not reaped before we say so, so the number is still this child's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            try:
                self.wait(BIRTH_S)
            except TimeoutError:
                self._nursery.close()
                self._status = -signal.SIGKILL


def _widen(pipe: int) -> None:
    """Let a pipe take a whole design at once: else both ends wake each other for every 64 KB of it."""
    with contextlib.suppress(OSError):  # the system has too much in pipes already: then piece by piece
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _receive(line: socket.socket, until_s: float) -> int:
    data = b""
    while len(data) < _NUMBER.size:
        line.settimeout(max(0.001, until_s - time.monotonic()))
        piece = line.recv(_NUMBER.size - len(data))
        if not piece:
            raise EOFError("the decoders' mother has died")
        data += piece
    return int(_NUMBER.unpack(data)[0])


class Nurseries:
    """So many mothers, shared by threads; a thread waits for a free one."""

    def __init__(self, count: int) -> None:
        self._every = [Nursery() for _ in range(count)]
        self._free: queue.SimpleQueue[Nursery] = queue.SimpleQueue()
        for nursery in self._every:
            self._free.put(nursery)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for nursery in self._every:
            nursery.close()

    @contextmanager
    def taken(self) -> Iterator[Nursery]:
        """A nursery of one's own."""
        nursery = self._free.get()
        try:
            yield nursery
        finally:
            self._free.put(nursery)


def mother(line_fd: int) -> None:
    """The mother: a fork for each order, until nobody is at the other end."""
    line = socket.socket(fileno=line_fd)
    while True:
        order, fds, _, _ = socket.recv_fds(line, 1, 3)
        if not order:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            _be_born(line, fds)
        for fd in fds:
            os.close(fd)
        try:
            line.sendall(_NUMBER.pack(pid))
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            status = 0 if ended is None else ended.si_status
            killed = ended is not None and ended.si_code != os.CLD_EXITED
            line.sendall(_NUMBER.pack(-status if killed else status))
            line.recv(1)
        except OSError:
            os._exit(0)  # whoever ordered is gone; the child meets the end of its input
        os.waitpid(pid, 0)


def _be_born(line: socket.socket, pipes: list[int]) -> None:
    """In the child: nothing of the mother's stays open, and whatever happens ends here."""
    try:
        os.setsid()
        line.close()
        for place, fd in enumerate(pipes):
            os.dup2(fd, place)
        os.closerange(3, 64)
        main()
    except BaseException:
        traceback.print_exc()
    os._exit(1)
