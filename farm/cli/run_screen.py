"""How a command that waits for a run tells how far it is: a bar on a terminal, plain lines elsewhere, or nothing."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn

from farm.cli.console import err, seconds
from farm.cli.link import FarmLink
from farm.cli.wait import LOOK_S, STORE_PATIENCE, Interrupts
from farm.errors import StoreUnavailable
from farm.home.state import HostState, Phase

SAY_EVERY_S = 5.0
"""Between lines where nothing can be redrawn."""
ENDED = ("completed", "failed", "cancelled")


class RunScreen:
    """Implements `farm.cli.progress.Progress` for commands about runs."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._live = console.is_terminal and not console.is_dumb_terminal
        self._quiet = quiet and not self._live
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(32),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows"),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._screen = Live(self._bar, console=console, transient=True, refresh_per_second=4, redirect_stdout=False)
        self._task = self._bar.add_task("starting", total=1, note="", visible=False)
        self._said_s = -SAY_EVERY_S
        self._said: tuple[Any, ...] = ()
        self._notice = ""

    def __enter__(self) -> Self:
        if self._live:
            self._screen.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._screen.__exit__(kind, error, trace)

    def phase(self, name: str, took_s: float) -> None:
        """Nothing to say: the host tells."""

    def host(self, state: HostState) -> None:
        if self._live:
            ready = state.phase in (Phase.READY, Phase.IDLE)
            note = "" if ready else f"starting the farm: {state.phase}"
            self._bar.update(self._task, description=note, visible=not ready)

    def job(self, record: Mapping[str, Any]) -> None:
        """A run has its own way, see `run`."""

    def say(self, text: str) -> None:
        if text and text != self._notice and not self._quiet:
            self._notice = text
            self._console.print(text, style="yellow", soft_wrap=True)

    def story(self) -> str:
        return ""

    def run(self, record: Mapping[str, Any]) -> None:
        """The run's record, as often as one likes."""
        note = ", ".join([*_standing(record), *_movement(record)])
        if self._live:
            self._bar.update(
                self._task,
                description=record["name"],
                total=record["rows"],
                completed=record["rows_made"],
                note=note,
                visible=True,
            )
            return
        # The end is told by what the command prints, and where nothing moved there is nothing to say.
        news = (record["rows_made"], *_standing(record))
        if self._quiet or news == self._said or record["status"] in ENDED:
            return
        now_s = time.monotonic()
        if now_s - self._said_s >= SAY_EVERY_S:
            self._said_s, self._said = now_s, news
            text = f"{record['name']}: {record['rows_made']:,} of {record['rows']:,} rows"
            self._console.print(text + (f", {note}" if note else ""), markup=False, soft_wrap=True)

    async def until_ended(self, link: FarmLink, run_id: str, interrupts: Interrupts) -> dict[str, Any] | None:
        """The record of the ended run; ``None`` when the person left.

        Raises:
            StoreUnavailable: when the store does not come back.
        """
        misses = 0
        while True:
            try:
                if link.broken:
                    self.say("the farm died; starting it again, the run goes on where it was …")
                    await link.mend()
                record = await link.farm.catalogues.get(run_id)
                misses = 0
                self.run(record)
                if record["status"] in ENDED:
                    return record
                if interrupts.count or interrupts.gone:
                    return None
            except StoreUnavailable:
                misses += 1
                if misses > STORE_PATIENCE or interrupts.count or interrupts.gone:
                    raise
            await interrupts.pause(LOOK_S)


def _standing(record: Mapping[str, Any]) -> list[str]:
    """What is beside the plain course of things."""
    counts = record["counts"]
    found = [f"{counts[name]:,} {name}" for name in ("failed", "cached") if counts[name]]
    return found if record["status"] == "running" else [str(record["status"]), *found]


def _movement(record: Mapping[str, Any]) -> list[str]:
    """The rate and the time left, as far as they can be told."""
    rate, left_s = record["rows_per_s"], record["seconds_left"]
    if rate is None or left_s is None:
        return []
    pace = f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.1f} a minute"
    return [pace, f"{seconds(round(left_s))} left"]


def run_screen(*, quiet: bool) -> RunScreen:
    """The screen for standard error."""
    return RunScreen(err(), quiet=quiet)
