"""``farm config``: every setting, its value, where it comes from, what it means."""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from farm.cli.console import err, out, print_json
from farm.home.folder import Home
from farm.home.join import differing
from farm.home.state import HostState
from farm.settings import DrillProfile, Settings, users_settings, variable_of


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("config", help="Every setting: value, source, variable, meaning.")(config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A setting as it is shown.

    Attributes:
        source: ``environment``, `**farm.toml**` or ``default``.
        up: what the farm that is up runs with, where that is something else; ``None`` where it is the same, or none is.
    """

    name: str
    variable: str
    value: Any
    default: Any
    source: str
    about: str
    up: Any = None


def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print the settings as JSON, nothing else.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print all settings and defaults as docs/settings.md.")
    ] = False,
) -> None:
    if markdown:
        print(settings_markdown(), end="")
        return
    settings = Settings.load()
    host = Home(settings.home).host()
    rows = setting_rows(settings, os.environ, host)
    if as_json:
        print_json(
            {
                row.name: {
                    "value": row.value,
                    "source": row.source,
                    "variable": row.variable,
                    "about": row.about,
                    **({"up": row.up} if row.up is not None else {}),
                }
                for row in rows
            }
        )
        return
    out().print(config_table(rows))
    if any(row.up is not None for row in rows):
        err().print(
            "\nThe farm that is up runs with other values, as shown: `farm down`, and it starts with these.",
            style="yellow",
        )
    err().print("\nSet the variable, or the setting in farm.toml in FARM_HOME; the environment wins.", style="dim")


def setting_rows(settings: Settings, environ: Mapping[str, str], host: HostState | None = None) -> list[Row]:
    """All settings in the order of their definition, and what a drill has set.

    Args:
        host: the one that is up in this home.
    """
    otherwise = {variable: theirs for variable, _, theirs in differing(host, settings)} if host is not None else {}
    shown = settings.to_dict()
    in_file = _names_in(settings.home / "farm.toml")
    rows = []
    drills = [setting for setting in fields(DrillProfile) if getattr(settings, setting.name)]
    for setting in (*users_settings(), *drills):
        variable = variable_of(setting)
        source = "environment" if environ.get(variable) else "farm.toml" if setting.name in in_file else "default"
        rows.append(
            Row(
                name=setting.name,
                variable=variable,
                value=_plain(shown[setting.name]),
                default=_plain(setting.default),
                source=source,
                about=str(setting.metadata["about"]),
                up=_plain(otherwise.get(variable)),
            )
        )
    return rows


def _names_in(path: Path) -> set[str]:
    # Settings.load has read it already and complained of what is wrong with it.
    return set(tomllib.loads(path.read_text("utf-8"))) if path.exists() else set()


def _plain(value: Any) -> Any:
    if isinstance(value, Path) or value == ".":
        return "" if str(value) == "." else str(value)
    return value


def config_table(rows: list[Row]) -> Table:
    """Settings that were changed stand out, with where."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("variable", no_wrap=True)
    table.add_column("value", overflow="fold", max_width=30)
    table.add_column("meaning", overflow="fold", ratio=1)
    for row in rows:
        style = "" if row.source == "default" else "bold"
        value = Text("–" if row.value == "" else str(row.value), style=style)
        if row.source != "default":
            value.append(f"\n{row.source}", style="cyan")
        if row.up is not None:
            value.append(f"\nthe farm that is up: {'–' if row.up == '' else row.up}", style="yellow")
        table.add_row(Text(row.variable, style=style), value, row.about)
    return table


def settings_markdown() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Made by `farm config --markdown`. Each is read once: from the environment, else from **farm.toml** in",
        "`FARM_HOME` (there by its own name), else it has its default. Units are in the names: `_s`, `_bytes`, `_px`.",
        "",
        *_markdown_table(users_settings()),
        "",
        "## Drills",
        "",
        "Read in the same way, and never set on a farm that works: see [reliability](reliability.md).",
        "",
        *_markdown_table(fields(DrillProfile)),
    ]
    return "\n".join(lines) + "\n"


def _markdown_table(settings: Iterable[Field[Any]]) -> Iterator[str]:
    yield "| variable | in **farm.toml** | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for setting in settings:
        default = _plain(setting.default)
        shown = f"`{default}`" if default not in ("", None) else "–"
        if setting.name == "home":
            shown = "`~/.local/share/tshirt-farm`"
        about = str(setting.metadata["about"]).replace("|", "\\|")
        if setting.metadata["choices"]:
            about += ": " + ", ".join(f"`{choice}`" for choice in setting.metadata["choices"])
        own = "–" if setting.name == "home" else f"`{setting.name}`"
        yield f"| `{variable_of(setting)}` | {own} | {shown} | {about} |"
