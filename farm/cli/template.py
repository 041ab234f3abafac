"""``farm template``: the garments there are; make, check, add and remove them."""

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from farm.cli import bake
from farm.cli.console import err, out, print_json, warn
from farm.cli.swatches import card, cards_table, details, finding_line, template_sheet
from farm.errors import Conflict, TemplateBroken, TemplateRefused
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.domain.template import Template
    from farm.wardrobe.inspection import Finding
    from farm.wardrobe.shelf import Shelf
    from farm.wiring import Farm

_EPILOG = """
[bold]Examples[/bold]

farm template list                          [dim]what --template may name[/dim]

farm template show crew-tee                 [dim]panels, presets, in cm[/dim]

farm template check                         [dim]hashes, maps, small pictures[/dim]

farm template add shirt.blend --id shirt    [dim]a shop's own file[/dim]

farm template add garments/long-sleeve-tee  [dim]a folder built elsewhere[/dim]
"""

app = typer.Typer(
    help="List, show, build, check, bake, add and remove garment templates.", epilog=_EPILOG, no_args_is_help=True
)
bake.register(app)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]
TemplateId = Annotated[str, typer.Argument(metavar="NAME", help="The template's id, as `farm template list` shows it.")]


def _shelf() -> "Shelf":
    from farm.wardrobe.shelf import Shelf

    return Shelf(settings=Settings.load())


@app.command("list")
def list_templates(as_json: AsJson = False) -> None:
    """Every garment: those that come with the farm and those that were added.

    A garment is *whole* while each of its files is the one it was built with; others are refused by every job.
    """
    shelf = _shelf()
    rows = [card(shelf, found) for found in shelf.all()]
    if as_json:
        print_json(rows)
        return
    if not rows:
        err().print(f"No garments in {' or '.join(map(str, shelf.settings.template_folders))}.")
        return
    out().print(cards_table(rows))


@app.command()
def show(template: TemplateId, as_json: AsJson = False) -> None:
    """One garment: panels and print areas in cm, presets, cameras, licence, files."""
    shelf = _shelf()
    found = shelf.get(template)
    facts = card(shelf, found)
    more = details(found)
    if as_json:
        print_json({**facts, **more})
        return
    out().print(template_sheet(facts, more), crop=False)


