"""An error that another process of the farm told: its code, message and hint as they were there."""

from typing import Any

from farm.errors import FarmError


class ToldError(FarmError):
    """{message}"""

    def __init__(self, **told: Any) -> None:
        """Take what `FarmError.to_dict` gave over there; what it lacks is as for any error."""
        super().__init__(**told)
        # An error's code and hint belong to its class; this one speaks for many.
        for name in ("code", "hint", "retryable"):
            if name in told:
                self.__dict__[name] = told[name]
