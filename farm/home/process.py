"""A process of this machine, known by id and start time: ids are used again, the pair is not.

Linux only, like the farm: it reads ``/proc``.
"""

import contextlib
import os
import select
import signal
import time
from pathlib import Path

_PROC = Path("/proc")


def identity(pid: int | None = None) -> str | None:
    """``pid:starttime`` (field 22 of ``/proc/<pid>/stat``) of a live process, this one by default, else ``None``."""
    pid = os.getpid() if pid is None else pid
    try:
        # The command's name stands in parentheses and may hold anything, parentheses too.
        rest = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    state, started = rest[0], rest[19]
    return None if state in "ZX" else f"{pid}:{started}"


def alive(process: str) -> bool:
    """Whether the process of that identity still runs (a zombie does not)."""
    pid = pid_of(process)
    return pid > 0 and identity(pid) == process


def pid_of(process: str) -> int:
    """The id in an identity; 0 where it is none."""
    pid, _, _ = process.partition(":")
    return int(pid) if pid.isascii() and pid.isdigit() else 0


def marked(variable: str, value: str) -> list[str]:
    """Identities of the processes that were started with ``variable=value`` in their environment.

    Only this user's processes can be looked at; others are none of ours.
    """
    mark = f"{variable}={value}".encode()
    found = []
    for folder in _PROC.iterdir():
        if not folder.name.isdigit():
            continue
        process = identity(int(folder.name))
        if process is None:
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment:
            found.append(process)
    return found


def end(processes: list[str], *, grace_s: float) -> list[str]:
    """Ask the processes to end (SIGTERM), kill those that have not after ``grace_s``; returns those that were there."""
    with contextlib.ExitStack() as stack:
        handles: dict[int, str] = {}
        for process in processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                handle = os.pidfd_open(pid_of(process))
                stack.callback(os.close, handle)
                if alive(process):  # looked at through an open handle, the id cannot pass to another process
                    handles[handle] = process
        for handle in handles:
            _signal(handle, signal.SIGTERM)
        left = _wait(set(handles), grace_s)
        for handle in left:
            _signal(handle, signal.SIGKILL)
        _wait(left, grace_s)
        return list(handles.values())


def _signal(handle: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)


def _wait(handles: set[int], for_s: float) -> set[int]:
    """Those of the process handles that are still open for business after ``for_s``."""
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    left = set(handles)
    deadline_s = time.monotonic() + for_s
    while left and (rest_s := deadline_s - time.monotonic()) > 0:
        for handle, _ in poll.poll(rest_s * 1000):
            poll.unregister(handle)
            left.discard(handle)
    return left
