"""The picture of a running job on a terminal: phases of the start, one bar per view, what is done now, time left.

`job_panel` is a pure function of what is known, so that every state of it can be looked at in a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from farm.cli.console import seconds, status_text
from farm.render.progress import LEFT_OUT_STATUS

STEPS = {
    "create_job": "taking the job in",
    "upload_design": "storing the design",
    "compose_design": "composing the print",
    "render_design": "rendering",
    "store_outputs": "storing the pictures",
    "associate_media": "attaching to the product",
    "complete_job": "finishing",
    "render_job": "rendering",
}
"""A step of the saga, in words."""

PHASES = {
    "design": "design read",
    "starting": "host",
    "store": "store",
    "ray": "Ray",
    "coordinators": "coordinators",
}
"""A phase on the way to the first view, in words."""

BAR_WIDTH = 32


@dataclass(slots=True)
class JobPicture:
    """What a screen knows.

    Attributes:
        title: the job in one line.
        phases_s: finished phases of the start and how long each took.
        phase: the phase that runs now, since ``phase_since_s`` (seconds since the command began).
        record: the job's record; ``None`` before it was accepted.
        elapsed_s: since the command began.
        first_picture_s: when the first view was done, likewise.
        arrived: views whose picture lies in the folder already, and where.
        notice: what the person should know right now, such as how to leave.
    """

    title: str
    phases_s: dict[str, float] = field(default_factory=dict)
    phase: str | None = None
    phase_since_s: float = 0.0
    record: Mapping[str, Any] | None = None
    elapsed_s: float = 0.0
    first_picture_s: float | None = None
    arrived: dict[str, str] = field(default_factory=dict)
    notice: str = ""


def job_panel(picture: JobPicture, *, width: int, spinner: Spinner | None = None) -> RenderableType:
    """Everything, from top to bottom; fits 80 columns and 24 rows."""
    parts: list[RenderableType] = [Text(picture.title, style="bold", no_wrap=True, overflow="ellipsis"), Text("")]
    if picture.record is None:
        parts.append(_phases(picture, spinner))
        for view, what in picture.arrived.items():
            parts.append(Text(f"  ✓ {view}  {what}", style="green", no_wrap=True, overflow="ellipsis"))
    else:
        parts.append(_started_line(picture))
        parts.append(_job_line(picture, spinner))
        parts.append(Text(""))
        parts.append(Padding(_views(picture.record, width, picture.arrived), (0, 0, 0, 2)))
        foot = _foot(picture)
        if foot:
            parts += [Text(""), foot]
    if picture.notice:
        parts += [Text(""), Text(picture.notice, style="yellow")]
    return Group(*parts)


def _phases(picture: JobPicture, spinner: Spinner | None) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, took_s in picture.phases_s.items():
        table.add_row(Text("  ✓", style="green"), PHASES.get(name, name), Text(seconds(took_s), style="dim"))
    if picture.phase is not None:
        running = picture.elapsed_s - picture.phase_since_s
        mark: RenderableType = Padding(spinner, (0, 0, 0, 2)) if spinner else Text("  …")
        table.add_row(mark, PHASES.get(picture.phase, picture.phase), Text(seconds(max(0.0, running)), style="dim"))
    return table


def _started_line(picture: JobPicture) -> Text:
    return Text(f"  {phases_line(picture)}", style="dim", no_wrap=True, overflow="ellipsis")


def phases_line(picture: JobPicture) -> str:
    """The phases of the start in one line."""
    parts = [f"{PHASES.get(name, name)} {seconds(took_s)}" for name, took_s in picture.phases_s.items()]
    return ", ".join(parts) or "farm is up"


def _job_line(picture: JobPicture, spinner: Spinner | None) -> Table:
    record = picture.record
    assert record is not None
    ended = record["phase"] == "ended"
    line = Text.assemble(str(record["id"]), "  ", status_text(record))
    if not ended:
        line.append(f" {record['progress']:.0f} %")
        what = STEPS.get(str(record["step"]), str(record["step"] or ""))
        if record["phase"] == "compensating":
            line.append(f" {what}" if what else "", style="dim")
        elif what and what != str(record["status"]):
            line.append(f", {what}", style="dim")
        if record.get("eta_s") is not None and record["phase"] == "forward":
            line.append(f", about {seconds(max(1.0, round(record['eta_s'])))} left", style="dim")
    table = Table.grid(padding=(0, 1))
    mark: RenderableType = Text("  ") if spinner is None or ended else Padding(spinner, (0, 0, 0, 2))
    table.add_row(mark, line)
    return table


def _views(record: Mapping[str, Any], width: int, arrived: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(width=max(10, min(BAR_WIDTH, width - 48)))
    table.add_column(no_wrap=True, overflow="ellipsis")
    for view in record["views"]:
        share = 1.0 if view["status"] == "done" else float(view["progress"])
        note = _view_note(view)
        if view["view"] in arrived and view["status"] != "done":
            note.append("  in the folder", style="dim")
        table.add_row(view["view"], _bar(share, view["status"]), note)
    film = record.get("film")
    if film:
        share = film["frames_done"] / film["frames"]
        note = Text(f"{film['frames_done']} of {film['frames']} frames")
        if film.get("status") == LEFT_OUT_STATUS:
            share, note = 0.0, Text("left out", style="dim")
        table.add_row("animation", _bar(share, "done" if share >= 1 else "rendering"), note)
    model = record.get("model")
    if model:
        share = 1.0 if model["status"] == "done" else float(model["progress"])
        table.add_row("3D model", _bar(share, model["status"]), _view_note(model))
    return table


def _bar(share: float, status: str) -> RenderableType:
    style = {"done": "green", "rendering": "cyan"}.get(status, "dim")
    return ProgressBar(total=1.0, completed=share, complete_style=style, finished_style="green", style="bright_black")


def _view_note(view: Mapping[str, Any]) -> Text:
    match view["status"]:
        case "done":
            note = Text("done", style="green").append(f"  {seconds(view['seconds'])}", style="dim")
        case "rendering":
            note = Text(f"{100 * float(view['progress']):3.0f} %")
        case _:
            note = Text(str(view["status"]).replace("_", " "), style="dim")
    if int(view["attempts"]) > 1:
        note.append(f"  attempt {view['attempts']}", style="yellow")
    return note


def _foot(picture: JobPicture) -> Text | None:
    record = picture.record
    assert record is not None
    foot = Text()
    if picture.first_picture_s is not None:
        foot.append(f"  first picture after {seconds(picture.first_picture_s)}", style="dim")
    trouble = record.get("error") or record.get("last_error")
    if trouble and trouble.get("message") and record["status"] != "completed" and not record["cancel_requested"]:
        if foot:
            foot.append("\n")
        style = "red" if record.get("error") else "yellow"
        foot.append(f"  {trouble['code']}  {trouble['message']}", style=style)
    return foot or None
