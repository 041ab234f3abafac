import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from farm.home import process


@contextmanager
def child(program: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that says ``ready`` and then does what ``program`` says."""
    line = f"import time, signal, sys; {program}; print('ready', flush=True); time.sleep(60)"
    command = subprocess.Popen([sys.executable, "-c", line], stdout=subprocess.PIPE, env={**os.environ, **environ})
    with command as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        try:
            yield started
        finally:
            started.kill()


def test_a_process_is_known_until_it_ends_and_a_zombie_has_ended() -> None:
    with child("pass") as started:
        known = process.identity(started.pid)
        assert known is not None
        assert (process.alive(known), process.pid_of(known)) == (True, started.pid)
        assert not process.alive(f"{started.pid}:1")
        started.kill()
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now: nobody has asked for its end
        assert not process.alive(known)


def test_this_process_is_alive_and_nonsense_is_not() -> None:
    assert process.alive(str(process.identity()))
    assert [process.alive(nonsense) for nonsense in ("", "x", "-1:5", "0:0", "999999999:1")] == [False] * 5


def test_marked_processes_are_found_by_their_environment_at_birth() -> None:
    with child("pass", FARM_TEST_MARK="here") as marked, child("pass", FARM_TEST_MARK="elsewhere"):
        assert process.marked("FARM_TEST_MARK", "here") == [process.identity(marked.pid)]


def test_one_that_ends_when_asked_is_not_killed_and_one_that_does_not_is() -> None:
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with child("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))") as polite, child(stubborn) as deaf:
        both = [str(process.identity(polite.pid)), str(process.identity(deaf.pid))]
        began_s = time.monotonic()
        assert process.end(both, grace_s=0.5) == both
        assert time.monotonic() - began_s < 3.0
        assert (polite.wait(), deaf.wait()) == (7, -signal.SIGKILL)


def test_another_process_under_the_same_id_is_left_alone() -> None:
    with child("pass") as started:
        assert process.end([f"{started.pid}:1"], grace_s=0.1) == []
        assert started.poll() is None
