"""What ``farm catalog`` is told of a manifest: its options, and what stands in them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.console import err
from farm.errors import InvalidRequest

if TYPE_CHECKING:
    from farm.adapters.manifest_file import ManifestFile
    from farm.render.catalog.row import Fault, Row

Manifest = Annotated[
    str, typer.Argument(metavar="MANIFEST", help="Path, s3://… or https://… of a .parquet, .csv or .jsonl (.gz)")
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="cycles|relight|auto", help="For rows that name none.", show_default="as farm render"
    ),
]
Designs = Annotated[
    str | None,
    typer.Option("--designs", metavar="DIR", help="What relative designs are relative to.", show_default="manifest"),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="For rows without their own, such as size=512; repeatable."),
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="FIELD=COLUMN", help='Which column is which, such as design="Image Src"; repeatable.'
    ),
]


def items_of(
    manifest: "ManifestFile", defaults: dict[str, Any], notes: "list[Fault] | None" = None
) -> Iterator["Row | Fault"]:
    """The manifest's rows and faults, in order; how it is read, and unknown columns, are told on the terminal once."""
    from farm.render.catalog.columns import Reading

    told: set[tuple[str, str | None]] = set()

    def tell(faults: "Sequence[Fault]") -> None:
        for fault in faults:
            if (fault.code, fault.column) not in told:
                told.add((fault.code, fault.column))
                if notes is not None:
                    notes.append(fault)
                err().print(f"[yellow]⚠[/yellow] {fault.code}  {fault.message} {fault.hint}", soft_wrap=True)

    return manifest.items(Reading(base=manifest.base, defaults=defaults), tell)


def defaults_of(engine: str | None, sets: list[str] | None) -> dict[str, Any]:
    """``--engine`` and ``--set``, checked."""
    from farm.cli.jobs import parse_overrides
    from farm.render.catalog.columns import checked_defaults

    defaults = parse_overrides(sets or [])
    if engine is not None:
        defaults["engine"] = engine
    return checked_defaults(defaults, "--set")


def mapping_of(maps: list[str] | None) -> dict[str, str]:
    """``--map``: column by field, checked."""
    from farm.render.catalog.columns import checked_mapping

    mapping: dict[str, str] = {}
    for text in maps or []:
        name, equals, column = text.partition("=")
        if not equals:
            raise InvalidRequest(reason=f"--map {text!r} is not FIELD=COLUMN")
        mapping[name.strip()] = column.strip()
    return checked_mapping(mapping, "--map")


def base_of(folder: str | None) -> str:
    """``--designs`` as an address that ends in a slash; empty: where the manifest lies."""
    if folder is None:
        return ""
    if "://" in folder:
        return folder.rstrip("/") + "/"
    path = Path(folder).absolute()
    if not path.is_dir():
        raise InvalidRequest(reason=f"--designs {folder}: there is no such folder")
    return path.as_uri().rstrip("/") + "/"


def name_of(text: str) -> str:
    """The name of a run, which may not look like an id."""
    name = text.strip()[:100]
    if not name or name.startswith("run_") or any(ord(character) < 32 for character in name):
        raise InvalidRequest(reason=f"--name {text[:40]!r}: give it 1 to 100 characters, not beginning with run_")
    return name


def most_failures(text: str) -> int | None:
    """``--max-failures`` as a number of rows, if it is one."""
    return None if text.endswith("%") else _number(text, 1 << 31)


def most_failure_share(text: str) -> float | None:
    """``--max-failures`` as a share of them, if it is one."""
    return _number(text[:-1], 100) / 100 if text.endswith("%") else None


def _number(text: str, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise InvalidRequest(reason=f"--max-failures {text!r} is no number of rows, and no share such as 5%")
    return number


@contextmanager
def fault_file(path: Path | None) -> Iterator[Callable[["Fault"], None]]:
    """Writes faults as they come; nothing without a path."""
    if path is None:
        yield lambda fault: None
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(reason=f"--errors {path}: {error.strerror}") from error
    with file:
        yield lambda fault: print(json.dumps(fault.to_dict(), ensure_ascii=False), file=file)


def counter(what: str, *, quiet: bool) -> Callable[[int], None]:
    """Says on a terminal now and then how far it is."""
    console = err()
    if quiet or not console.is_terminal:
        return lambda count: None

    def say(count: int) -> None:
        if count % 10_000 < 500:
            console.print(f"{what} {count:,} rows …", end="\r", style="dim")

    return say
