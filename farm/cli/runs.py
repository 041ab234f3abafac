"""Runs and plans in words and tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from farm.cli.console import ago, at_s, money, seconds, whole_line
from farm.settings import Settings

_STYLE = {"completed": "green", "failed": "red", "cancelled": "yellow", "paused": "yellow", "stopping": "yellow"}
SHOWN_FAULTS = 10


def run_view(record: Mapping[str, Any], report: Path | None = None) -> RenderableType:
    """How a run stands or went."""
    counts = record["counts"]
    good = record["status"] == "completed" and not counts["failed"]
    mark = (
        ("✓ ", "bold green") if good else ("– ", "bold yellow") if record["status"] != "failed" else ("✗ ", "bold red")
    )
    took = f" in {seconds(_took_s(record))}" if record["finished_at"] else ""
    parts: list[RenderableType] = [
        Text.assemble(mark, status_text(record), took, "  ", record["name"], "  ", (record["id"], "dim")),
        Padding(_counts(record), (0, 0, 0, 2)),
    ]
    if record["error"]:
        error = record["error"]
        parts.append(Text.assemble("  ", (str(error.get("code")), "red"), "  ", str(error.get("message", ""))))
    elif record.get("trouble"):
        parts.append(Text.assemble("  ", ("trouble", "red"), "  ", str(record["trouble"])))
    if counts["failed"]:
        codes = ", ".join(f"{count} {code}" for code, count in counts["codes"].items())
        parts.append(Text(f"  why rows failed: {codes}"))
        if report is None:
            parts.append(whole_line(f"    farm catalog report {record['id']} -o report.parquet", style="dim"))
        if record["finished_at"]:
            parts.append(whole_line(f"    farm catalog retry {record['id']}", style="dim"))
    if report is not None:
        parts.append(whole_line(f"  report {report}"))
    return Group(*parts)


def _counts(record: Mapping[str, Any]) -> Text:
    counts = record["counts"]
    parts = [f"{record['rows_done']:,} of {record['rows']:,} rows", f"{counts['completed']:,} completed"]
    if counts["cached"]:
        parts.append(f"{counts['cached']:,} of them without rendering")
    parts += [f"{counts[name]:,} {name}" for name in ("failed", "cancelled") if counts[name]]
    if record["skipped"]:
        parts.append(f"{record['skipped']:,} never begun")
    parts.append(
        f"{seconds(counts['seconds'])} of work" + (f", cost {_cost(counts['cost'])}" if counts["cost"] else "")
    )
    return Text(", ".join(parts))


def _cost(value: float) -> str:
    return money(value, Settings.load().currency)


def status_text(record: Mapping[str, Any]) -> Text:
    """The status in its colour."""
    return Text(str(record["status"]), style=_STYLE.get(str(record["status"]), "cyan"))


def _took_s(record: Mapping[str, Any]) -> float:
    return max(0.0, at_s(record["finished_at"]) - at_s(record["created_at"]))


def runs_table(records: Sequence[Mapping[str, Any]]) -> Table:
    """One row per run."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("run", "name", "status", "created"):
        table.add_column(column, no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("failed", justify="right", no_wrap=True)
    for record in records:
        done = f"{record['rows_done']:,}/{record['rows']:,}"
        failed = record["counts"]["failed"]
        table.add_row(
            record["id"],
            record["name"],
            status_text(record),
            ago(record["created_at"]),
            done,
            Text(f"{failed:,}", style="red" if failed else "dim"),
        )
    return table


def run_table(record: Mapping[str, Any]) -> RenderableType:
    """All of a run."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("manifest", str(record["manifest"]))
    table.add_row("created", f"{record['created_at']}  ({ago(record['created_at'])})")
    if record["retry_of"]:
        table.add_row("retry of", str(record["retry_of"]))
    if record["last_error"] and not record["finished_at"]:
        table.add_row("last error", str(record["last_error"].get("message")))
    table.add_row("slices", f"{record['slices_done']} of {record['slices']}")
    return Group(run_view(record), Padding(table, (0, 0, 0, 2)))


def plan_view(plan: Mapping[str, Any]) -> RenderableType:
    """A plan."""
    good = not plan["bad"]
    mark = ("✓ ", "bold green") if good else ("✗ ", "bold red")
    head = f"{plan['rows']:,} rows from {plan['lines']:,} lines; nothing was started"
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_row(f"{plan['unchanged']:,}", "are there already and would stay as they are")
    engines = ", ".join(f"{count:,} by {engine}" for engine, count in plan["engines"].items())
    table.add_row(
        f"{plan['to_render']:,}", f"to render: {plan['views']:,} pictures" + (f" ({engines})" if engines else "")
    )
    if plan["kept"]:
        table.add_row(f"{plan['kept']:,}", "pictures beside these were made before and are kept")
    if plan["unknown"]:
        table.add_row(
            f"{plan['unknown']:,}", "of these have remote designs, not looked at: they may be unchanged (--remote)"
        )
    table.add_row(f"{plan['bad']:,}", "bad rows, which would be reported and skipped")
    parts: list[RenderableType] = [Text.assemble(mark, head), Padding(table, (0, 0, 0, 2))]
    estimate = f"  about {seconds(plan['seconds'])} on {plan['cores']} cores"
    parts.append(Text(estimate + (f", cost about {_cost(plan['cost'])}" if plan["cost"] else "")))
    for fault in plan["faults"][:SHOWN_FAULTS]:
        where = f"row {fault['row']}" + (f", {fault['column']}" if fault["column"] else "")
        parts.append(Text.assemble("  ", (where, "bold"), "  ", (fault["code"], "red"), "  ", fault["message"]))
        parts.append(Text(f"      {fault['hint']}", style="dim"))
    more = plan["bad"] - SHOWN_FAULTS
    if more > 0:
        parts.append(Text(f"  … and {more:,} more; --errors FILE writes them all", style="dim"))
    return Group(*parts)
