"""A manifest's columns: from the cells of one line, whatever file they stood in, to rows or to what is wrong with it.

The columns are named as the request's fields are; a cell may hold what JSON would (Parquet, JSON Lines) or its text
(CSV). One line can ask for many fabric colours, as a list or as ``white|black|navy``: each becomes a row of its own.
"""

import difflib
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from farm.domain.ids import DEFAULT_TENANT, DESIGN_ID, PRODUCT_ID
from farm.domain.request import parse_request
from farm.domain.web_address import NoAddress, WebAddress
from farm.errors import FarmError, InvalidRequest
from farm.render.catalog.headings import COLUMNS, FIELDS, plain, shown
from farm.render.catalog.product_id import product_id_of
from farm.render.catalog.row import Fault, Row

MOST_COLOURS = 64
KEPT = "kept"
"""The scheme of designs that are kept by their content."""
MOST_CELL_CHARACTERS = 16_384
MOST_HEADING_CHARACTERS = 200
_LISTS = frozenset({"views", "outputs"})
_WHOLE = frozenset({"size", "samples", "priority"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the lines of one manifest are read.

    Attributes:
        base: what relative designs are relative to, with a slash at its end: ``file:///…/``, ``s3://…/``, ``https://…/``.
        defaults: fields of the request for lines that do not have their own.
        schemes: of designs that may be used.
        tenant: whose kept designs may be named by their ids.
    """

    base: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    schemes: frozenset[str] = frozenset({"file", "s3", "https", "http"})
    tenant: str = DEFAULT_TENANT


def unknown_columns(names: Sequence[str]) -> list[Fault]:
    """One fault for each column that means nothing here; its cells are ignored."""
    faults = []
    for name in names:
        if name in COLUMNS:
            continue
        near = difflib.get_close_matches(plain(name)[:64], sorted(COLUMNS), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(COLUMNS))}."
        message = f"There is no column {shown(name)!r}; it is ignored."
        faults.append(Fault(number=0, column=shown(name), code="unknown_column", message=message, hint=hint))
    return faults


def rows_of(number: int, cells: Mapping[str, Any], reading: Reading) -> Iterator[Row | Fault]:
    """The rows of one line; a fault where there can be none. Never raises for what stands in the cells."""
    column: str | None = None
    product_id = _product_id(cells.get("product_id"))
    try:
        given = dict(reading.defaults)
        for name, cell in cells.items():
            column = name
            if name in FIELDS and (value := _value(name, cell)) is not None:
                given[name] = value
        column = None
        column = "design"
        design = _address(cells.get("design"), reading)
        column = "fabric_color"
        colours = _colours(given.pop("fabric_color", None))
    except (InvalidRequest, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        yield _fault(number, 0, product_id, column, error)
        return
    for variant, colour in enumerate(colours):
        try:
            request = checked({**given, **({} if colour is None else {"fabric_color": colour})})
        except InvalidRequest as error:
            yield _fault(number, variant, product_id, None, error)
            continue
        yield Row(number=number, variant=variant, design=design, request=request)


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they were given, found good.

    Raises:
        InvalidRequest: naming every wrong field.
    """
    product_id = given.get("product_id")
    if product_id is not None and not (isinstance(product_id, str) and PRODUCT_ID.fullmatch(product_id)):
        reason = "a product id has 1 to 128 letters, digits, dots, colons, dashes or underscores"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/product_id", "reason": reason}])
    rest = {name: value for name, value in given.items() if name != "product_id"}
    try:
        kept = json.loads(_checked(json.dumps(rest, sort_keys=True, allow_nan=False)))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidRequest(reason=f"a cell cannot be read: {error}") from error
    return kept if product_id is None else {"product_id": product_id, **kept}


def checked_defaults(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Fields for the rows that have none of their own, found good.

    Args:
        where: how the caller names them.

    Raises:
        InvalidRequest: naming an unknown or wrong field.
    """
    if unknown := set(given) - FIELDS:
        name = min(unknown)[:64]
        reason = f"{where} {name}: there is no such field; there are {', '.join(sorted(FIELDS))}"
        raise InvalidRequest(reason=reason, errors=[{"pointer": f"/{name}", "reason": "there is no such field"}])
    return checked(given)


def checked_mapping(given: Mapping[str, Any], where: str) -> dict[str, str]:
    """Which column of a manifest is which field, found good.

    Args:
        where: how the caller names them.

    Raises:
        InvalidRequest: naming an unknown field, or a column that is none.
    """
    for name, column in given.items():
        reason = None
        if name not in COLUMNS:
            reason = f"there is no such field; there are {', '.join(sorted(COLUMNS))}"
        elif not isinstance(column, str) or not column.strip() or len(column) > MOST_HEADING_CHARACTERS:
            reason = "name the column that it stands in"
        if reason is not None:
            name = shown(name)
            raise InvalidRequest(
                reason=f"{where} {name}: {reason}", errors=[{"pointer": f"/columns/{name}", "reason": reason}]
            )
    return dict(given)


@lru_cache(maxsize=4096)
def _checked(text: str) -> str:
    """Most lines of a catalogue differ in product and design only, so what was found good once is not checked again."""
    given = json.loads(text)
    json.dumps(given, ensure_ascii=False).encode()  # half a character (a lone surrogate) can be stored nowhere
    request = parse_request(given)
    return json.dumps(request.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))


def _value(name: str, cell: Any) -> Any:
    """A cell as the request wants it; ``None`` for an empty one."""
    if cell is None or (isinstance(cell, str) and not cell.strip()) or cell != cell:
        return None
    if isinstance(cell, str):
        if len(cell) > MOST_CELL_CHARACTERS:
            raise InvalidRequest(reason=f"the cell has {len(cell)} characters, more than {MOST_CELL_CHARACTERS}")
        cell = cell.strip()
    if name == "fabric_color":
        return cell
    if name == "placements":
        return _json(name, cell) if isinstance(cell, str) else _plain(cell)
    if name in _LISTS:
        return _list(name, cell)
    if name in _WHOLE:
        return _whole(name, cell)
    if name == "product_id":
        return product_id_of(cell)
    return _plain(cell)


def _product_id(cell: Any) -> str | None:
    """For faults: whatever stands there."""
    return shown(str(cell).strip(), 128) or None if isinstance(cell, str | int) else None


def _plain(cell: Any) -> Any:
    """Without the ``None`` that Parquet's structs are filled up with."""
    if isinstance(cell, Mapping):
        return {name: _plain(value) for name, value in cell.items() if value is not None}
    if isinstance(cell, list | tuple):
        return [_plain(value) for value in cell]
    return cell


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidRequest(
            reason=f"{name} is no JSON: {error}",
            errors=[{"pointer": f"/{name}", "reason": f"no JSON: {error}"}],
        ) from error


def _list(name: str, cell: Any) -> list[Any]:
    if isinstance(cell, str):
        if cell.startswith("["):
            found = _json(name, cell)
            return list(found) if isinstance(found, list) else [found]
        return [part.strip() for part in cell.replace(",", "|").split("|") if part.strip()]
    return list(cell) if isinstance(cell, list | tuple) else [cell]


def _whole(name: str, cell: Any) -> int:
    try:
        number = float(cell)
        if number != int(number):
            raise ValueError(cell)
    except (ValueError, TypeError, OverflowError):
        reason = f"{str(cell)[:40]!r} is no whole number"
        raise InvalidRequest(reason=f"{name}: {reason}", errors=[{"pointer": f"/{name}", "reason": reason}]) from None
    return int(number)


def _colours(cell: Any) -> Sequence[Any]:
    if cell is None:
        return [None]
    colours = _list("fabric_color", cell.replace(",", "|") if _is_names(cell) else cell)
    colours = list(dict.fromkeys(colours))
    if not 1 <= len(colours) <= MOST_COLOURS:
        reason = f"name 1 to {MOST_COLOURS} fabric colours, not {len(colours)}"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/fabric_color", "reason": reason}])
    return colours


def _is_names(cell: Any) -> bool:
    """Not ``rgb(1, 2, 3)``, whose commas separate no colours."""
    return isinstance(cell, str) and "(" not in cell and not cell.startswith("[")


def _address(cell: Any, reading: Reading) -> str:
    """The design as an absolute address.

    Raises:
        InvalidRequest: when there is none, or it may not be used from this manifest.
    """
    if not isinstance(cell, str) or not cell.strip():
        raise _bad_design("the line names no design")
    text = cell.strip()
    if DESIGN_ID.fullmatch(text):
        return kept_address(reading.tenant, text)
    if len(text) > 2048 or any(character < " " or "\ud800" <= character <= "\udfff" for character in text):
        raise _bad_design("the address is too long or holds control characters")
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme:
        if scheme not in reading.schemes or scheme == "file":
            raise _bad_design(f"{scheme}:// cannot be used here; write a relative path, s3:// or https://")
        if scheme != "s3":
            try:
                WebAddress.of(text)
            except NoAddress as fault:
                raise _bad_design(f"{text[:80]!r} cannot be used: {fault}") from fault
        return text
    if text.startswith(("/", "\\")) or "\\" in text or ".." in text.split("/"):
        raise _bad_design("the path must be relative to the manifest (or --designs) and stay below it, with / in it")
    if "file" not in reading.schemes and reading.base.startswith("file:"):
        raise _bad_design("only https:// designs can be used here")
    if reading.base.startswith("http"):
        return urljoin(reading.base, quote(posixpath.normpath(text)))
    if reading.base.startswith("file:"):
        return reading.base + quote(posixpath.normpath(text))
    return reading.base + posixpath.normpath(text)


def _bad_design(reason: str) -> InvalidRequest:
    return InvalidRequest(reason=f"design: {reason}", errors=[{"pointer": "/design", "reason": reason}])


def kept_address(tenant: str, design: str) -> str:
    """Where a design lies that is kept by its content, as a row says it; nobody can write such an address by hand."""
    return f"{KEPT}://{tenant}/{design}"


def local_path(address: str) -> str:
    """The path of a ``file:`` address."""
    return unquote(urlsplit(address).path)


def _fault(number: int, variant: int, product_id: str | None, column: str | None, error: Exception) -> Fault:
    if isinstance(error, FarmError):
        errors = error.fields.get("errors") or []
        pointed = str(errors[0]["pointer"]).lstrip("/").partition("/")[0] if errors else column
        return Fault(
            number=number,
            variant=variant,
            product_id=product_id,
            column=pointed,
            code=error.code,
            message=error.message,
            hint=f"Correct column {pointed!r} of this row and run the manifest again; only this row is rendered then.",
        )
    return Fault(
        number=number,
        variant=variant,
        product_id=product_id,
        column=column,
        code=InvalidRequest.code,
        message=f"The row cannot be read: {shown(error, 300)}",
        hint="Correct this row and run the manifest again; only this row is rendered then.",
    )
