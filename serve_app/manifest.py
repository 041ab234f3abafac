"""A manifest as it arrives: a file in a multipart body, an address, or an upload; and how its rows are read."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.domain.web_address import NoAddress, WebAddress
from farm.errors import InvalidRequest
from farm.render.catalog.columns import Reading, checked_defaults, checked_mapping
from farm.render.catalog.row import Fault, Row
from serve_app.intake import media_type, parse_json, pointed, read_json, read_parts, request_text, unknown_part
from serve_app.uploads import UPLOAD_ID

NAME_CHARACTERS = 100
WEB = frozenset({"https", "http"})
"""Where designs of an API's manifest may lie; without https only on hosts that the operator lists."""
_NOWHERE = "file:///"
"""The base of an uploaded manifest: a relative design means nothing there, and is refused in words."""


class RunBody(BaseModel):
    """How a manifest shall be rendered; exactly one of a file, ``manifest_url`` and ``upload_id`` says which."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest_url: str | None = Field(default=None, max_length=2048, examples=["https://shop.example/spring.csv"])
    upload_id: str | None = Field(default=None, pattern=f"^{UPLOAD_ID.pattern}$")
    name: str | None = Field(default=None, description="What to call the run; the file's name where it is left out.")
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="Members of a job's request for rows that have none of their own.",
        examples=[{"engine": "relight", "size": 512}],
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Of a manifest whose headings are not ours: field to column.",
        examples=[{"design": "Image Src", "product_id": "Handle"}],
    )
    window: Annotated[int, Field(ge=1, le=100_000, strict=True)] | None = Field(
        default=None, description="Rows under way at once; as many as the cluster can use where it is left out."
    )
    max_failures: Annotated[int, Field(ge=0, strict=True)] | None = Field(
        default=None, description="The run stops when more rows than this fail."
    )
    max_failure_share: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="The same as a share of all rows."
    )
    force: Annotated[bool, Field(strict=True)] = Field(default=False, description="Render also what is there already.")

    @classmethod
    def of(cls, given: Any) -> Self:
        """The body from decoded JSON.

        Raises:
            InvalidRequest: naming every wrong member.
        """
        try:
            body = cls.model_validate(given)
        except ValidationError as error:
            raise pointed(error) from None
        checked_defaults(body.defaults, "defaults:")
        checked_mapping(body.columns, "columns:")
        name = body.name
        if name is not None and (
            not name.strip() or len(name) > NAME_CHARACTERS or name.startswith("run_") or not name.isprintable()
        ):
            reason = f"give it 1 to {NAME_CHARACTERS} characters, not beginning with run_"
            raise InvalidRequest(reason=f"name: {reason}", errors=[{"pointer": "/name", "reason": reason}])
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOrder:
    """A manifest and what is to be done with it, as it was sent; nothing of it is read yet.

    Attributes:
        file: a name and bytes, when it came in the body.
    """

    body: RunBody
    file: tuple[str, bytes] | None = None


async def receive_manifest(request: Request) -> ManifestOrder:
    """Read a ``multipart/form-data`` body with ``manifest`` and ``request``, or a JSON body with an address or upload.

    Raises:
        InvalidRequest: naming every wrong member.
        HTTPException: 415 for another content type.
    """
    if media_type(request) == "application/json":
        body = RunBody.of(await read_json(request))
        if (body.manifest_url is None) == (body.upload_id is None):
            raise _where("send exactly one of manifest_url and upload_id, or a file as multipart/form-data")
        if body.manifest_url is not None:
            try:
                WebAddress.of(body.manifest_url)
            except NoAddress as fault:
                raise _where(str(fault)) from fault
        return ManifestOrder(body=body)
    text: str | None = None
    file: tuple[str, bytes] | None = None
    for part in await read_parts(request):
        if part.name == "manifest" and file is None:
            file = (_file_name(part.file_name), part.data)
        elif part.name == "request" and text is None:
            text = request_text(part)
        else:
            raise unknown_part(part, "send one `manifest` (a file) and one `request` (JSON text)")
    given = parse_json("{}" if text is None else text)
    body = RunBody.of(given)
    if file is None or body.manifest_url is not None or body.upload_id is not None:
        raise _where("a multipart body brings the manifest itself, as a file named `manifest`")
    return ManifestOrder(body=body, file=file)


def _where(reason: str) -> InvalidRequest:
    return InvalidRequest(reason=reason, errors=[{"pointer": "/manifest_url", "reason": reason}])


def _file_name(given: str | None) -> str:
    """The name of a file as it may be a path's last part here; its ending says what it is."""
    name = (given or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in name if letter.isprintable() and letter != "/")[-120:].lstrip(".") or "manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedManifest:
    """A manifest that can be read.

    Attributes:
        name: for people.
        shown: what the run's record calls it.
        items: its rows and faults, read as they are asked for.
        notes: how it is read, and unknown columns, as far as it was read.
    """

    name: str
    shown: str
    items: Iterator[Row | Fault]
    notes: list[Fault]


@contextmanager
def opened(order: ManifestOrder, designs: Designs, beside: Path, tenant: str) -> Iterator[OpenedManifest]:
    """Open the manifest of an order; blocking.

    Args:
        tenant: whose order it is.
        beside: the folder for temporary files.

    Raises:
        ManifestBroken: when it is none. FetchRefused, FetchFailed: when it cannot be brought here.
    """
    address = order.body.manifest_url
    with tempfile.TemporaryDirectory(prefix="manifest-", dir=beside) as folder:
        base, shown = "", address or ""
        if address is None:
            assert order.file is not None
            shown, data = order.file
            path = Path(folder) / shown
            path.write_bytes(data)
            address, base = str(path), _NOWHERE
        with open_manifest(
            address, designs, base=base, shown=shown, beside=beside, mapping=order.body.columns
        ) as manifest:
            notes: list[Fault] = []
            defaults = dict(order.body.defaults)
            reading = Reading(base=manifest.base, defaults=defaults, schemes=WEB, tenant=tenant)
            items = manifest.items(reading, notes.extend)
            yield OpenedManifest(
                name=order.body.name or manifest.name[:NAME_CHARACTERS], shown=shown, items=items, notes=notes
            )
