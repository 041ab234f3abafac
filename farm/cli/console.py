"""What all commands share in speaking to a person: two consoles, errors, sizes and times in words."""

import json
import math
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from farm.errors import FarmError, InvalidRequest, InvalidSettings, NotFound

OPTIONS = {
    "designs": "DESIGN",
    "product_id": "--product",
    "placements": "--placement",
    "fabric_color": "--fabric-color",
    "background_color": "--background",
}
"""Where an option is not simply ``--`` and the field's name."""


def out() -> Console:
    """Standard output: results only, so that it can be piped."""
    return Console(highlight=False, soft_wrap=False)


def err() -> Console:
    """Standard error: progress, warnings, errors."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output, indented, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def print_accepted(record: Mapping[str, Any], *, as_json: bool) -> None:
    """What a command that does not wait says of a job or a run: its id, for whoever asks later."""
    if as_json:
        print_json(record)
    else:
        out().print(record["id"], markup=False)


def exit_code(error: FarmError) -> int:
    """2 for what the caller can correct in the command, else 1."""
    return 2 if isinstance(error, InvalidRequest | InvalidSettings | NotFound) else 1


def show_error(error: FarmError, console: Console | None = None) -> None:
    """The error's code, message and hint; with the option's name where a field of the request is wrong."""
    console = console or err()
    faults = [(str(fault["pointer"]), str(fault["reason"])) for fault in error.fields.get("errors") or []]
    reason = str(error.fields.get("reason", ""))
    if len(faults) == 1 and reason and not reason.startswith("/"):
        # The one reason may say more than the field's, such as what there is to choose from.
        faults = [(faults[0][0], reason)]
    message = "The request is not valid." if faults and type(error) is InvalidRequest else error.message
    reasons = [str(one) for one in error.fields.get("reasons") or []]
    if reasons and reason:
        message = message.replace(reason, f"{len(reasons)} {'reason' if len(reasons) == 1 else 'reasons'} against it")
    console.print(Text.assemble(("✗ ", "bold red"), (error.code, "bold red"), "  ", message))
    if faults:
        table = Table.grid(padding=(0, 2))
        for pointer, why in faults:
            table.add_row(Text(option_of(pointer), style="bold"), Text(why))
        console.print(Padding(table, (0, 0, 0, 4)))
    for one in reasons:
        console.print(Padding(Text.assemble(("• ", "red"), one), (0, 0, 0, 4)))
    console.print(Text.assemble("  ", ("hint: ", "dim"), error.hint))


def option_of(pointer: str) -> str:
    """The option behind a JSON pointer into the request: ``/placements/0/x_cm`` is ``--placement 0/x_cm``."""
    field, _, rest = pointer.lstrip("/").partition("/")
    if not field:
        return "request"
    return " ".join(filter(None, [OPTIONS.get(field, "--" + field.replace("_", "-")), rest]))


def warn(console: Console, code: str, message: str) -> None:
    """One warning line."""
    console.print(Text.assemble(("⚠ ", "yellow"), (code, "yellow"), "  ", message))


def whole_line(line: str, style: str = "") -> Text:
    """A line to copy, such as a command or an address: the terminal may fold it, nobody breaks it. Print uncropped."""
    return Text(line, style=style, no_wrap=True, overflow="ignore")


def seconds(value: float | None) -> str:
    """A duration as people say it: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def money(value: float, currency: str | None) -> str:
    """A cost as people read it: two decimals from 1 up, two figures below: ``12.40 USD``, ``0.014 USD``."""
    unit = f" {currency}" if currency else ""
    if value <= 0:
        return f"0{unit}"
    if value < LEAST_COST:
        return f"under {LEAST_COST}{unit}"
    decimals = 2 if value >= 1 else 1 - math.floor(math.log10(value))
    return f"{value:,.{decimals}f}{unit}"


LEAST_COST = 0.0001
"""Below this nobody counts: a picture of the smallest kind."""


def made(record: Mapping[str, Any]) -> str:
    """What of a job is there: ``3 of 6 views, 12 of 36 frames, no model yet``, each as far as it was asked for."""
    parts = []
    if views := record["views"]:
        parts.append(f"{sum(view['status'] == 'done' for view in views)} of {len(views)} views")
    if film := record.get("film"):
        parts.append(f"{film['frames_done']} of {film['frames']} frames")
    if model := record.get("model"):
        parts.append("3D model" if model["status"] == "done" else "no model yet")
    return ", ".join(parts)


def size(value_bytes: int) -> str:
    """A file's size: ``840 B``, ``412 kB``, ``1.3 MB``."""
    if value_bytes < 1000:
        return f"{value_bytes} B"
    return f"{value_bytes / 1000:.0f} kB" if value_bytes < 1_000_000 else f"{value_bytes / 1_000_000:.1f} MB"


def at_s(rfc3339: str) -> float:
    """Seconds since the epoch of a record's time."""
    return datetime.fromisoformat(rfc3339).timestamp()


def ago(rfc3339: str | None, now: datetime | None = None) -> str:
    """How long ago a record's time is: ``12 s``, ``5 min``, ``3 h``, then the day."""
    if rfc3339 is None:
        return ""
    then = datetime.fromisoformat(rfc3339)
    past_s = ((now or datetime.now(UTC)) - then).total_seconds()
    if past_s < 60:
        return f"{max(0, round(past_s))} s ago"
    if past_s < 3600:
        return f"{round(past_s / 60)} min ago"
    return f"{round(past_s / 3600)} h ago" if past_s < 86_400 else then.date().isoformat()


def took_s(record: Mapping[str, Any]) -> float | None:
    """From acceptance to the end, seconds."""
    if record["finished_at"] is None:
        return None
    return max(0.0, at_s(record["finished_at"]) - at_s(record["created_at"]))


STATUS_STYLE = {
    "pending": "dim",
    "compositing": "cyan",
    "rendering": "cyan",
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
}


def status_text(record: Mapping[str, Any]) -> Text:
    """The status in its colour; what is undone says so."""
    status = str(record["status"])
    if record["phase"] == "compensating":
        return Text("undoing", style="yellow")
    if record.get("compensation_pending"):
        return Text(f"{status}, undo open", style="bold red")
    return Text(status, style=STATUS_STYLE.get(status, ""))
