"""How a command that waits for a run tells how far it is: a bar on a terminal, plain lines elsewhere, or nothing."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from farm.cli.console import err
from farm.cli.link import FarmLink
from farm.cli.wait import LOOK_S, STORE_PATIENCE, Interrupts
from farm.errors import StoreUnavailable
from farm.home.state import HostState, Phase

SAY_EVERY_S = 15.0
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
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._screen = Live(self._bar, console=console, transient=True, refresh_per_second=4, redirect_stdout=False)
        self._task = self._bar.add_task("starting", total=1, note="", visible=False)
        self._said_s = 0.0

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
        if text and not self._quiet:
            self._console.print(text, style="yellow", soft_wrap=True)

    def story(self) -> str:
        return ""

    def run(self, record: Mapping[str, Any]) -> None:
        """The run's record, as often as one likes."""
        counts = record["counts"]
        notes = [f"{counts[name]:,} {name}" for name in ("failed", "cached") if counts[name]]
        if record["status"] != "running":
            notes.insert(0, str(record["status"]))
        note = ", ".join(notes)
        if self._live:
            self._bar.update(
                self._task,
                description=record["name"],
                total=record["rows"],
                completed=record["rows_done"],
                note=note,
                visible=True,
            )
        elif not self._quiet and time.monotonic() - self._said_s > SAY_EVERY_S:
            self._said_s = time.monotonic()
            text = f"{record['name']}: {record['rows_done']:,} of {record['rows']:,} rows"
            self._console.print(text + (f", {note}" if note else ""), soft_wrap=True)

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


def run_screen(*, quiet: bool) -> RunScreen:
    """The screen for standard error."""
    return RunScreen(err(), quiet=quiet)
