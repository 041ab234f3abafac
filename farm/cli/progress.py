"""How a command tells what goes on while it waits: a live screen on a terminal, plain lines elsewhere, or nothing.

All of it goes to standard error; standard output is for results.
"""

import os
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner

from farm.cli.console import err, seconds
from farm.cli.screen import PHASES, STEPS, JobPicture, job_panel, phases_line
from farm.home import process
from farm.home.state import HostState, Phase


def since_start_s() -> float:
    """Seconds since this process was started, imports included: what the person has waited."""
    started_ticks = int(str(process.identity()).partition(":")[2])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")


_WAITING = {
    Phase.DRAINING: "the farm is going down after its running jobs; a new one starts then",
    Phase.ENDING: "waiting for the former farm to end",
}


class Progress(AbstractContextManager["Progress"], Protocol):
    """Where a command reports."""

    def phase(self, name: str, took_s: float) -> None:
        """A phase of the start is over."""
        ...

    def host(self, state: HostState) -> None:
        """The host's state changed."""
        ...

    def job(self, record: Mapping[str, Any]) -> None:
        """The job's record, as often as one likes."""
        ...

    def say(self, text: str) -> None:
        """Something the person should know now."""
        ...

    def story(self) -> str:
        """What was shown and is gone from the screen, in one line."""
        ...


class JobProgress(Progress, Protocol):
    """Where a command reports whose pictures come into a folder."""

    def arrived(self, view: str, what: str) -> None:
        """A picture lies in the folder; ``what`` says where, and whose it is."""
        ...


def progress_for(title: str, *, quiet: bool) -> JobProgress:
    """The right one for standard error.

    Args:
        quiet: without a terminal say nothing at all (``--json``).
    """
    console = err()
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(title, console)
    return Silence() if quiet else PlainLines(title, console)


class LiveScreen:
    """One picture that is redrawn in place and is gone at the end."""

    def __init__(self, title: str, console: Console) -> None:
        self._picture = JobPicture(title)
        self._console = console
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=8, transient=True, redirect_stdout=False
        )
        self._quiet = _without_echo_of_controls()
        self._joined: HostState | None = None

    def __enter__(self) -> Self:
        self._quiet.__enter__()
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)
        self._quiet.__exit__(kind, error, trace)

    def _render(self) -> RenderableType:
        self._picture.elapsed_s = since_start_s()
        return job_panel(self._picture, width=self._console.width, spinner=self._spinner)

    def phase(self, name: str, took_s: float) -> None:
        self._picture.phases_s[name] = took_s

    def host(self, state: HostState) -> None:
        picture = self._picture
        picture.notice = _WAITING.get(state.phase, "")
        picture.phases_s.update(_phases_to_tell(state, self._joined))
        self._joined = self._joined or state
        name = None if state.phase in (Phase.READY, Phase.IDLE) else str(state.phase)
        if name != picture.phase:
            picture.phase, picture.phase_since_s = name, since_start_s()

    def job(self, record: Mapping[str, Any]) -> None:
        self._picture.record = record
        self._picture.phase = None
        if self._picture.first_picture_s is None and any(view["status"] == "done" for view in record["views"]):
            self._picture.first_picture_s = since_start_s()

    def arrived(self, view: str, what: str) -> None:
        picture = self._picture
        picture.arrived[view] = what
        if picture.first_picture_s is None:
            picture.first_picture_s = since_start_s()

    def say(self, text: str) -> None:
        self._picture.notice = text

    def story(self) -> str:
        first_s = self._picture.first_picture_s
        parts = [phases_line(self._picture), f"first picture after {seconds(first_s)}" if first_s is not None else ""]
        return "; ".join(filter(None, parts))


@contextmanager
def _without_echo_of_controls() -> Iterator[None]:
    """Keep the terminal from writing ``^C`` into the picture."""
    try:
        handle = sys.stdin.fileno()
        before = termios.tcgetattr(handle)
    except (termios.error, OSError, ValueError):
        yield  # there is no keyboard to echo
        return
    quiet = termios.tcgetattr(handle)
    quiet[3] &= ~termios.ECHOCTL
    termios.tcsetattr(handle, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _phases_to_tell(state: HostState, joined: HostState | None) -> Mapping[str, float]:
    """Phases that were waited for; those of a farm that was up already are none of this command's time."""
    if joined is None:
        joined = state
    before = joined.seconds if joined.process == state.process else {}
    if joined.phase is Phase.STARTING:
        before = {}
    return {name: took_s for name, took_s in state.seconds.items() if name not in before}


class PlainLines:
    """A line whenever something is over, for logs and pipes."""

    def __init__(self, title: str, console: Console) -> None:
        self._console = console
        self._title: str | None = title
        self._told: set[str] = set()
        self._joined: HostState | None = None
        self._first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        if self._title is not None:
            title, self._title = self._title, None
            self.say(title)
        if text:
            self._console.print(f"[{since_start_s():6.1f} s] {text}", markup=False, soft_wrap=True)

    def _once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.say(text)

    def _say_if_first(self) -> None:
        if self._first:
            self._first = False
            self.say("that is the first picture")

    def arrived(self, view: str, what: str) -> None:
        self._once(f"{view}: {what}")
        self._say_if_first()

    def phase(self, name: str, took_s: float) -> None:
        self._once(f"{PHASES.get(name, name)}: {seconds(took_s)}")

    def host(self, state: HostState) -> None:
        if state.phase in _WAITING:
            self._once(_WAITING[state.phase])
        for name, took_s in _phases_to_tell(state, self._joined).items():
            self.phase(name, took_s)
        self._joined = self._joined or state

    def job(self, record: Mapping[str, Any]) -> None:
        job_id, step = record["id"], STEPS.get(str(record["step"]), str(record["step"] or ""))
        trouble = record["last_error"] or {}
        if trouble.get("message") and record["phase"] == "forward":
            self._once(f"{trouble['code']}: {trouble['message']}")
        for view in record["views"]:
            if view["status"] == "done":
                took = "kept from before" if view.get("cached") else f"done in {seconds(view['seconds'])}"
                self._once(f"{view['view']}: {took}")
                self._say_if_first()
            elif int(view["attempts"]) > 1:
                self._once(f"{view['view']}: attempt {view['attempts']}")
        if record["phase"] == "ended":
            self._once(f"{job_id} {record['status']}")
        elif record["phase"] == "compensating":
            self._once(f"{job_id} undoing: {step}")
        elif step:
            self._once(f"{job_id} {record['status']}: {step}")

    def story(self) -> str:
        return ""


class Silence:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def phase(self, name: str, took_s: float) -> None:
        return None

    def host(self, state: HostState) -> None:
        return None

    def job(self, record: Mapping[str, Any]) -> None:
        return None

    def arrived(self, view: str, what: str) -> None:
        return None

    def say(self, text: str) -> None:
        return None

    def story(self) -> str:
        return ""
