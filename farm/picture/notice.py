"""A notice: something a person should know about a design or a print that does not stop the job."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One warning.

    Attributes:
        code: stable, for programs (``print_low_dpi``).
        message: one sentence for a person, with the figures.
    """

    code: str
    message: str
