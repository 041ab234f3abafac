"""Decode a design in a process of its own, so that a hostile file can harm nothing but that process.

The child starts with an empty environment and no open files but three pipes, lowers its own limits before it reads a
byte of the design (memory, processor time, no writing of files, no core dump), and answers with one JSON line and the
normalised PNG. The parent bounds what it reads, and at the deadline kills the child's whole process group.
"""

import contextlib
import json
import math
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from farm.errors import BadDesign, DesignDecodeFailed, DesignTooLarge, every_error
from farm.picture.decode import DecodeLimits, DesignFacts, decode, normalise
from farm.picture.notice import Notice

MEMORY_BYTES = 3 * 1024**3
"""Address space of the child: enough for 80 megapixels with a colour profile and a rotation (measured: 1.9 GB)."""

_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv[1]); from farm.picture.decode_child import main; main()"
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_LOG_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedDesign:
    """A design that is safe to store: a plain PNG made by us, and what the upload was."""

    png: bytes
    facts: DesignFacts
    warnings: tuple[Notice, ...]


class Child(Protocol):
    """A process that waits for an order: `main` runs in it.

    Attributes:
        stdin, stdout, stderr: its pipes.
    """

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def wait(self, timeout: float) -> int:
        """Its exit status, negative where a signal ended it.

        Raises:
            TimeoutError: when it has not ended by then.
        """
        ...

    def kill(self) -> None:
        """End it and whatever it started; harmless when it has ended."""
        ...


class _Fresh:
    """A child with an interpreter of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOTSTRAP, _PACKAGE_ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdin, self.stdout, self.stderr = self._process.stdin, self._process.stdout, self._process.stderr

    def wait(self, timeout: float) -> int:
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error

    def kill(self) -> None:
        if self._process.poll() is None:
            # The child leads its own group; the group is gone only if the child ended meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def decode_in_child(
    data: bytes,
    limits: DecodeLimits,
    deadline_s: float,
    *,
    memory_bytes: int = MEMORY_BYTES,
    start: Callable[[], Child] = _Fresh,
) -> DecodedDesign:
    """Decode and normalise ``data`` in a child process; returns or raises within ``deadline_s`` and a moment.

    Args:
        start: starts the child; see `farm.picture.decode_nursery` for one that is ready sooner.

    Raises:
        BadDesign: one of its subclasses, as `farm.picture.decode.decode` raises them; `DesignDecodeFailed` when the
            child needed more time or memory than it may have, or died.
    """
    if len(data) > limits.max_bytes:
        raise DesignTooLarge(size_bytes=len(data), limit_bytes=limits.max_bytes)
    order = {"limits": asdict(limits), "memory_bytes": memory_bytes, "cpu_s": math.ceil(deadline_s) + 1}
    head = json.dumps(order).encode() + b"\n"
    answer_limit = limits.max_pixels * 4 + limits.max_pixels // 64 + 1_000_000
    answer, log, status = _converse(start, head, data, deadline_s, answer_limit)
    line, _, png = answer.partition(b"\n")
    try:
        reply: dict[str, Any] = json.loads(line)
    except ValueError:
        raise DesignDecodeFailed(reason=_cause_of_death(status), log=log) from None
    if "error" in reply:
        kinds = {kind.__name__: kind for kind in every_error(BadDesign)}
        raise kinds.get(reply["error"], DesignDecodeFailed)(**reply["fields"])
    if status != 0 or len(png) != reply["size_bytes"]:
        raise DesignDecodeFailed(reason=_cause_of_death(status), log=log)
    return DecodedDesign(
        png=png,
        facts=DesignFacts(**reply["facts"]),
        warnings=tuple(Notice(**notice) for notice in reply["warnings"]),
    )


def _cause_of_death(status: int) -> str:
    if status >= 0:
        return f"the decoder ended early (status {status})"
    if -status in (signal.SIGXCPU, signal.SIGKILL):
        return "it took more time or memory than a design may take"
    return f"the decoder crashed ({signal.Signals(-status).name})"


def _converse(
    start: Callable[[], Child], head: bytes, data: bytes, deadline_s: float, answer_limit: int
) -> tuple[bytes, str, int]:
    """Send, receive, wait: the child's output, the end of its log, its exit status.

    Raises:
        DesignDecodeFailed: at the deadline, or when the child says more than ``answer_limit`` bytes.
    """
    deadline = time.monotonic() + deadline_s
    child = start()
    answer, log = bytearray(), bytearray()
    pending = [memoryview(head), memoryview(data)]
    try:
        with selectors.DefaultSelector() as ready:
            for pipe in (child.stdin, child.stdout, child.stderr):
                os.set_blocking(pipe.fileno(), False)
            ready.register(child.stdin, selectors.EVENT_WRITE)
            ready.register(child.stdout, selectors.EVENT_READ, answer)
            ready.register(child.stderr, selectors.EVENT_READ, log)
            while ready.get_map():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise DesignDecodeFailed(reason=f"it was not done within {deadline_s:g} s")
                for key, _ in ready.select(left_s):
                    if key.fileobj is child.stdin:
                        if not _write(key.fd, pending):
                            ready.unregister(child.stdin)
                            child.stdin.close()
                        continue
                    piece = os.read(key.fd, 1 << 20)
                    if not piece:
                        ready.unregister(key.fileobj)
                    key.data.extend(piece)
                if len(answer) > answer_limit:
                    raise DesignDecodeFailed(reason="the decoder's answer is larger than any design")
                del log[:-_LOG_BYTES]
        try:
            status = child.wait(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise DesignDecodeFailed(reason=f"it was not done within {deadline_s:g} s") from None
    finally:
        child.kill()
        for pipe in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    return bytes(answer), log.decode(errors="replace"), status


def _write(fd: int, pending: list[memoryview]) -> bool:
    """Write what the pipe takes; false when all is written or the child reads no more (its answer says why)."""
    try:
        while pending:
            written = os.write(fd, pending[0][: 1 << 20])
            pending[0] = pending[0][written:]
            if not pending[0]:
                pending.pop(0)
    except BlockingIOError:
        return True
    except BrokenPipeError:
        pending.clear()
    return False


def lower_limits(memory_bytes: int, cpu_s: int) -> None:
    """What this process may use from now on; it cannot be raised again."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        _, ceiling = resource.getrlimit(what)
        most = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        resource.setrlimit(what, (most, most))


def main() -> None:
    """The child: limits first, then the order, then the design; one JSON line and the PNG out."""
    order = json.loads(sys.stdin.buffer.readline(4096))
    lower_limits(order["memory_bytes"], order["cpu_s"])
    limits = DecodeLimits(**order["limits"])
    png = b""
    try:
        design = decode(sys.stdin.buffer.read(limits.max_bytes + 1), limits=limits)
        png = normalise(design)
        reply: dict[str, Any] = {
            "facts": asdict(design.facts),
            "warnings": [asdict(notice) for notice in design.warnings],
            "size_bytes": len(png),
        }
    except BadDesign as error:
        reply = {"error": type(error).__name__, "fields": dict(error.fields)}
    except MemoryError:
        reply = {"error": "DesignDecodeFailed", "fields": {"reason": "it needs more memory than a design may take"}}
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
    sys.stdout.buffer.write(png)
    sys.stdout.buffer.flush()
    # Nothing is left to tidy up, and the interpreter's own end would cost another 20 ms.
    os._exit(0)
