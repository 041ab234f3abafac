"""From an accepted job to the command's end: wait, download, say how it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.cli.arrivals import Arrivals
from farm.cli.console import err, out, print_json, show_error
from farm.cli.download import SavedFile, save_outputs
from farm.cli.link import FarmLink
from farm.cli.progress import Progress
from farm.cli.summary import summary
from farm.cli.wait import Interrupts, Left, OnInterrupt, until_ended
from farm.errors import FarmError
from farm.render.bulkhead import blocking


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How waiting for a job went.

    Attributes:
        record: the job, ended unless the person ``left``.
        files: what was downloaded.
        trouble: why a completed job's outputs could not be brought here.
        story: how the command came to its first picture, in one line.
    """

    record: Mapping[str, Any]
    left: bool = False
    folder: Path | None = None
    files: tuple[SavedFile, ...] = ()
    trouble: FarmError | None = None
    story: str = ""


async def await_outcome(
    link: FarmLink,
    record: Mapping[str, Any],
    progress: Progress,
    interrupts: Interrupts,
    *,
    folder: Path | None,
    on_interrupt: OnInterrupt,
    arrivals: Arrivals | None = None,
) -> Outcome:
    """Wait for the job's end; with a ``folder`` bring its outputs there, with ``arrivals`` each as it is finished."""

    async def look(record: Mapping[str, Any]) -> None:
        if arrivals is not None:
            await blocking(arrivals.look, link.farm.store, record)

    try:
        record = await until_ended(link, str(record["id"]), progress, interrupts, on_interrupt=on_interrupt, look=look)
    except Left:
        if arrivals is not None:
            arrivals.leave()
        return Outcome(record=record, left=True)
    if record["status"] != "completed" or folder is None:
        return Outcome(record=record, story=progress.story())
    progress.say("fetching the pictures …")
    try:
        files = await blocking(save_outputs, link.farm.store, record, folder)
    except FarmError as error:
        if arrivals is not None:
            arrivals.keep()
        return Outcome(record=record, folder=folder, trouble=error, story=progress.story())
    story = "; ".join(filter(None, (progress.story(), arrivals.keep() if arrivals is not None else "")))
    return Outcome(record=record, folder=folder, files=tuple(files), story=story)


def tell(outcome: Outcome, *, as_json: bool) -> int:
    """Print the outcome; the command's exit code."""
    record = outcome.record
    if outcome.left:
        err().print(f"Left. The farm goes on with it: farm jobs watch {record['id']}", soft_wrap=True)
        return 1
    if as_json:
        print_json(record)
    else:
        out().print(summary(record, outcome.files, outcome.folder, outcome.story), crop=False)
    if outcome.trouble is not None:
        show_error(outcome.trouble)
        err().print(f"The job is completed and kept: farm jobs download {record['id']} -o DIR", soft_wrap=True)
        return 1
    return 0 if record["status"] == "completed" else 1
