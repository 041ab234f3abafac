"""JSON as a manifest: an object a line, or one array of objects; read as a stream."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from farm.adapters.manifest_text import LINE_CHARS, Text

_SPACE = " \t\r\n\ufeff"


class BrokenArray(Exception):
    """The array cannot be read on."""


def json_rows(text: Text) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Number and members of each object, from 1; or in words what is wrong with it.

    Raises:
        BrokenArray: when an array's end cannot be found.
    """
    found = _elements(text) if _is_array(text) else _lines(text)
    for number, value in enumerate(found, 1):
        match value:
            case dict():
                yield number, value
            case _Wrong():
                yield number, str(value)
            case _:
                yield number, "it is no JSON object"


class _Wrong(str):
    """What is wrong, in words; a JSON text is none."""

    __slots__ = ()


def _is_array(text: Text) -> bool:
    with text.open() as file:
        while block := file.read(4096):
            if stripped := block.strip(_SPACE):
                return stripped.startswith("[")
    return False


def _lines(text: Text) -> Iterator[Any]:
    for line in text.lines():
        bare = line.strip(_SPACE)
        if not bare:
            continue
        if len(line) > LINE_CHARS:
            yield _Wrong(f"it is longer than {LINE_CHARS} characters")
            continue
        try:
            yield json.loads(bare)
        except (ValueError, RecursionError) as error:
            yield _Wrong(f"it is no JSON: {_said(error)}")


def _elements(text: Text) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    with text.open() as file:
        buffer = file.read(LINE_CHARS).lstrip(_SPACE)
        at, number, whole = 1, 1, False

        def more() -> bool:
            """Bring the next piece, and forget what was read."""
            nonlocal buffer, at, whole
            piece = "" if whole else file.read(LINE_CHARS)
            whole = whole or not piece
            buffer, at = buffer[at:] + piece, 0
            return not whole

        def skip() -> str:
            """The next character that is no space; empty at the end of the file."""
            nonlocal at
            while True:
                while at < len(buffer) and buffer[at] in _SPACE:
                    at += 1
                if at < len(buffer) or not more():
                    return buffer[at : at + 1]

        if skip() == "]":
            return
        while True:
            skip()
            try:
                value, end = decoder.raw_decode(buffer, at)
            except (ValueError, RecursionError) as error:
                if len(buffer) - at <= LINE_CHARS and more():
                    continue
                raise BrokenArray(f"element {number} is no JSON, or too long: {_said(error)}") from error
            if end == len(buffer) and more():  # a number may go on
                continue
            at = end
            yield value
            match skip():
                case ",":
                    at += 1
                case "]":
                    return
                case "":
                    raise BrokenArray(f"it ends behind element {number}, without a ]")
                case letter:
                    raise BrokenArray(f"behind element {number} stands {letter!r}, and no comma")
            number += 1


def _said(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
