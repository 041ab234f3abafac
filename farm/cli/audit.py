"""``farm audit``: is everything where it belongs, and nothing else anywhere?"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from farm.cli.console import out, print_json, whole_line

if TYPE_CHECKING:
    from farm.render.findings import AuditReport

_HELP = """
Look for orphans and broken promises in journal, objects, catalogue, leases and temporary files, and name each.

Exit code 0 only when all is clean. Run it while no job runs: what a job is about to write or to remove may show up.
"""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("audit", help=_HELP)(audit)


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, nothing else.")] = False,
) -> None:
    from farm.cli.command import ask

    report = ask(lambda farm: farm.audit())
    if as_json:
        print_json(report.to_dict())
    else:
        out().print(report_table(report), crop=False)
    sys.exit(0 if report.clean else 1)


def report_table(report: "AuditReport") -> RenderableType:
    """The report, finding by finding."""
    counted = ", ".join(f"{count} {what}" for what, count in report.counted.items())
    looked = Text(f"looked at {counted or 'an empty farm'}", style="dim")
    if report.retained:
        looked.append(f"; {report.retained} designs of failed jobs are kept for a retry")
    if report.clean:
        return Group(Text.assemble(("✓ clean", "bold green")), looked)
    head = Text(f"✗ {len(report.findings)} {'finding' if len(report.findings) == 1 else 'findings'}", style="bold red")
    parts: list[RenderableType] = [head, looked]
    for finding in report.findings:
        parts += [
            Text(""),
            whole_line(f"{finding.kind}  {finding.subject}", style="red"),
            Padding(Text(finding.detail), (0, 0, 0, 2)),
            Padding(Text(finding.hint, style="dim"), (0, 0, 0, 2)),
        ]
    return Group(*parts)
