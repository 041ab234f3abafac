"""The root of all errors: how one is written, sent and told."""

from collections.abc import Mapping
from typing import Any, ClassVar


class FarmError(Exception):
    """Something went wrong in the farm."""

    code: ClassVar[str] = "farm_error"
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "See the job's log for the cause."

    def __init__(self, **fields: Any) -> None:
        self.fields: Mapping[str, Any] = fields
        template = (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        message = template.format_map(_Fields(fields))
        # A reason that is a sentence itself would end the message with two full stops.
        super().__init__(message[:-1] if message.endswith("..") and not message.endswith("...") else message)
        self.__dict__["hint"] = type(self)._hint(fields).format_map(_Named(fields))

    @classmethod
    def _hint(cls, fields: Mapping[str, Any]) -> str:
        """The hint's template, where what is concerned decides it."""
        return cls.hint

    def __reduce__(self) -> tuple[Any, ...]:
        # A keyword-only exception does not survive pickling by itself, and would arrive from a Ray task as garbage.
        return _rebuild, (type(self), dict(self.fields))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def message(self) -> str:
        """The sentence a person reads."""
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """The error as it stands in journals, job records and HTTP answers."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable, "hint": self.hint}


class _Fields(dict[str, Any]):
    """Fields for a message template: one that was not given reads as ``?``, whatever its format."""

    def __missing__(self, key: str) -> "_Unknown":
        return _Unknown()


class _Named(dict[str, Any]):
    """Fields for a hint: one that was not given stands in capitals, as in the help of a command."""

    def __missing__(self, key: str) -> str:
        return key.removesuffix("_id").upper()


class _Unknown:
    def __format__(self, spec: str) -> str:
        return "?"

    def __repr__(self) -> str:
        return "?"


def _rebuild(cls: type[FarmError], fields: dict[str, Any]) -> FarmError:
    return cls(**fields)


def every_error(root: type[FarmError] = FarmError) -> list[type[FarmError]]:
    """All error classes below ``root``, itself included, in the order of their definition."""
    found: list[type[FarmError]] = [root]
    for child in root.__subclasses__():
        found.extend(every_error(child))
    return found