@app.command()
def check(
    templates: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Which; none: every one.", show_default=False)
    ] = None,
    render: Annotated[
        bool, typer.Option("--render/--no-render", help="Also render small pictures and judge them; some seconds.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Is a garment whole, and do its pictures come out right?

    Compares every file with its hash, reads facts, maps and build report, and renders a test chart from each side on
    light and on dark cloth, each judged as a job's pictures are. Exit code 0 when nothing is wrong.
    """
    shelf = _shelf()
    wanted = [shelf.get(name) for name in templates] if templates else shelf.all()
    report = [_look(found, render=render, say=not as_json) for found in wanted]
    if as_json:
        print_json(report)
    sys.exit(0 if all(row["ok"] for row in report) else 1)


def _look(found: "Template | TemplateBroken", *, render: bool, say: bool) -> dict[str, Any]:
    from farm.wardrobe.inspection import Finding, inspect

    name = str(found.template) if isinstance(found, TemplateBroken) else found.id
    findings: list[Finding] = []
    if say:
        out().print(Text(name, style="bold"))
    with _busy(f"looking at {name} …", say=say):
        for finding in (
            [Finding(name="template", ok=False, detail=str(found.reason))]
            if isinstance(found, TemplateBroken)
            else inspect(found, render=render)
        ):
            findings.append(finding)
            if say:
                out().print(finding_line(finding))
    return {
        "id": name,
        "ok": all(finding.ok for finding in findings),
        "findings": [{"name": one.name, "ok": one.ok, "detail": one.detail} for one in findings],
    }


def _busy(what: str, *, say: bool) -> AbstractContextManager[object]:
    console = err()
    return console.status(what) if say and console.is_terminal else nullcontext()


@app.command()
def build(
    template: TemplateId,
    force: Annotated[bool, typer.Option("--force", help="Also while jobs use it; those will fail.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build a garment anew from its parameters (garment.toml in its folder); takes minutes.

    The old one stays until the new one has passed its own checks. Same parameters, same code: the same bytes, and
    nothing changes.
    """
    from farm.adapters.shipped_light import stale_light

    shelf = _shelf()
    if not force:
        _check_unused(template)
    with _busy(f"building {template}: sewing, draping, lighting …", say=not as_json):
        before, after = shelf.build(template)
    if as_json:
        print_json({"id": template, "before": before.hash, "hash": after.hash, "changed": before.hash != after.hash})
    elif before.hash == after.hash:
        err().print(f"{template} {after.version} is as it was: {after.hash[:16]}")
    else:
        err().print(f"{template} {after.version} was built anew: {before.hash[:16]} is now {after.hash[:16]}")
    if stale_light(after.folder, after.hash):
        warn(err(), "light", f"it is of another version: `farm template bake {template} --ship` renews it")


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A template's folder, or a shop's own .blend.")],
    template: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id.", show_default="the file's name")
    ] = None,
    name: Annotated[str, typer.Option(help="What people call it; of a .blend.", show_default="its id")] = "",
    license_: Annotated[
        str, typer.Option("--license", metavar="SPDX", help="Under which licence it is; of a .blend.")
    ] = "LicenseRef-shop",
    version: Annotated[str, typer.Option(help="Of a .blend; raise it when its pictures change.")] = "1.0.0",
    print_width_cm: Annotated[
        float | None,
        typer.Option(
            metavar="CM",
            min=1.0,
            max=150.0,
            help="How wide the texture square of a .blend is on the cloth.",
            show_default="measured",
        ),
    ] = None,
    render: Annotated[
        bool, typer.Option("--render/--no-render", help="Render and judge a test chart before it is taken.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Add a garment: a template's folder, or a .blend by convention.

    A .blend must have cameras named Camera_front_0deg, Camera_left_90deg, …, one for each view, and a material with an
    image node called Image Texture that feeds the base colour; its UVs place the print. An RGB node called Fabric, if
    there is one, takes the fabric's colour. It is opened in a process of its own, with limits, and nothing in it is
    ever run: scripts, drivers and handlers are left out of the copy that the farm keeps.

    Nothing is added unless everything is right; every reason against it is told at once.
    """
    from farm.wardrobe.shelf import Wish

    shelf = _shelf()
    wanted = template if template is not None else (path.name if path.is_dir() else path.stem).lower().replace("_", "-")
    wish = Wish(name=name, license=license_, version=version, print_width_cm=print_width_cm)
    with _busy(f"looking at {path.name} …", say=not as_json), shelf.add(path, wanted, wish) as aside:
        wrong = [one for one in _inspected(aside, render=render) if not one.ok]
        if wrong:
            reasons = [f"{one.name}: {one.detail}" for one in wrong]
            raise TemplateRefused(file=path.name, reason="; ".join(reasons), reasons=reasons)
    added = shelf.get(wanted)
    if as_json:
        print_json(card(shelf, added))
        return
    for notice in added.facts.get("notices", []):
        warn(err(), "notice", notice)
    square = added.facts.get("blend", {}).get("square_cm")
    if square:
        err().print(f"The texture square is {square[0]:.1f} × {square[1]:.1f} cm on the cloth.")
    err().print(f"{wanted} is there: `farm render logo.png --template {wanted}`", soft_wrap=True)


def _inspected(template: "Template", *, render: bool) -> list["Finding"]:
    from farm.wardrobe.inspection import inspect

    return list(inspect(template, render=render))


@app.command()
def remove(template: TemplateId, as_json: AsJson = False) -> None:
    """Remove an added garment; not while a job uses it, and never one that comes with the farm."""
    shelf = _shelf()
    with shelf.set_aside(template) as gone:
        # Asked once no new job can find it: whoever was faster is counted.
        _check_unused(template)
    if as_json:
        print_json({"id": gone.id, "removed": True})
    else:
        err().print(f"{template} is gone. Jobs that are done keep their pictures.")


def _check_unused(template: str) -> None:
    """Refuse while jobs that have not ended use the template.

    Raises:
        Conflict: naming some of them.
    """
    from farm.cli.command import ask

    using = ask(lambda farm: _using(farm, template))
    if using:
        some = ", ".join(using[:3]) + (", …" if len(using) > 3 else "")
        raise Conflict(
            reason=f"{len(using)} running {'job uses' if len(using) == 1 else 'jobs use'} {template}: {some}"
        )


async def _using(farm: "Farm", template: str) -> list[str]:
    from farm.domain.status import Status

    found = []
    for status in Status:
        cursor = None
        while not status.ended:
            page, cursor = await farm.service.list(status=status, cursor=cursor, limit=200)
            found += [record["id"] for record in page if record["template"]["id"] == template]
            if cursor is None:
                break
    return found
