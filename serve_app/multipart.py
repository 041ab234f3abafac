"""``multipart/form-data`` as clients really send it (RFC 7578, and what they make of it).

Pure, over a body that is in memory: what reads it bounds it. The standard library reads the headers, as mail has them:
names in any of their encodings, folded lines, parameters in pieces.
"""

import base64
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value

from farm.errors import InvalidRequest

MAX_PARTS = 32
MAX_HEAD_BYTES = 16_384
"""The headers of one part."""
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_NEWLINE = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a body.

    Attributes:
        name: of the form's field; ``name[]``, as some write a list, is ``name``.
        file_name: decoded; a part may be a file without one.
        data: as it was before the client encoded it.
    """

    name: str
    file_name: str | None
    charset: str
    data: bytes

    def text(self) -> str:
        """The part as text.

        Raises:
            InvalidRequest: when it is none in its charset (UTF-8 where it names none).
        """
        try:
            return self.data.decode(self.charset).removeprefix("\ufeff")
        except (UnicodeError, LookupError) as error:
            raise _broken(f"the part `{self.name}` is no text in {self.charset}", self.name) from error


def parts_of(content_type: str, body: bytes) -> list[Part]:
    """The parts of a body, in order.

    Lines may end in CRLF or LF; what stands before the first boundary and behind the last is left alone.

    Args:
        content_type: the header, with its boundary.

    Raises:
        InvalidRequest: when it is no such body, a part has no name, or its end did not come: nothing of a cut body is
            used.
    """
    boundary = _header("Content-Type", content_type).get_boundary("")
    if not boundary or not boundary.isascii() or len(boundary) > 200:
        raise _broken("its Content-Type names no boundary")
    found = [_part(body, start, stop) for start, stop in _spans(body, boundary.encode())]
    return found


def _spans(body: bytes, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Where the parts begin and end in the body."""
    start: int | None = None
    newline = b""
    count = 0
    for line in re.finditer(rb"--" + re.escape(boundary) + rb"(--)?[ \t]*(\r?\n|\Z)", body):
        at = line.start()
        if at and body[at - 1] != 0x0A:
            continue  # in the middle of a line: somebody's data
        if start is not None:
            # A client whose lines end in LF alone may send data that ends in CR.
            yield start, at - (2 if newline == b"\r\n" and body[at - 2 : at] == newline else 1)
        if line[1] is not None:
            return
        start, newline = line.end(), line[2]
        count += 1
        if count > MAX_PARTS:
            raise _broken(f"it has more than {MAX_PARTS} parts")
    raise _broken("its closing boundary did not come" if count else "its boundary does not occur in it")


def _part(body: bytes, start: int, stop: int) -> Part:
    blank = _BLANK_LINE.search(body, start, min(stop, start + MAX_HEAD_BYTES))
    if blank is None:
        empty = _NEWLINE.match(body, start, stop)
        reason = "a part has no headers" if empty else "a part has no empty line behind its headers, or too long ones"
        raise _broken(reason)
    head = body[start : blank.start()]
    headers = HeaderParser().parsestr(_text(head))
    name = _parameter(headers, "name", "content-disposition")
    if not name:
        raise _broken('a part has no Content-Disposition with a name, as in: form-data; name="design"')
    name = name.removesuffix("[]")
    file_name = _parameter(headers, "filename", "content-disposition")
    return Part(
        name=name,
        file_name=None if file_name is None else _readable(file_name),
        charset=_parameter(headers, "charset", "content-type") or "utf-8",
        data=_decoded(body[blank.end() : stop], headers.get("content-transfer-encoding", ""), name),
    )


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = " ".join(value.splitlines())
    return message


def _text(head: bytes) -> str:
    """Headers are UTF-8 with today's clients, and were Latin-1 with those of the past."""
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _parameter(headers: Message, name: str, header: str) -> str | None:
    """A parameter of a header; of two spellings the one that says its charset (``name*=``, RFC 5987) counts."""
    found = [value for key, value in headers.get_params([], header) if key.lower() == name]
    found.sort(key=lambda value: not isinstance(value, tuple))
    return collapse_rfc2231_value(found[0]) if found else None


def _readable(name: str) -> str:
    """A file's name, decoded where it came as mail has it (RFC 2047), as .NET sends it."""
    if "=?" not in name:
        return name
    try:
        return str(make_header(decode_header(name)))
    except (MessageError, ValueError, LookupError):
        return name


def _decoded(data: bytes, encoding: str, name: str) -> bytes:
    match encoding.strip().lower():
        case "" | "binary" | "8bit" | "7bit":
            return data
        case "base64":
            try:
                return base64.b64decode(data)
            except ValueError as error:
                raise _broken(f"the part `{name}` is no base64", name) from error
        case "quoted-printable":
            return quopri.decodestring(data)
    raise _broken(f"the part `{name}` has an unknown Content-Transfer-Encoding; send the bytes as they are", name)


def _broken(reason: str, name: str | None = None) -> InvalidRequest:
    shown = f"the multipart body cannot be read: {reason}"
    pointer = "" if name is None else f"/{name}"[:80]
    return InvalidRequest(reason=shown, errors=[{"pointer": pointer, "reason": reason}])
